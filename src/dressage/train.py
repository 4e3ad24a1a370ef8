"""The whole job, readable as a list: open, split, preprocess, fit, record, evaluate, report; and to go on, and to repeat."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch

from dressage.assess import assess
from dressage.data.describe import Row, describe
from dressage.errors import Diverged, Interrupted, RunError
from dressage.files import write_json
from dressage.fit import EndEvent, Event, PlanEvent, StepEvent, fit
from dressage.jobfile import read_job, write_job
from dressage.models.foreign import Made
from dressage.prepare import Job, ShowProgress, prepare
from dressage.recipe import Recipe, as_recipe
from dressage.record import record
from dressage.report import write_report
from dressage.resolve import check_names
from dressage.run import Run
from dressage.store.checkpoint import cut_checkpoints, newest, read_checkpoint
from dressage.store.folder import RunFolder
from dressage.store.reader import read_history
from dressage.watch import nonfinite

OnEvent = Callable[[Event], None]


def train(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    out: Path | str | None = None,
    on_event: OnEvent | None = None,
    progress: ShowProgress | None = None,
) -> Run:
    """Trains a network on `data` and returns the Run: its metrics, its curves, and `predict`.

    `data`: a path (image folder, CSV, Parquet, npz, IDX), a named set, arrays or tensors with `y`, a frame, or a torch
    Dataset. `recipe`: what to decide yourself, e.g. `{"optim": {"lr": 1e-3}}`; the rest is chosen, with its reason.
    `model`: your own nn.Module, or what makes one. `out`: folder of the run, made new; without it one below `runs/`.
    `on_event` gets every event; `progress(what, done, total)` is told of the reading.
    Raises DataError, RecipeError or UsageError before anything is written; Diverged and Interrupted with the state saved.
    """
    written = as_recipe(recipe)
    check_names(written)
    if out is not None:
        RunFolder.require_free(Path(out))
    job = prepare(data, written, y=y, model=model, progress=progress)
    folder = RunFolder.create(Path(out)) if out is not None else RunFolder.create_below(Path("runs"), job.source.name)
    with folder.writing():
        write_job(folder.path, job, data, own_model=model is not None)
        return _carry_out(job, folder, model, on_event)


def resume(
    folder: Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    on_event: OnEvent | None = None,
    progress: ShowProgress | None = None,
) -> Run:
    """Goes on with a run from its newest checkpoint that verifies, bit for bit as if it had never stopped.

    `data` (with `y`) is needed only where the run was not trained from a file or a named set, `model` only where it was
    trained with a network of your own. Raises RunError, with the difference, when data or recipe are not the same.
    """
    place = RunFolder.open(Path(folder))
    with place.writing():
        job = _prepare_again(place, data, y, model, progress)
        step, damaged = newest(place.path)
        if step is None and damaged:
            found = f"no checkpoint can be used ({damaged[0]})"
            raise RunError.of(place.path, found, "expected one that verifies", "restore it from a copy, or train anew")
        if step is not None:
            saved = read_checkpoint(place.path, step)
            job.state.load(saved.tensors, saved.state)
            cut_checkpoints(place.path, step)
        told = [f"passed over a damaged checkpoint: {reason}" for reason in damaged]
        for text in told:
            place.note(text)
        return _carry_out(job, place, model, on_event, told)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What repeating a run showed: `steps` were compared, `first_difference` is the first whose loss differs in any bit."""

    steps: int
    first_difference: int | None
    recorded: float | None = None
    repeated: float | None = None


def reproduce(
    folder: Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    on_event: OnEvent | None = None,
    progress: ShowProgress | None = None,
) -> Reproduction:
    """Repeats a run from its first step and names the first step whose loss differs in any bit. Writes nothing."""
    place = RunFolder.open(Path(folder))
    history = read_history(place.path)
    recorded = (
        dict(zip(history.steps.tolist(), history.columns["loss"].tolist(), strict=True)) if len(history.steps) else {}
    )
    job = _prepare_again(place, data, y, model, progress)
    compared = 0
    _announce(job, on_event)
    for event in fit(job.state, job.batches, job.plan, job.parts.get("validation")):
        if on_event is not None:
            on_event(event)
        if isinstance(event, StepEvent):
            if event.step not in recorded:
                break
            again = struct.unpack("f", struct.pack("f", float(event.loss)))[0]
            compared += 1
            if struct.pack("f", again) != struct.pack("f", recorded[event.step]):
                return Reproduction(compared, event.step, recorded[event.step], again)
    return Reproduction(compared, None)


def _carry_out(
    job: Job, folder: RunFolder, made: Made | None, on_event: OnEvent | None, told: Sequence[str] = ()
) -> Run:
    torch.set_num_threads(job.recipe.train.threads)
    folder.set_status("running", step=job.state.step)
    _announce(job, on_event, told)
    end = record(job, folder, on_event)
    if end is None:
        _stop(job, folder)
    if end.reason == "nonfinite":
        _diverge(job, folder, end)
    write_json(folder.path / "evaluation.json", assess(job))
    folder.set_status("finished", step=job.state.step, epochs=job.state.epoch, reason=end.reason)
    write_report(folder.path)
    return Run(folder.path, made)


def _announce(job: Job, on_event: OnEvent | None, told: Sequence[str] = ()) -> None:
    if on_event is not None:
        described = describe(job.source, {name: part.rows for name, part in job.parts.items()})
        described += [Row("warning", "", text) for text in told]
        rows, steps = len(job.parts["train"]), job.batches.steps_per_epoch
        on_event(PlanEvent(rows, job.state.step, steps, job.recipe.train.epochs, described))


def _stop(job: Job, folder: RunFolder) -> NoReturn:
    folder.set_status("interrupted", step=job.state.step, epochs=job.state.epoch)
    write_report(folder.path)
    raise Interrupted.of(
        folder.path,
        f"stopped at step {job.state.step}",
        "the state is saved",
        f"go on with `dressage resume {folder.path}`",
    )


def _diverge(job: Job, folder: RunFolder, end: EndEvent) -> None:
    assert end.nonfinite is not None
    finding = nonfinite(end.nonfinite, job.recipe.optim.lr, job.recipe.optim.clip_norm)
    folder.add_finding(finding.to_json())
    folder.set_status("diverged", step=job.state.step, epochs=job.state.epoch)
    write_report(folder.path)
    raise Diverged.of(folder.path, finding.evidence, finding.cause, finding.remedy)


def _prepare_again(
    folder: RunFolder, data: object, y: object, model: Made | None, progress: ShowProgress | None
) -> Job:
    known = read_job(folder.path)
    if data is None:
        data = known.given_data
    if data is None:
        raise RunError.of(
            folder.path,
            "it was trained on data given from Python",
            "expected the same data again",
            "give it: resume(folder, x, y=y)",
        )
    if known.own_model and model is None:
        raise RunError.of(
            folder.path,
            "it was trained with a network of your own",
            "expected that network again",
            "give it with --model FILE.py:Name or model=",
        )
    job = prepare(data, known.recipe, y=y, model=model, progress=progress)
    known.require_same(job)
    return job

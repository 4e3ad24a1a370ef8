"""The whole job, readable as a list: open, split, preprocess, fit, record, evaluate, report; and to go on, and to repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch

from dressage.assess import assess, written
from dressage.data.describe import Row, describe
from dressage.errors import Diverged, Interrupted, RunError
from dressage.files import write_json
from dressage.fit import EndEvent, EpochEvent, Event, PlanEvent, StepEvent, fit
from dressage.jobfile import read_job, write_job
from dressage.models.foreign import Made
from dressage.prepare import Job, ShowProgress, prepare, threads_kept
from dressage.recall import begin
from dressage.recipe import Recipe, as_recipe
from dressage.record import ORIGIN, put_back, record
from dressage.refit import FOLDER, epochs_shown, most_steps, second_job, taken_up, told_of
from dressage.repeat import Reproduction, compare
from dressage.report import write_report
from dressage.resolve import check_names, name_problems
from dressage.run import Run
from dressage.stopping import Overdue, Stop, signals
from dressage.store.checkpoint import steps
from dressage.store.folder import RunFolder
from dressage.store.reader import read_history
from dressage.watch import nonfinite
from dressage.watching import JobWatch

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
    Dataset; several targets are a dict of arrays as `y`, or columns that `data.target` names.
    `recipe`: what to decide yourself, e.g. `{"optim": {"lr": 1e-3}}`; the rest is chosen, with its reason.
    `model`: your own nn.Module, or what makes one. `out`: folder of the run, made new; without it one below `runs/`.
    `on_event` gets every event; `progress(what, done, total)` is told of the reading.
    Raises DataError, RecipeError or UsageError before anything is written; Diverged and Interrupted with the state saved.
    """
    written = as_recipe(recipe, also=name_problems)
    check_names(written)
    if out is not None:
        RunFolder.require_free(Path(out))
    with threads_kept():
        job = prepare(data, written, y=y, model=model, progress=progress)
        if job.recipe.train.refit:  # what speaks against it is said now, not after the first training
            second_job(job, job.recipe.train.epochs, "", model)
        with (
            signals() as stop
        ):  # from the moment a folder is made, a wish to stop leaves a run that can be gone on with
            place = (
                RunFolder.create(Path(out))
                if out is not None
                else RunFolder.create_below(Path("runs"), job.source.name)
            )
            stop.where = place.path
            with place.writing():
                with place.discarded_on_error():
                    write_job(place.path, job, data, own_model=model is not None)
                return _carry_out(job, place, model, stop, on_event, watch=_watch(job, model))


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
    with place.writing(), threads_kept():
        if place.is_finished():
            read_job(place.path)  # a recipe that was changed since is refused here too
            if not (place.path / "report.html").exists():
                write_report(place.path)
            return Run(place.path, model)
        _require_sound(place)
        job, told = prepare_again(place, data, y, model, progress)
        watch = _watch(job, model)  # before the weights are put back: proofs begin from the first ones
        told += put_back(job, place.path)
        for text in told:
            place.note(text, step=job.state.step)
        with signals(place.path) as stop:
            return _carry_out(job, place, model, stop, on_event, told, watch)


def reproduce(
    folder: Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    on_event: OnEvent | None = None,
    progress: ShowProgress | None = None,
) -> Reproduction:
    """Repeats a run from its first step and names the first step whose numbers differ in any bit. Writes nothing."""
    place = RunFolder.open(Path(folder))
    with threads_kept():
        job, told = prepare_again(place, data, y, model, progress)
        _announce(job, on_event, told)
        found = _repeat(job, place.path, on_event)
        if found.first_difference is None and (place.path / FOLDER / "run.db").is_file():
            again = second_job(job, *epochs_shown(job), model)
            _announce(again, on_event, again=again.resolved.reasons["train.epochs"].why)
            second = _repeat(again, place.path / FOLDER, on_event)
            found = replace(second, steps=found.steps + second.steps, again=True)
        return replace(found, machine=told)


def _repeat(job: Job, folder: Path, on_event: OnEvent | None) -> Reproduction:
    history = read_history(folder)
    last = int(history.steps[-1]) if len(history.steps) else 0
    put_back(job, folder / ORIGIN)  # where it went on from another's state; else the job stands before its first step
    return compare(history, _repeated(job, last, on_event), since=job.state.step)


def _repeated(job: Job, last: int, on_event: OnEvent | None) -> Iterator[StepEvent | EpochEvent]:
    """The steps and epochs of a job, taken again up to step `last`, by as many threads as then."""
    torch.set_num_threads(job.recipe.train.threads)
    with closing(fit(job.state, job.batches, job.plan, job.parts.get("validation"))) as events:
        for event in events:
            if isinstance(event, StepEvent) and event.step > last:
                return
            if on_event is not None:
                on_event(event)
            if isinstance(event, StepEvent | EpochEvent):
                yield event


def _watch(job: Job, made: Made | None) -> JobWatch | None:
    return JobWatch(job, own_model=made is not None) if job.recipe.watch.diagnose else None


def _carry_out(
    job: Job,
    folder: RunFolder,
    made: Made | None,
    stop: Stop,
    on_event: OnEvent | None,
    told: Sequence[str] = (),
    watch: JobWatch | None = None,
) -> Run:
    torch.set_num_threads(job.recipe.train.threads)
    folder.set_status("running", step=job.state.step)
    _announce(job, on_event, told)
    try:
        if watch is not None:
            begin(watch, job, folder.path, stop, on_event)
            folder.set_findings([f.to_json() for f in watch.findings])
        end, again = _record(job, folder, folder, stop, on_event, watch), None
        if job.recipe.train.refit:
            with stop.giving_up():
                again, told = taken_up(job, folder, made)
            _announce(again, on_event, told, again.resolved.reasons["train.epochs"].why)
            _record(again, RunFolder(folder.path / FOLDER), folder, stop, on_event)
        with stop.giving_up():
            evaluation = assess(job, again)
    except Overdue:
        _stop(job, folder)
    # From here on all is done within a second: a wish to stop is granted by finishing.
    write_json(folder.path / "evaluation.json", written(evaluation, job.recipe.evaluate.target_error))
    facts = told_of(again) if again else {}
    folder.set_status("finished", step=job.state.step, epochs=job.state.epoch, reason=end.reason, **facts)
    write_report(folder.path)
    return Run(folder.path, made)


def _record(
    job: Job,
    place: RunFolder,
    folder: RunFolder,
    stop: Stop,
    on_event: OnEvent | None,
    watch: JobWatch | None = None,
) -> EndEvent:
    """One training to its end, recorded in `place`. Raises Overdue when a signal ended it, Diverged with the run's folder."""
    end = record(job, place, stop, on_event, _seconds(place, job.state.step), watch)
    if end is None:
        raise Overdue
    if watch is not None:
        place.set_findings([f.to_json() for f in watch.end(end)])
    if end.reason == "nonfinite":
        _diverge(job, folder, end, again=place != folder)
    return end


def _seconds(folder: RunFolder, step: int) -> float:
    """Seconds that a run had been trained for at a step, as its last epoch up to there has them."""
    epochs = [e for e in read_history(folder.path).epochs if e["step"] <= step] if step else []
    return float(epochs[-1].get("seconds", 0.0)) if epochs else 0.0


def _announce(job: Job, on_event: OnEvent | None, told: Sequence[str] = (), again: str = "") -> None:
    if on_event is not None:
        described = describe(job.source, {name: part.rows for name, part in job.parts.items()}) if not again else []
        described += [Row("warning", "", text) for text in told]
        rows, each = len(job.parts["train"]), job.batches.steps_per_epoch
        epochs, more = job.recipe.train.epochs, most_steps(job)
        on_event(PlanEvent(rows, job.state.step, each, epochs, described, more, again))


def _stop(job: Job, folder: RunFolder) -> NoReturn:
    second = steps(folder.path / FOLDER)
    step = max(second or steps(folder.path), default=0)
    folder.set_status("interrupted", step=step, epochs=job.state.epoch)
    write_report(folder.path)
    found = f"stopped at step {step}" + " of the training on all rows" * bool(second)
    raise Interrupted.of(folder.path, found, "the state is saved", f"go on with `dressage resume {folder.path}`")


def _diverge(job: Job, folder: RunFolder, end: EndEvent, *, again: bool) -> None:
    assert end.nonfinite is not None
    finding = nonfinite(end.nonfinite, job.recipe.optim.rate, job.recipe.optim.clip_norm)
    if again:
        finding = replace(finding, evidence=f"training again on all rows: {finding.evidence}")
    folder.add_finding(finding.to_json())
    folder.set_status("diverged", step=job.state.step, epochs=job.state.epoch)
    write_report(folder.path)
    raise Diverged.of(folder.path, finding.evidence, finding.cause, finding.remedy)


def _require_sound(folder: RunFolder) -> None:
    """Raises Diverged, with what was found, for a run that ended so: going on would end there again."""
    if folder.status()["status"] == "diverged":
        found = next(iter(read_history(folder.path).findings[::-1]), {})
        told = [str(found.get(name) or "not recorded") for name in ("evidence", "cause", "remedy")]
        raise Diverged.of(folder.path, f"diverged, and would again at {told[0]}", told[1], f"train anew: {told[2]}")


def prepare_again(
    folder: RunFolder, data: object, y: object, model: Made | None, progress: ShowProgress | None
) -> tuple[Job, list[str]]:
    """The job of a run, ready for its first step, and what of the machine has changed since."""
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
    if model is not None and not known.own_model:
        raise RunError.of(
            folder.path,
            f"it was trained with the model {known.recipe.model.name}",
            "expected no network of your own",
            "leave out --model, or train anew",
        )
    job = prepare(data, known.recipe, y=y, model=model, progress=progress, start=known.start())
    known.require_same(job)
    changed = known.machine_differences()
    return job, [f"the machine is not as it was, so last bits may differ: {'; '.join(changed)}"] if changed else []

"""Makes ensembles: trains the members, or takes trained runs; then combines, judges and writes them down."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from dressage.data.open import open_data
from dressage.data.source import Source
from dressage.ensemble.folder import LIMIT, MEMBERS, Ensemble
from dressage.ensemble.members import members_of, source_of
from dressage.ensemble.put_together import Whole, lay_down, put_together
from dressage.ensemble.rules import catalogue as rules
from dressage.ensemble.ways import catalogue as ways
from dressage.errors import Diverged, DressageError, Interrupted, RecipeError, RunError, UsageError, printable
from dressage.files import from_json, read_json, to_json, write_json
from dressage.fit import Event
from dressage.jobfile import as_given
from dressage.models.foreign import Made
from dressage.objective import require_targets
from dressage.prepare import ShowProgress, threads_kept
from dressage.recipe import Recipe, as_recipe
from dressage.remedies import edited
from dressage.resolve import check_names, name_problems
from dressage.run import Run
from dressage.store.folder import ENSEMBLE, RunFolder
from dressage.train import resume as resume_run
from dressage.train import train

COUNT = 5
BELOW = Path("ensembles")
"""Where they lie, unless another place is named."""
TRAINING = "training"
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told what while members are trained."""

    on_event: Callable[[Event], None] | None = None
    progress: ShowProgress | None = None
    tell: Tell | None = None

    def say(self, text: str) -> None:
        """A line for people."""
        if self.tell is not None:
            self.tell(text)


def ensemble(
    what: object,
    *,
    data: object = None,
    y: object = None,
    members: int | None = None,
    by: str | None = None,
    combine: str = "mean",
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    out: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
    progress: ShowProgress | None = None,
    tell: Tell | None = None,
) -> Ensemble:
    """Several networks that answer as one, from trained runs or trained here.

    `what`: runs (a list of Run or of their folders; or one that kept snapshots), or data as `train` takes it, with `y`. Of data,
    `members` (5) are trained `by` seeds, bagging or snapshots (`dressage list members`), by one `recipe`.
    `combine`: how their answers become one (`dressage list combine`). `data`: where the data of the runs is, if they were
    trained on arrays. `out`: folder of the ensemble; one of the same that lies there is gone on with; without it a new one below
    `ensembles/`. `tell` gets lines for people.
    Raises RunError for runs that do not go together and weights that a barrier keeps apart, else as `train`.
    """
    rules.check(combine)
    rules.build(combine)
    telling = Telling(on_event, progress, tell)
    if runs := runs_in(what, model):
        if out is not None:
            RunFolder.require_free(Path(out))
        if members is not None or by is not None or recipe is not None:
            found, expected = "members, by or recipe given beside runs", "runs are trained already"
            raise UsageError.of("ensemble", found, expected, "leave them out, or give data")
        return _of_runs(runs, combine, data, y, model, out, telling)
    asked = _asked(what, members, by, combine, recipe, model)
    if out is not None and (Path(out) / ENSEMBLE).is_file():
        _require_same(Path(out), asked)
        return resume(out, what, y=y, model=model, on_event=on_event, progress=progress, tell=tell)
    name = Path(asked["data"]).stem if asked["data"] else "data"
    place = _place(out, name)
    with place.writing():
        with place.discarded_on_error():
            write_json(place.path / ENSEMBLE, {"asked": asked})
        return _carry_out(place, asked, what, y, model, telling, is_new=True)


def resume(
    folder: Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    on_event: Callable[[Event], None] | None = None,
    progress: ShowProgress | None = None,
    tell: Tell | None = None,
) -> Ensemble:
    """Goes on with an ensemble whose members were not all trained; those that are, stay. Raises as `ensemble`."""
    place = RunFolder(Path(folder))
    found = read_json(place.path / ENSEMBLE, LIMIT)
    if "members" in found:
        made = Ensemble(place.path, model)
        if data is not None:
            run = made.members[0]
            _require_data(place.path, run, open_data(data, run.recipe.data, y=y, progress=progress))
        return made
    asked = found.get("asked")
    if not isinstance(asked, dict) or {"data", "members", "by", "combine", "recipe"} - asked.keys():
        raise RunError.of(place.path / ENSEMBLE, "it does not say what was asked", "expected that", "make it anew")
    rules.check(str(asked["combine"]))
    given = asked["data"] if data is None else data
    if given is None:
        expected = "expected the same data again"
        raise RunError.of(
            place.path, "it was trained on data given from Python", expected, "give it: resume(folder, x, y=y)"
        )
    checked = _asked(given, asked["members"], asked["by"], asked["combine"], asked["recipe"], model)
    with place.writing():
        return _carry_out(place, checked, given, y, model, Telling(on_event, progress, tell))


def runs_in(what: object, model: Made | None = None) -> list[Run]:
    """The runs that were given, as such or by their folders; empty where it is data. Raises UsageError for a mixture."""
    several: Sequence[object] = what if isinstance(what, list | tuple) else [what]
    if not all(isinstance(one, Run | str | Path) for one in several):
        return []
    known = [one if isinstance(one, Run) else _run_at(Path(str(one)), model) for one in several]
    found = [run for run in known if run is not None]
    if found and len(found) < len(known):
        strange = several[known.index(None)]
        raise UsageError.of(strange, "is no run", "expected runs alone, or data alone", "give folders of runs")
    return found


def _run_at(place: Path, model: Made | None) -> Run | None:
    is_run = (place / "recipe.toml").is_file() and (place / "status.json").is_file()
    return Run(RunFolder.open(place).path, model) if is_run else None


def _asked(
    data: object, members: object, by: object, combine: str, recipe: object, model: Made | None
) -> dict[str, Any]:
    """What is to be done, as it is written down. Raises UsageError, RecipeError."""
    if isinstance(data, list) and data and all(isinstance(one, str | Path) for one in data):
        found = f"{printable(data[0], 200)} is no run"
        raise UsageError.of("ensemble", found, "expected runs, or one set of data", "give folders that hold a run")
    count = COUNT if members is None else members
    if not isinstance(count, int) or not 2 <= count <= 1000:
        raise UsageError.of("members", f"{count!r} given", "expected a number from 2 to 1000", "e.g. --members 5")
    if isinstance(model, nn.Module):
        found, expected = "a network that is made already was given", "expected one that can be made anew"
        raise RecipeError.of("model", found, expected, "give its class, or a function that makes it")
    way = "seeds" if by is None else str(by)
    ways.check(way)
    written = as_recipe(recipe, also=name_problems)  # type: ignore[arg-type]
    check_names(written)
    require_targets(written.loss.name, "an ensemble")
    for edit in ways.build(way).edits(written.seed, 1):
        edited(written, edit)
    dumped = written.model_dump(exclude_unset=True)
    return {"data": as_given(data), "members": count, "by": way, "combine": combine, "recipe": dumped}


def _require_same(place: Path, asked: Mapping[str, Any]) -> None:
    """Raises UsageError where another ensemble lies there."""
    then, now = read_json(place / ENSEMBLE, LIMIT).get("asked"), from_json(to_json(asked), "what is asked")
    if then == now:
        return
    known = then if isinstance(then, Mapping) else {}
    other = [
        f"{n} {printable(now[n], 80)}, was {printable(known[n], 80)}" for n in now if n in known and now[n] != known[n]
    ]
    found = f"holds another ensemble ({'; '.join(other[:3])})" if other else "holds an ensemble of runs"
    repair = f"choose another place with --out, or go on with it by `dressage resume {place}`"
    raise UsageError.of(place, found, "expected a new folder", repair)


def _carry_out(
    place: RunFolder,
    asked: Mapping[str, Any],
    data: object,
    y: object,
    model: Made | None,
    telling: Telling,
    *,
    is_new: bool = False,
) -> Ensemble:
    """Trains what is not trained yet, then combines it."""
    place.set_status("running")
    try:
        runs, told = _trained(place.path, asked, data, y, model, telling)
    except (Interrupted, KeyboardInterrupt):
        place.set_status("interrupted")
        found, repair = "stopped while its members were trained", f"go on with `dressage resume {place.path}`"
        raise Interrupted.of(place.path, found, "what is trained is saved", repair) from None
    except DressageError:
        if is_new and not (place.path / MEMBERS).exists() and not (place.path / TRAINING).exists():
            shutil.rmtree(place.path, ignore_errors=True)  # nothing was trained: as if it had not been asked
            if place.path.parent == BELOW:
                with suppress(OSError):  # others lie there
                    BELOW.rmdir()
        raise
    try:
        lay_down(place, _together(runs, asked["combine"], data, y, telling, told))
    except DressageError:
        place.set_status("failed")
        raise
    return Ensemble(place.path, model)


def _trained(
    place: Path, asked: Mapping[str, Any], data: object, y: object, model: Made | None, telling: Telling
) -> tuple[list[Run], list[str]]:
    """The members that could be trained, and which could not; data that cannot be read is refused before the first."""
    written = as_recipe(asked["recipe"])
    source = open_data(data, written.data, y=y, progress=telling.progress)
    edits = ways.build(asked["by"]).edits(written.seed, asked["members"])
    folders = [place / MEMBERS / str(k) for k in range(len(edits))] if len(edits) > 1 else [place / TRAINING]
    if begun := [folder for folder in folders if (folder / "recipe.toml").is_file()]:
        _require_data(place, Run(begun[0], model), source)  # a member that is finished would not ask
    runs, told = list[Run](), list[str]()
    for k, (edit, folder) in enumerate(zip(edits, folders, strict=True)):
        telling.say(f"member {k + 1} of {len(edits)}" if len(edits) > 1 else "one training, for all members")
        own = {"model": model, "on_event": telling.on_event, "progress": telling.progress}
        try:
            if (folder / "recipe.toml").is_file():
                runs.append(resume_run(folder, data, y=y, **own))  # type: ignore[arg-type]
            else:
                shutil.rmtree(folder, ignore_errors=True)  # killed before its first step
                runs.append(train(data, y=y, recipe=edited(written, edit), out=folder, **own))  # type: ignore[arg-type]
        except Diverged as error:
            told.append(f"member {k} is left out: {error}")
            telling.say(told[-1])
    return runs, told


def _of_runs(
    runs: list[Run], combine: str, data: object, y: object, model: Made | None, out: Path | str | None, telling: Telling
) -> Ensemble:
    whole = _together(runs, combine, data, y, telling, [])
    place = _place(out, str(runs[0].job.data.get("name") or "runs"))
    with place.writing(), place.discarded_on_error():
        lay_down(place, whole)
    return Ensemble(place.path, model)


def _place(out: Path | str | None, name: str) -> RunFolder:
    return RunFolder.create(Path(out)) if out is not None else RunFolder.create_below(BELOW, name)


def _together(runs: list[Run], combine: str, data: object, y: object, telling: Telling, told: Sequence[str]) -> Whole:
    with threads_kept():
        members = members_of(runs)
        return put_together(members, source_of(runs[0], data, y, telling.progress), combine, told)


def _require_data(place: Path, run: Run, source: Source) -> None:
    """Raises RunError unless the data is that of a member of the ensemble that lies there."""
    if source.fingerprint != run.job.data["fingerprint"]:
        expected = "expected the data that its members were trained on"
        repair = "give that data, or make another ensemble in a new place (--out)"
        raise RunError.of(place, "the data is not the same", expected, repair)

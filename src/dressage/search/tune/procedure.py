"""`dressage.tune`: the seven steps on data, within a budget, and what they leave behind."""

from __future__ import annotations

import math
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dressage.errors import DressageError, Interrupted, RunError, UsageError
from dressage.files import write_atomic
from dressage.ground import made_anew, open_ground
from dressage.jobfile import as_given
from dressage.models.foreign import Made
from dressage.objective import require_targets
from dressage.prepare import Job, ShowProgress, threads_kept
from dressage.recipe import Recipe, as_recipe, load_recipe, to_toml
from dressage.remedies import LEFT, edited
from dressage.resolve import check_names, name_problems
from dressage.run import Run, load
from dressage.search.tune import looks, rounds, sizes
from dressage.search.tune.compare import Chosen, compare
from dressage.search.tune.course import Course, TuneEvent
from dressage.search.tune.folder import BEST, Asked, TuneFolder
from dressage.search.tune.steps import Step
from dressage.train import OnEvent as OnTraining
from dressage.train import resume, train

RUN = "run"
LEAST = 5.0  # seconds of a budget
SHORT = 150.0  # seconds of a budget in which it does not pay to start processes for each search
OnEvent = Callable[[TuneEvent], None]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a tuning has found."""

    folder: Path
    steps: Sequence[Step]
    edit: Mapping[str, object] | None
    """What is better than in the recipe as it was; empty: nothing; None: a step stopped before anything was compared."""
    why: str
    seconds: float
    run: Run | None
    """The training with the best recipe, where the time allowed one."""
    data: str | None
    """Path or name that the data was given as; None: it came from Python."""

    @property
    def best_recipe(self) -> Path:
        """best.toml, with which `dressage train` trains it."""
        return self.folder / BEST

    @property
    def command(self) -> str:
        """What trains it."""
        data = "DATA" if self.data is None else shlex.quote(self.data)
        return f"dressage train {data} --recipe {shlex.quote(str(self.best_recipe))}"

    @property
    def recipe(self) -> Recipe:
        """The best recipe. Raises UsageError where there is none."""
        return load_recipe(self.best_recipe)

    def __str__(self) -> str:
        return "\n".join([*(line for step in self.steps for line in step.lines()), self.why])


def tune(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    budget: float = 600.0,
    trains: bool = True,
    jobs: int = 0,
    out: Path | str | None = None,
    on_event: OnEvent | None = None,
    on_training: OnTraining | None = None,
    progress: ShowProgress | None = None,
) -> Tuned:
    """Tunes the training that `recipe` describes in seven steps, each of which says what it saw and decided.

    First loss; a small sample; a rate that lowers the loss; coarse trials of rate and decay; finer and longer ones; the
    curves; go on or stop. What comes out is held against the recipe as it was, and kept if it is better than noise.
    `budget`: seconds for everything. `trains`: whether the best is trained in the end, if that fits. `jobs`: processes; 0: as
    many as fit. `out`: folder, `tunings/<name>-<n>` without it; one that lies there already is gone on with. `data`, `y`,
    `recipe`, `model`: as in `train`. `on_training` gets the events of the last training. DR10, L6, C784.
    Raises DataError, RecipeError or UsageError before anything is written; Interrupted with all saved.
    """
    written = as_recipe(recipe, also=name_problems)
    check_names(written)
    require_targets(written.loss.name, "a tuning")
    if not LEAST <= budget < math.inf:
        raise UsageError.of("budget", f"{budget:g} s given", f"expected {LEAST:g} s or more", "e.g. 300")
    if jobs < 0:
        raise UsageError.of("jobs", f"{jobs} given", "expected 0 or more", "leave it out")
    tell = on_event or (lambda event: None)
    with threads_kept():
        ground = open_ground(data, y, written, None, made_anew(model), progress)
        if "validation" not in ground.rows:
            found, expected = "there are no validation rows", "expected some to choose by"
            raise UsageError.of(ground.source.name, found, expected, "set data.validation above 0")
        ground.whole(written)
        plain = written.model_dump(exclude_unset=True)
        known = (ground.source.name, as_given(data), ground.source.fingerprint, model is not None, plain)
        asked = Asked(*known, float(budget), trains)
        place = TuneFolder.placed(asked, None if out is None else Path(out))
        given = {"data": data, "y": y, "model": model, "jobs": jobs or (1 if budget < SHORT else 0)}
        with place.tuning():
            course = Course(asked, place, ground, given, tell, place.seconds)
            return _kept_safe(course, on_training, progress)


def go_on(
    folder: Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    jobs: int = 0,
    on_event: OnEvent | None = None,
    on_training: OnTraining | None = None,
    progress: ShowProgress | None = None,
) -> Tuned:
    """Goes on with a tuning that was stopped. `data` (with `y`) where it was not a file or a named set, `model` if your own."""
    place = TuneFolder.open(Path(folder))
    asked = place.asked()
    data = asked.data if data is None else data
    if data is None:
        found = "it tuned on data given from Python"
        raise RunError.of(place.path, found, "expected the same data again", "give it")
    if asked.own_model and model is None:
        found = "it tuned a network of your own"
        raise RunError.of(place.path, found, "expected the same again", "give --model as then")
    return tune(
        data,
        y=y,
        recipe=asked.written,
        model=model,
        budget=asked.budget,
        trains=asked.trains,
        jobs=jobs,
        out=folder,
        on_event=on_event,
        on_training=on_training,
        progress=progress,
    )


def load_tuned(folder: Path | str) -> Tuned:
    """A tuning as far as it has come, from its folder alone. Raises RunError."""
    place = TuneFolder.open(Path(folder))
    asked, steps = place.asked(), place.steps()
    last = next((s for s in reversed(steps) if "edit" in s.facts), None)
    run = None
    with suppress(DressageError):
        run = load(place.path / RUN)
    why = str(last.facts["why"]) if last else steps[-1].decided if steps else "nothing was done yet"
    return Tuned(place.path, steps, last.facts["edit"] if last else None, why, place.seconds, run, asked.data)


def _kept_safe(c: Course, on_training: OnTraining | None, progress: ShowProgress | None) -> Tuned:
    """The course; a wish to stop is answered with the folder that can be gone on with."""
    try:
        return _carried_out(c, on_training, progress)
    except (KeyboardInterrupt, Interrupted):
        found, repair = "the tuning was stopped", f"go on with `dressage resume {c.place.path}`"
        raise Interrupted.of(c.place.path, found, "what was found is saved", repair) from None
    finally:
        c.keep_clock(at_once=True)


def _carried_out(c: Course, on_training: OnTraining | None, progress: ShowProgress | None) -> Tuned:
    """The seven steps, and the training in the end."""
    whole = c.ground.whole(c.asked.written)
    looked = _looked(c, progress)
    if not looked.goes_on:
        return replace(load_tuned(c.place.path), edit=None, why=looked.decided)
    pace = sizes.pace_of(whole, len(c.ground.rows["train"]), looked.facts, int(c.given["jobs"]))
    spare = pace.last if c.asked.trains and pace.last <= sizes.LAST * c.asked.budget else 0.0
    kept = spare + sizes.reserved(pace, c.asked.budget - spare)
    known = rounds.carry_out(c, pace, whole, float(looked.facts["rate"]), kept)
    if not known.searches:
        return replace(load_tuned(c.place.path), edit=None)
    chosen = compare(c, pace, known, spare)
    _write_best(c, chosen)
    run = None
    if c.asked.trains and (c.left >= pace.last * (0.5 if spare else 1.0) or (c.place.path / RUN).exists()):
        run = _trained(c, on_training, progress)
    return replace(load_tuned(c.place.path), run=run)


def _looked(c: Course, progress: ShowProgress | None) -> Step:
    """Steps 1 to 3; the last of them that was taken."""
    jobs: list[Job] = []

    def job() -> Job:
        if not jobs:
            lr = {"optim.lr": LEFT} if c.asked.written.optim.lr == "auto" else {}
            jobs.append(
                c.ground.job(edited(c.asked.written, {**lr, **THREADS} if not c.asked.written.train.threads else lr))
            )
        return jobs[0]

    step = c.step("first-loss", lambda: looks.first_loss(job(), c.asked.budget))
    if step.goes_on:
        step = c.step("small-sample", lambda: looks.small_sample(job(), c.asked.budget))
    if step.goes_on:
        own = c.asked.own_model
        step = c.step("rate", lambda: looks.rate(job(), c.asked.budget, own_model=own, left=c.left, progress=progress))
    return step


THREADS = {"train.threads": 1}
"""Of what is looked at before the searches, whose trials have one each."""


def _write_best(c: Course, chosen: Chosen) -> None:
    """best.toml: whole, each value with its reason."""
    resolved = c.ground.resolved(edited(c.asked.written, chosen.edit))
    comments = {
        path: f"{r.origin}: {r.why}" for path, r in resolved.reasons.items() if r.origin not in ("default", "given")
    }
    comments |= dict.fromkeys(chosen.edit, f"tuned: {chosen.why}")
    write_atomic(c.place.path / BEST, to_toml(resolved.recipe, comments))


def _trained(c: Course, on_training: OnTraining | None, progress: ShowProgress | None) -> Run:
    """The training with the best recipe: begun, gone on with, or finished already."""
    folder = c.place.path / RUN
    given: dict[str, Any] = {name: c.given[name] for name in ("y", "model")}
    if (folder / "recipe.toml").is_file():
        return resume(folder, c.given["data"], **given, on_event=on_training, progress=progress)
    shutil.rmtree(folder, ignore_errors=True)  # killed before its first step
    recipe = load_recipe(c.place.path / BEST)
    return train(c.given["data"], **given, recipe=recipe, out=folder, on_event=on_training, progress=progress)

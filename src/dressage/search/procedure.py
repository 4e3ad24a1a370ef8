"""A search, readable as a list: open, ask, lay down, carry out, write what was found; and to go on, and to read it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from dressage.data.source import Source
from dressage.errors import DataError, RunError, UsageError, printable
from dressage.files import write_atomic
from dressage.ground import Ground, made_anew, open_ground
from dressage.jobfile import as_given
from dressage.models.foreign import Made
from dressage.prepare import ShowProgress, threads_kept
from dressage.recipe import Recipe, as_recipe, to_toml
from dressage.remedies import edited
from dressage.resolve import check_names, name_problems, value_at
from dressage.search.asked import FIRST, STEPS, Asked, Halving, Stage, as_stages, check_halving, shortest_rungs
from dressage.search.conduct import Conduct, Unfinished, conduct
from dressage.search.events import SearchEvent
from dressage.search.folder import BEST, SearchFolder
from dressage.search.found import Search
from dressage.search.groups import grouped
from dressage.search.hands import hands
from dressage.search.on_ray import check_address
from dressage.search.page import write_page
from dressage.search.ranges import Range
from dressage.search.samplers import check_sampler
from dressage.search.space import as_space, default_space, texts_of
from dressage.search.telling import account_of
from dressage.search.time_left import TimeLeft
from dressage.search.trial import Result
from dressage.search.work import Bench
from dressage.search.worker import require_same
from dressage.settle import PATHS

TRIALS = 24
"""Of the first stage where nothing is asked; each of the others has half of the one before."""
SHORTER = (9, 3, 1)
"""Trials of the stages have so many times fewer epochs than a whole training, and the whole course of its rate: held against
rungs of longer trainings, whose rate is still high, these rank the rates as they come out in the end. The three best
of 65 trainings of ten epochs had ranks 22 to 42 after three of them, and 3 to 7 among trainings of three epochs."""
ENOUGH = 10_000
"""Training rows that tell good settings from bad ones."""
METRICS = {"classification": "accuracy", "regression": "r2", "multi": "−loss"}
OnEvent = Callable[[SearchEvent], None]
Written = Mapping[str, Range | str] | Iterable[str] | str


def search(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    space: Written | None = None,
    sampler: str = "sobol",
    trials: int | None = None,
    epochs: int | None = None,
    subset: int | None = None,
    stages: Iterable[str | Stage] | str | None = None,
    halving: Halving | None = None,
    finalists: int = 3,
    repeats: int = 3,
    first: Sequence[Mapping[str, object]] = (),
    budget: float = 0.0,
    seed: int | None = None,
    jobs: int = 0,
    on: str = "",
    out: Path | str | None = None,
    on_event: OnEvent | None = None,
    progress: ShowProgress | None = None,
) -> Search:
    """Looks for the settings with which `recipe` validates best on `data`, coarse to fine, and says how sure that is.

    `data`, `y`, `recipe` and `model` are those of `train`. `space`: what is searched, `{"optim.lr": "log:1e-5:1e-1"}` or
    texts `optim.lr=log:1e-5:1e-1`; without it rate, decay and dropout around the usual ones. `sampler`: sobol, random, grid or
    optuna. `trials`, `epochs` and `subset` (training rows) are those of the first of three stages; `stages` names all of them,
    `["100x5@10000", "20x20"]`. `halving`, within a stage: successive or hyperband; none where no stages are named.
    The `finalists` best of the last stage are repeated with `repeats` other seeds. `first`: edits by path that are tried before
    any is drawn. `budget`: seconds after which no trial is begun. `jobs`: processes; 0: as many as fit, once they are worth their
    start. `on`: a Ray cluster in their place, `ray` or `ray://HOST:PORT`. `out`: folder of the search, `searches/<name>-<n>`
    without it; one that is there already is gone on with.
    Raises DataError, RecipeError or UsageError before anything is written; Interrupted with what was trained saved.
    """
    written = as_recipe(recipe, also=name_problems)
    written = written if seed is None else edited(written, {"seed": seed})
    check_names(written)
    check_sampler(sampler)
    halving = halving or ("successive" if stages is not None else "none")
    check_halving(halving)
    _require_counts({"trials": trials, "epochs": epochs}, least=1)
    _require_counts({"finalists": finalists, "repeats": repeats, "jobs": jobs}, least=0)
    if on:
        check_address(on)
    known = None if space is None else as_space(space)
    with threads_kept():
        ground = open_ground(data, y, written, None, made_anew(model), progress)
        whole = ground.whole(written)
        _require_validation(ground.source, ground)
        if ground.start is not None:  # as data.json has the data: a search goes on from any folder
            written = edited(written, {"transfer.source": ground.start.where})
        plan = as_stages(stages) if stages is not None else _usual(ground, whole, trials, epochs, subset)
        asked = Asked(
            name=ground.source.name,
            data=as_given(data),
            fingerprint=ground.source.fingerprint,
            metric=METRICS[ground.source.task],
            own_model=model is not None,
            recipe=written.model_dump(exclude_unset=True),
            form=_form(ground, written),
            space=tuple(texts_of(known or default_space(whole))),
            sampler=sampler,
            stages=tuple(map(str, plan)),
            halving=halving,
            finalists=finalists,
            repeats=repeats,
            budget=float(budget),
            first=tuple(first),
            shortest=shortest_rungs(plan, _training_rows(ground, whole), whole.train.batch_size),
            is_joined=True,
        )
        place = _placed(asked, whole, out)
        bench = Bench(asked, place, replace(ground, form=asked.form))
        return _carried_out(bench, whole, model, jobs, on, on_event)


def go_on(
    folder: Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    jobs: int = 0,
    on: str = "",
    on_event: OnEvent | None = None,
    progress: ShowProgress | None = None,
) -> Search:
    """Goes on with a search that was stopped, as if it never had been: no trial is run twice.

    `data` (with `y`) is needed where it was not a file or a named set, `model` where the network is your own. Raises RunError.
    """
    place = SearchFolder.open(Path(folder))
    asked = place.asked()
    data = asked.data if data is None else data
    if data is None:
        raise RunError.of(
            place.path, "it searched on data given from Python", "expected the same data again", "give it"
        )
    if asked.own_model != (model is not None):
        found = (
            "it searched with a network of your own" if asked.own_model else "it searched with a network of dressage"
        )
        raise RunError.of(place.path, found, "expected the same again", "give --model as then, or leave it out")
    with threads_kept():
        ground = open_ground(data, y, asked.written, None, made_anew(model), progress)
        require_same(place, asked, ground)
        bench = Bench(replace(asked, data=as_given(data)), place, replace(ground, form=asked.form))
        return _carried_out(bench, place.whole(), model, jobs, on, on_event)


def load_search(folder: Path | str) -> Search:
    """A search as far as it has come, from its folder alone. Raises RunError."""
    place = SearchFolder.open(Path(folder))
    standing = place.standing()
    c = Conduct(place.asked(), place, place.whole(), _nobody, lambda event: None, standing)
    try:
        return replace(conduct(c), status=standing.status)
    except Unfinished:
        return c.found(standing.status)


def _carried_out(
    bench: Bench, whole: Recipe, model: Made | None, jobs: int, on: str, on_event: OnEvent | None
) -> Search:
    """Carries a search out from where it stands, and writes what was found."""
    place, left = bench.place, TimeLeft()

    def tell(event: SearchEvent) -> None:
        left.take(event)
        if on_event is not None:
            on_event(event)

    bench = replace(bench, tell=tell)
    with place.searching():
        standing = replace(place.standing(), status="running")
        place.stand(standing)
        c = Conduct(bench.asked, place, whole, _nobody, tell, standing, rows=len(bench.ground.rows["train"]))
        try:
            with hands(bench, model, jobs, on, left) as (c.carry, at_once):
                c.group = partial(grouped, bench, workers=at_once)
                found = conduct(c)
            if found.best is not None:
                write_atomic(place.path / BEST, _best(bench, found.best, found))
        except BaseException:
            place.stand(replace(c.standing, status="interrupted", seconds=c.seconds))
            raise
        write_page(account_of(found, c.seconds), place.path)
        place.stand(replace(c.standing, status="finished", seconds=c.seconds))
    return found


def _nobody(tasks: object, may_begin: object) -> Iterator[Result]:
    return iter(())


def _usual(ground: Ground, whole: Recipe, trials: int | None, epochs: int | None, subset: int | None) -> list[Stage]:
    """Many short trials, on a part of the rows where there are many; then fewer and longer ones; then a few whole ones on all."""
    rows, full, count = len(ground.rows["train"]), whole.train.epochs, trials or TRIALS
    some = (ENOUGH if rows > 2 * ENOUGH else 0) if subset is None else subset
    steps = min(some or rows, _training_rows(ground, whole)) / whole.train.batch_size
    shortest = min(full, 1 if steps >= STEPS else FIRST)
    lengths = [max(shortest, round((epochs * SHORTER[0] if epochs else full) / shorter)) for shorter in SHORTER[:-1]]
    coarse = [Stage(max(1, count >> i), min(length, full), some) for i, length in enumerate(lengths)]
    return as_stages([*coarse, Stage(max(1, count >> len(lengths)), full)])


def _training_rows(ground: Ground, whole: Recipe) -> int:
    """Of the training part, or of the subset that the recipe takes of it."""
    rows = len(ground.rows["train"])
    return min(rows, whole.data.subset or rows)


def _form(ground: Ground, written: Recipe) -> dict[str, object]:
    """Device, number format, layout and threads of every trial, found once: those of the recipe as it is."""
    asked = {"train.threads": written.train.threads or 1, "train.epochs": 1}
    lr = {"optim.lr": 1e-3} if written.optim.lr == "auto" else {}
    job = ground.job(edited(written, {**asked, **lr}))
    return {path: value_at(job.recipe, path) for path in (*PATHS, "train.device")}


def _placed(asked: Asked, whole: Recipe, out: Path | str | None) -> SearchFolder:
    """The folder: made new, or that of the same search, which is gone on with. Raises UsageError where it is of another."""
    if out is not None and SearchFolder.is_one(Path(out)):
        place = SearchFolder.open(Path(out))
        then, now = place.asked().to_json(), asked.to_json()
        other = [f"{n} {printable(now[n], 80)}, was {printable(then[n], 80)}" for n in now if now[n] != then[n]]
        if other:
            repair = "choose another place with --out, or go on with it by `dressage resume`"
            raise UsageError.of(out, f"holds another search ({'; '.join(other[:3])})", "expected a new folder", repair)
        return place
    return SearchFolder.create(None if out is None else Path(out), asked, to_toml(whole))


def _best(bench: Bench, best: Result, found: Search) -> str:
    """The winner's recipe, whole, with the reason of each value; what only a trial has is left to the usual."""
    edit = {**best.trial.edit, "train.epochs": best.trial.epochs}
    resolved = replace(bench.ground, form={}).resolved(edited(bench.asked.written, edit))
    comments = {path: f"{r.origin}: {r.why}" for path, r in resolved.reasons.items() if r.origin != "default"}
    for path in best.trial.edit:
        comments[path] = f"searched: trial {best.trial.number} of {found.folder.name}"
    return to_toml(resolved.recipe, comments)


def _require_counts(given: Mapping[str, int | None], least: int) -> None:
    for name, value in given.items():
        if value is not None and value < least:
            raise UsageError.of(name, f"{value} given", f"expected {least} or more", "leave it out")


def _require_validation(source: Source, ground: Ground) -> None:
    if "validation" not in ground.rows:
        found, expected = "there are no validation rows", "expected some to choose by"
        raise DataError.of(source.name, found, expected, "set data.validation above 0")

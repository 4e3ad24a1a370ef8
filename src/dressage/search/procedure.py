"""A search, readable as a list: open, ask, lay down, carry out, write what was found; and to go on, and to read it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from dressage.errors import RunError, UsageError, printable
from dressage.files import write_atomic
from dressage.ground import made_anew, open_ground
from dressage.jobfile import as_given
from dressage.models.foreign import Made
from dressage.prepare import ShowProgress, threads_kept
from dressage.recipe import Recipe, as_recipe, to_toml
from dressage.remedies import edited
from dressage.resolve import check_names, name_problems
from dressage.search.asked import Asked, Halving, Stage
from dressage.search.conduct import Conduct, Unfinished, conduct
from dressage.search.events import SearchEvent
from dressage.search.folder import BEST, SearchFolder
from dressage.search.found import Search
from dressage.search.groups import grouped
from dressage.search.hands import check_hands, hands
from dressage.search.page import write_page
from dressage.search.telling import account_of
from dressage.search.terms import Written, lay_down, terms_of
from dressage.search.time_left import TimeLeft
from dressage.search.trial import Result
from dressage.search.work import Bench
from dressage.search.worker import require_same

OnEvent = Callable[[SearchEvent], None]


def search(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    space: Written | None = None,
    sampler: str = "gp",
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
    texts `optim.lr=log:1e-5:1e-1`; without it rate, decay and dropout around the usual ones. `sampler`: gp, sobol, random, grid or
    optuna. `trials`, `epochs` and `subset` (training rows) are those of the first of three stages; `stages` names all of them,
    `["100x5@10000", "20x20"]`. `halving`, within a stage: successive or hyperband; none where no stages are named.
    The `finalists` best of the last stage are repeated with `repeats` other seeds. `first`: edits by path that are tried before
    any is drawn. `budget`: seconds after which no trial is begun. `jobs`: processes; 0: as many as fit, once they are worth their
    start. `on`: a Ray cluster in their place, `ray` or `ray://HOST:PORT`. `out`: folder of the search, `searches/<name>-<n>`
    without it; one that is there already is gone on with.
    Raises DataError, RecipeError or UsageError before anything is written; Interrupted with what was trained saved.
    """
    written = _written(recipe, seed)
    terms = terms_of(space, sampler, trials, epochs, subset, stages, halving, finalists, repeats, first, budget)
    check_hands(jobs, on, as_given(data), model)
    with threads_kept():
        ground = open_ground(data, y, written, None, made_anew(model), progress)
        if ground.start is not None:  # as data.json has the data: a search goes on from any folder
            written = edited(written, {"transfer.source": ground.start.where})
        whole = ground.whole(written)
        asked = lay_down(terms, ground, written, whole, as_given(data), own_model=model is not None)
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


def _written(recipe: Recipe | Mapping[str, object] | None, seed: int | None) -> Recipe:
    """The recipe as it was given, with the seed of the search. Raises RecipeError."""
    written = as_recipe(recipe, also=name_problems)
    written = written if seed is None else edited(written, {"seed": seed})
    check_names(written)
    return written


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

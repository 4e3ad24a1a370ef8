"""Steps 4 to 7: coarse trials of rate and decay, then finer and longer ones, round after round. DR10, L6, C784."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dressage.recipe import Recipe
from dressage.remedies import edited
from dressage.resolve import value_at
from dressage.search.found import Search
from dressage.search.space import Space, default_space, texts_of
from dressage.search.stages import narrow
from dressage.search.trial import Result, best_of, ranked, ranked_by_rung
from dressage.search.tune import sizes
from dressage.search.tune.course import Course
from dressage.search.tune.curves import look
from dressage.search.tune.doubt import error_of_rows, row_scores
from dressage.search.tune.sizes import Pace, Size
from dressage.search.tune.steps import Step
from dressage.search.tune.words import LOSS, edit_text, score_text

FIRST = ("optim.lr", "regularize.weight_decay")
"""What coarse trials vary."""
ROUNDS = 4  # of fine trials at most
WORTH = 0.15  # of the budget that has to be left for another round
CARRIED = 3  # best trials of a round that the next one tries again, for longer

Edit = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Searched:
    """What the rounds have found."""

    searches: list[Search]
    usual: Edit
    """The edit that stands for the recipe as it is: it is tried in every round."""


def carry_out(c: Course, pace: Pace, whole: Recipe, rate: float, spare: float) -> Searched:
    """The rounds, from where they stand; `spare` seconds are kept for what follows."""
    space = default_space(edited(whole, {"optim.lr": rate}))
    usual = {path: value_at(whole, path) for path in space}
    usual["optim.lr"] = rate if usual["optim.lr"] == "auto" else usual["optim.lr"]
    searches = [_coarse(c, pace, space, usual, spare)]
    if best_of(searches[0].results) is None:
        return Searched([], usual)
    remedies: Sequence[Edit] = ()
    for number in range(1, ROUNDS + 1):
        goes_on, remedies = _round(c, pace, number, Known(space, usual, searches, remedies), spare)
        if not goes_on:
            break
    return Searched(searches, usual)


@dataclass(frozen=True, slots=True)
class Known:
    """What a round begins with."""

    space: Space
    usual: Edit
    searches: list[Search]
    """Those before it, to which it adds its own."""
    remedies: Sequence[Edit]


def _round(c: Course, pace: Pace, number: int, known: Known, spare: float) -> tuple[bool, Sequence[Edit]]:
    """Steps 5 to 7: whether there is another round, and what it is to try."""
    found = _fine(c, pace, f"fine-{number}", known, spare)
    if found is None:
        said = f"{c.left:.0f} s of {c.asked.budget:.0f} are left"
        c.step(f"decision-{number}", lambda: Step(7, (said,), "stop: too little for longer trials", False))
        return False, ()
    known.searches.append(found)
    seen = c.step(f"curves-{number}", lambda: look(_ended(found), c.given, c.left))
    remedies = [dict(edit) for edit in seen.facts["edits"]]
    return c.step(f"decision-{number}", lambda: _decision(c, pace, known.searches, remedies, spare)).goes_on, remedies


def _coarse(c: Course, pace: Pace, space: Space, usual: Edit, spare: float) -> Search:
    """Step 4."""
    ranges = {path: range_ for path, range_ in space.items() if path in FIRST}
    edit = {path: usual[path] for path in ranges}
    found = c.searched("coarse", lambda: _plan(sizes.coarse(pace, c.left - spare), texts_of(ranges), [edit], "none"))
    assert found is not None
    c.step("coarse", lambda: _told(4, found, edit))
    return found


def _fine(c: Course, pace: Pace, name: str, known: Known, spare: float) -> Search | None:
    """Step 5; None where there is too little time for longer trials."""
    before = known.searches[-1]

    def plan() -> dict[str, Any] | None:
        size = sizes.fine(pace_seen(pace, before), c.left - spare, before.asked.plan[-1].epochs)
        if size is None:
            return None
        ranges = {**known.space, **narrow(before.stages[-1].space, before.results)[0]}
        best = [r.trial.edit for r in ranked_by_rung(before.results)[:CARRIED]]
        tried = [{**known.usual, **edit} for edit in (known.usual, *best, *known.remedies)]
        return _plan(size, texts_of(ranges), tried, "successive")

    found = c.searched(name, plan)
    if found is not None:
        c.step(name, lambda: _told(5, found, known.usual))
    return found


def pace_seen(pace: Pace, found: Search) -> Pace:
    """The pace, as the trials of a search have shown it."""
    rows = found.asked.plan[-1].rows
    return pace.after(found.results, rows / pace.rows if rows else 1.0)


def _plan(size: Size, space: list[str], first: Sequence[Edit], halving: str) -> dict[str, Any]:
    return {
        "space": space,
        "stages": [size.stage],
        "sampler": "sobol",
        "halving": halving,
        "first": unlike(first)[: max(1, size.trials // 2)],
        "finalists": 0,
        "repeats": 0,
        "budget": round(size.seconds, 1),
    }


def unlike(edits: Sequence[Edit]) -> list[dict[str, object]]:
    """Each once, in their order."""
    return [dict(edit) for i, edit in enumerate(edits) if edit not in edits[:i]]


def _told(number: int, found: Search, usual: Edit) -> Step:
    """What a search saw, and where the next one looks."""
    results, stage = found.results, found.asked.plan[-1]
    states = [f"{n} {name}" for name in ("stopped", "failed") if (n := sum(r.state == name for r in results))]
    rows = f" on {stage.rows:,} rows" if stage.rows else ""
    epochs = f"{stage.epochs} epoch{'s' * (stage.epochs > 1)}"
    planned = f" (of {stage.trials} planned: there was no time for more)" if len(results) < stage.trials else ""
    saw = [f"{len(results)} trials{planned} of {epochs}{rows}" + (f", {' and '.join(states)} early" if states else "")]
    best = best_of(results)
    if best is None:
        said = "stop: no trial came to its end; see `dressage check`"
        return Step(number, (*saw, *{r.reason for r in results if r.reason}), said, False)
    saw.append(f"best: {_words(best, found.metric)}")
    as_it_is = next((r for r in results if r.trial.edit == usual), None)
    if as_it_is is not None and as_it_is is not best:
        saw.append(f"the recipe as it is: {_words(as_it_is, found.metric)}")
    _, told = narrow(found.stages[-1].space, results)
    return Step(number, tuple(saw), "next: " + "; ".join(told))


def _words(result: Result, metric: str) -> str:
    ended = "" if result.state == "done" else f" ({result.state} after {result.epoch} epochs)"
    cost = "" if metric == LOSS else f", cost {result.cost:.4g}"
    return f"{score_text(metric, [result.score])}{cost} with {edit_text(result.trial.edit)}{ended}"


def _decision(c: Course, pace: Pace, searches: Sequence[Search], remedies: Sequence[Edit], spare: float) -> Step:
    """Step 7: another round where there is time and something to gain; the comparison with the recipe as it is where not."""
    now, before = (best_of(s.results) for s in (searches[-1], searches[-2]))
    if now is None or before is None:
        return Step(7, ("no trial came to its end",), "stop: the round before is the last that counts", False)
    gain, noise = now.score - before.score, error_of_rows(row_scores(c, now))
    on = f"{gain:+.2g} on the round before; a standard error over the validation rows is {noise:.2g}"
    saw = [f"best {score_text(searches[-1].metric, [now.score])}, {on}"]
    left = c.left - spare
    saw.append(
        f"{c.left:.0f} s of {c.asked.budget:.0f} are left"
        + (f", {spare:.0f} of them for the comparison and the last training" if left else "")
    )
    _, told = narrow(searches[-1].stages[-1].space, searches[-1].results)
    at_edge = any(": WIDENED" in line for line in told)
    reason = "the best lies at an edge" if at_edge else "it is still getting better" if gain > noise else ""
    reason = reason or ("the curves name a remedy" if remedies else "")
    if not reason:
        return Step(7, tuple(saw), "stop: what was gained is within the noise", False)
    if (
        left < WORTH * c.asked.budget
        or sizes.fine(pace_seen(pace, searches[-1]), left, searches[-1].asked.plan[-1].epochs) is None
    ):
        return Step(7, tuple(saw), f"stop: {reason}, but there is no time for another round", False)
    if len(searches) > ROUNDS:
        return Step(7, tuple(saw), f"stop: {reason}, but {ROUNDS} rounds are enough", False)
    return Step(7, tuple(saw), f"go on: {reason}")


def _ended(found: Search) -> list[Result]:
    """The trials that came to their end, best first."""
    return [r for r in ranked(found.results) if r.state == "done" and r.curve]

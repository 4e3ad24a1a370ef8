"""The end of a tuning: the best against the recipe as it is, whole trainings with several seeds; a tie leaves the recipe alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dressage.search.found import Search
from dressage.search.judge import Standing
from dressage.search.space import texts_of
from dressage.search.trial import ranked_by_rung
from dressage.search.tune import sizes
from dressage.search.tune.course import Course
from dressage.search.tune.doubt import difference, row_scores
from dressage.search.tune.rounds import Searched, pace_seen, unlike
from dressage.search.tune.sizes import Pace
from dressage.search.tune.steps import Step
from dressage.search.tune.words import edit_text, score_text

CANDIDATES = 2  # beside the recipe as it is
LEAST = 0.05  # of the budget that a comparison may take whatever is left
SURE = 2.0  # standard errors that a gain has to exceed: the candidate was chosen as the best of many on the same rows
LONG_ENOUGH = 1 / 3  # of a whole training, from which a comparison says something of it


@dataclass(frozen=True, slots=True)
class Chosen:
    """The edit that is kept, empty for none, and why."""

    edit: Mapping[str, object]
    why: str


def compare(c: Course, pace: Pace, known: Searched, spare: float) -> Chosen:
    """Trains the candidates and the recipe as it is side by side, and keeps what is better by more than noise."""
    last = known.searches[-1]
    tried = [known.usual, *({**known.usual, **r.trial.edit} for r in ranked_by_rung(last.results))]
    edits = unlike(tried)[1 : 1 + CANDIDATES]
    if not edits:
        return Chosen({}, "nothing else than the recipe as it is came to its end")

    def plan() -> dict[str, Any]:
        left = max(c.left - spare, LEAST * c.asked.budget)
        count, epochs, repeats = sizes.final(pace_seen(pace, last), left)
        candidates = [dict(known.usual), *edits][:count]
        return {
            "space": texts_of(last.stages[-1].space),
            "stages": [f"{len(candidates)}x{epochs}"],
            "sampler": "sobol",
            "halving": "none",
            "first": candidates,
            "finalists": len(candidates),
            "repeats": repeats,
            "budget": round(left, 1),
        }

    found = c.searched("final", plan)
    assert found is not None
    chosen: list[Chosen] = []

    def judged() -> Step:
        chosen.append(_judged(c, found, pace))
        facts = {"edit": dict(chosen[0].edit), "why": chosen[0].why}
        return Step(7, tuple(_lines(found)), f"kept: {chosen[0].why}", False, facts)

    step = c.step("comparison", judged)
    return Chosen(dict(step.facts["edit"]), str(step.facts["why"]))


def _judged(c: Course, found: Search, pace: Pace) -> Chosen:
    """The best, unless it cannot be told from the recipe as it is, which is trial 0."""
    standings = _standings(found)
    own, best = standings.get(0), found.verdict.best if found.verdict else None
    if best is None or best.number == 0:
        return Chosen({}, "the recipe as it is; nothing that was tried is better")
    edit = next(dict(r.trial.edit) for r in found.results if r.trial.number == best.number)
    if own is None:
        return Chosen(edit, f"candidate {best.number}; the recipe as it is did not come to its end")
    epochs = found.asked.plan[-1].epochs
    if epochs < LONG_ENOUGH * pace.epochs:
        said = f"{epochs} of {pace.epochs} epochs, too few to say that another one is better"
        return Chosen({}, f"the recipe as it is: there was time for {said}; give more with --budget")
    assert found.verdict is not None
    gain, error = difference(_trainings(c, found, best), _trainings(c, found, own), found.verdict.noise)
    usual = score_text(found.metric, [own.mean]).split()[-1]
    said = f"{score_text(found.metric, [best.mean])} against {usual} of the recipe as it is"
    said += f", standard error {error:.2g} {'by seeds and rows' if found.verdict.freedom else 'by the rows alone'}"
    if gain > SURE * error:
        return Chosen(edit, f"candidate {best.number}: {said}")
    return Chosen({}, f"the recipe as it is: the best, candidate {best.number}, cannot be told from it ({said})")


def _trainings(c: Course, found: Search, standing: Standing) -> list[Tensor]:
    """Of each training that its mean is of, what each validation row adds to the score: those with other seeds, if any."""
    first = [r for r in found.results if r.trial.number == standing.number]
    again = [r for r in found.repeats.get(standing.number, ()) if r.counts]
    return [row_scores(c, result) for result in again or first]


def _standings(found: Search) -> dict[int, Standing]:
    verdict = found.verdict
    return {} if verdict is None else {s.number: s for s in (verdict.best, *verdict.others)}


def _lines(found: Search) -> list[str]:
    stage, lines = found.asked.plan[-1], []
    edits = {r.trial.number: r.trial.edit for r in found.results}
    for number, s in sorted(_standings(found).items()):
        scores = [s.first, *s.repeats]
        name = "the recipe as it is" if number == 0 else f"candidate {number}, {edit_text(edits[number])}"
        trainings = "1 training" if len(scores) == 1 else f"{len(scores)} trainings"
        lines.append(f"{name}: {score_text(found.metric, scores)} in {trainings} of {stage.epochs} epochs")
    return lines or ["no training came to its end"]

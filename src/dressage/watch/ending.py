"""What only the end of a training can tell: that it stopped too soon, that its rate was gone too soon, that it is too small."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

from torch.optim import Optimizer

from dressage.findings import Finding
from dressage.subject import Lab, Outcome, advance, metric_of, outputs_of
from dressage.watch.by_heart import by_heart
from dressage.watch.capacity import bottleneck, too_small
from dressage.watch.case import ALL_SUSPECTS, Case
from dressage.watch.edits import Edit
from dressage.watch.few_passes import few_passes, stopped
from dressage.watch.gap import begun_badly
from dressage.watch.guarded import guarded
from dressage.watch.rules.curves import still_falling
from dressage.watch.rules.schedule import STILL, fell_until, rate_gone
from dressage.watch.rules.symptoms import oscillation, update_ratio
from dressage.watch.shut import Scores, shut_units
from dressage.watch.struggle import factor_of
from dressage.watch.suspects import HARDLY, SOUND
from dressage.watch.tournament import Race
from dressage.watch.unpaired import unpaired
from dressage.watch.weighted import is_weighted

COLLAPSED = 1e-2
"""Share of the highest rate below which nothing is learned any more."""
POINTS = 0.1
"""Of the metric, that going on has to gain: a training that was stopped a little early gains less than 8 points."""

MADE_UP = 0.07
"""What it has to gain where that is half of what the network is behind simple models by."""
BEHIND = 0.2
"""Points behind simple models after going on, that a longer training will hardly make up."""
MUCH, LONGEST = 8, 2000
"""Times as many steps that are tried where as many again are too few, and how many at most."""
MANY = 1 << 16
"""Training rows that are gone on with, at most: of few a copy learns what does not hold for validation rows."""
ENOUGH = 100
"""Validation rows from which a change of their score is told."""


def at_the_end(case: Case, known: list[Finding]) -> list[Finding]:
    """Findings of a training that is over, given those that are found already."""
    if case.telemetry.nonfinite is not None:
        return []
    causes = [f for f in known if f.is_harmful and not f.id.startswith(("eval.", "data.leak", "pipe."))]
    if causes:
        return []
    is_of_few = _is_of_few(case)
    is_alone = is_of_few or case.lab(start=False) is None
    if is_alone and (gone := rate_gone(case.telemetry)):
        return gone
    if is_of_few:  # whatever goes on learns a few rows by heart
        case.notes.append("length and size of the training: for its data stand a few rows of the batches")
        return guarded(case, schedule_collapsed) or guarded(case, begun_badly)
    if collapsed := guarded(case, schedule_collapsed):
        return collapsed  # a loop that stands still has learned as little as one whose pairs are torn
    is_well = not any(f.is_harmful for f in known)
    swings = bool(
        oscillation(case.telemetry)
    )  # what overshoots does not want a longer training, which would take the time
    found = (
        (guarded(case, unpaired) if is_well else [])
        or (guarded(case, begun_badly) if swings else [])
        or guarded(case, _shut_or_small)
        or guarded(case, _too_short_or_small)
    )
    if any(f.id != "eval.underfit" for f in found):
        return found
    begun = [] if swings else guarded(case, lambda c: begun_badly(c, too_fast=not found))
    return begun or found or (guarded(case, by_heart) if is_well else [])


def _is_of_few(case: Case) -> bool:
    """Whether a few rows of several inputs stand for the data."""
    return case.replayed.unfold is not None and case.nodes.index is None


def _shut_or_small(case: Case) -> list[Finding]:
    """Shut units, but for a layer so narrow that a wider one does better than they do open: in few units chance shuts some."""
    shut = shut_units(case, lambda lab, steps: _again(case, lab, steps))
    return (bottleneck(case, shut[0].numbers["mended"]) if shut else []) or shut


def _again(case: Case, lab: Lab, steps: int) -> Scores:
    """What a lab reaches in so many steps, on training rows and on validation rows where there are enough."""
    outcome = advance(lab, steps, deadline=case.deadline(5))
    if outcome.diverged or math.isnan(outcome.metric):
        return Scores(-math.inf, -math.inf)
    return Scores(outcome.metric, _on_validation(case, lab, outcome).metric)


def _too_short_or_small(case: Case) -> list[Finding]:
    """A longer training that would still be far behind simple models is no remedy: then the network's size is asked about first."""
    short = too_few_epochs(case)
    if not short:
        small = too_small(case)
        if not any(f.id == "eval.underfit" for f in small):
            return small or guarded(case, few_passes)
        return too_slow(case) or guarded(case, few_passes) or small
    after = short[0].numbers["after"]
    if not math.isnan(after) and (narrow := bottleneck(case, after)):
        return narrow
    if case.was_cut_short():
        return []
    return short if _comes_near(case, after) else too_small(case)


def _comes_near(case: Case, after: float) -> bool:
    """Whether going on, or going on much longer, comes near what simple models reach."""
    known = case.baselines
    if known is None or not known.tells or not after < known.best.score - BEHIND:
        return True
    much = _gone_on(
        case, "much longer", case.optimizer.param_groups[0].get("lr", 0.0), MUCH * max(120, case.telemetry.step)
    )
    return much is not None and not much.diverged and much.metric >= known.best.score - BEHIND


def schedule_collapsed(case: Case) -> list[Finding]:
    """The rate fell to nothing while there was still much to learn, and with the rate put back it is learned.

    Not of a few rows of batches without validation rows: a copy learns them by heart.
    """
    if _is_of_few(case) and case.subject.validation is None:
        return []
    rates = case.telemetry.rates
    highest = max((rate for _, rate in rates), default=0.0)
    gone, left = next(((step, rate) for step, rate in rates if rate < COLLAPSED * highest and step > 1), (0, 0.0))
    last = case.telemetry.step
    if not gone or highest <= 0 or rates[-1][1] >= COLLAPSED * highest or last - gone < max(20, 0.2 * last):
        return []
    reached = _gone_on(case, "collapsed", highest)
    if reached is None or not (_gains(case, reached) or _makes_up(case, reached) or _falls_again(case, reached, gone)):
        return []
    return [
        Finding(
            "optim.schedule_collapsed",
            "warning",
            "schedule",
            f"the rate fell from {highest:.3g} to {left:.2g} by step {gone} of {last}; {reached.steps} steps at "
            f"{highest:.3g} from where it stands bring {_told(reached)}",
            "the schedule had used up the learning rate long before the training was over",
            "step the schedule once an epoch, or set its length to the whole training",
            step=gone,
            code="scheduler.step() once an epoch, T_max=total steps",
            confidence=0.9,
        )
    ]


def _falls_again(case: Case, reached: Outcome, gone: int) -> bool:
    """Where only the loss tells: it fell while there was a rate, stood still without, and falls again with it.

    By much of the way that it had come: a few rows are learned by heart beside that.
    """
    if not case.tells_by_loss_alone or reached.diverged:
        return False
    first, left, fall = fell_until(case.telemetry, gone)
    return fall > STILL * (first - left) > 0 and reached.before - reached.after > STILL * (first - left)


def too_few_epochs(case: Case) -> list[Finding]:
    """The loss was still falling when the training ended, and as many steps again gain much."""
    ratio = update_ratio(case.telemetry)
    if not math.isnan(ratio) and ratio < 3e-5:
        return []  # at that rate no length would do
    rates = [rate for _, rate in case.telemetry.rates]
    highest, now = max(rates, default=0.0), min([*rates[-1:], case.optimizer.param_groups[0].get("lr", math.inf)])
    if now < 0.1 * highest:
        return []  # it was annealed: its end was meant
    if case.gathered is not None and not still_falling(case.telemetry.losses) > 0:
        return []  # the few rows that stand for the data are learned better by going on, whatever the training did
    reached = _gone_on(case, "longer", now)
    if reached is None or not (_gains(case, reached) or _makes_up(case, reached)):
        return []
    told = f"after the {case.telemetry.step} steps of the training, {reached.steps} more bring {_told(reached)}"
    return [stopped(case, told, before=reached.metric_before, after=reached.metric)]


def too_slow(case: Case) -> list[Finding]:
    """A loss that has hardly moved, where going on at the rate that did best in trials learns what going on as it is does not."""
    seen, tried = case.telemetry, case.memory.get(ALL_SUSPECTS)
    if (
        not isinstance(tried, Race)
        or update_ratio(seen) > SOUND
        or not fmean(seen.recent()) > HARDLY * seen.first() > 0
    ):
        return []
    higher = [(c, r) for c, r in tried.of("optim.lr_too_low") if r.loss < tried.control.loss]
    rate = float(case.optimizer.param_groups[0].get("lr", math.nan))
    as_it_is = _gone_on(case, "longer", rate)
    if not higher or as_it_is is None:
        return []
    change, _ = min(higher, key=lambda tried: tried[1].loss)
    reached = _gone_on(case, change.name, rate * factor_of(change))
    if (
        reached is None
        or reached.diverged
        or not reached.metric > max(as_it_is.metric, as_it_is.metric_before) + POINTS
    ):
        return []
    better = f"{rate * factor_of(change):.2g}"
    return [
        Finding(
            change.id,
            "warning",
            change.where,
            f"after {seen.step} steps the loss is {fmean(seen.recent()):.3g}, at first {seen.first():.3g}; {reached.steps} steps "
            f"more bring {_told(reached)} at {change.name}, and as it is {_told(as_it_is)}",
            change.cause,
            change.remedy,
            {"optim.lr": float(better)},
            step=seen.step,
            code=f"lr={better}",
            confidence=0.85,
            numbers={
                "before": reached.metric_before,
                "after": reached.metric,
                "as_it_is": as_it_is.metric,
                "rate": rate,
            },
        )
    ]


def _gone_on(case: Case, key: str, rate: float, steps: int = 0) -> Outcome | None:
    """As many steps again (or `steps`) from where the training stands, at a rate; judged on validation rows where there are."""
    lab = case.lab(start=False)
    if lab is None:
        return None
    going_on = lab.changed(lambda model, optimizer: _set_rate(optimizer, rate))
    steps = min(LONGEST, steps) if steps else min(400, max(120, case.telemetry.step))
    found = case.proven(f"{key} {case.telemetry.step}", lambda: _judged_on(case, going_on, steps))
    return found if isinstance(found, Outcome) else None


def _judged_on(case: Case, lab: Lab, steps: int) -> Outcome:
    return _on_validation(case, lab, advance(lab, steps, deadline=case.deadline(5)))


def gone_on_with(case: Case, key: str, edit: Edit, steps: int) -> Outcome | None:
    """So many steps from where the training stands with a change; None where there are no validation rows to judge it by."""
    lab, validation = case.lab(start=False, most=MANY), case.subject.validation
    if lab is None or lab.metric is None or validation is None or len(validation) < ENOUGH or not case.has_judge:
        return None
    changed = edit(lab)
    if changed is None:
        return None
    found = case.proven(f"{key} {case.telemetry.step}", lambda: _judged_on(case, changed, steps))
    return found if isinstance(found, Outcome) else None


def _on_validation(case: Case, lab: Lab, outcome: Outcome) -> Outcome:
    validation = case.subject.validation
    if validation is None or len(validation) < ENOUGH or lab.metric is None or outcome.model is None:
        return replace(outcome, model=None)  # a few rows move a score by more than what is looked for
    rows = validation.head(2048)
    after = metric_of(lab.metric, outputs_of(outcome.model, rows.x).cpu(), rows.y)
    return replace(outcome, metric_before=case.validation_metric(), metric=after, model=None)


def _set_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _gains(case: Case, outcome: Outcome) -> bool:
    """Whether going on brings much: of the metric, or, where there is none, of what the loss was at first."""
    if outcome.diverged or case.tells_by_loss_alone:  # of a few rows: their loss falls as they are learned by heart
        return False
    fallen = (outcome.before - outcome.after) / max(abs(outcome.before), 1e-12)
    if math.isnan(outcome.metric) or math.isnan(outcome.metric_before):
        if outcome.after < 0:  # of what has no least value, or another one than 0, no share says how much is left
            return False
        return fallen > 0.4 and outcome.before - outcome.after > POINTS * abs(case.telemetry.first())
    return outcome.metric - outcome.metric_before > POINTS and fallen > 0.03


def _makes_up(case: Case, outcome: Outcome) -> bool:
    """Whether going on gains half as much, and half of what the network is behind simple models by.

    Not under a loss that weighs its classes: it asks for the rare ones at the price of right answers, which simple models do not.
    """
    known, lab = case.baselines, case.lab(start=False)
    if lab is not None and is_weighted(case, lab):
        return False
    if known is None or not known.tells or outcome.diverged:
        return False
    lag, gained = known.best.score - outcome.metric_before, outcome.metric - outcome.metric_before
    return lag > max(POINTS / 2, 2 * known.best.error) and gained > max(MADE_UP, lag / 2)


def _told(outcome: Outcome) -> str:
    metric = "" if math.isnan(outcome.metric) else f", metric from {outcome.metric_before:.3f} to {outcome.metric:.3f}"
    return f"the loss from {outcome.before:.3g} to {outcome.after:.3g}{metric}"

"""A training that does not learn as it should, and which cause the tournament supports."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

from dressage.findings import Finding
from dressage.preflight.data_scale import OFFSET, scale_of
from dressage.preflight.known import baselines_of
from dressage.preflight.loss_form import gives_back
from dressage.subject import Subject, copy_of, metric_of, outputs_of
from dressage.subject.baselines import Baselines
from dressage.watch.case import BASELINE_SECONDS, RACED_ROWS, Case
from dressage.watch.changes import Change
from dressage.watch.edits import LARGER
from dressage.watch.rules.curves import still_falling
from dressage.watch.rules.layers import dead_units, saturated
from dressage.watch.rules.symptoms import gradient_ratio
from dressage.watch.suspects import HARDLY, VANISHED, is_slow
from dressage.watch.tournament import (
    LITTLE,
    LOSS,
    MANY_POINTS,
    POINTS,
    SURE_GONE,
    SURE_LOSS,
    SURE_POINTS,
    Race,
    Run,
    race,
    repeated,
)

SHARES = 0.95
"""Of what a guess by the shares of the classes costs, above which a loss has learned nothing else."""
SETTLED = 200
"""Steps before which a training that does not get better by the step is not taken for one that has settled."""

NOTHING = 0.05
"""R² up to which outputs are the mean of the targets and no more."""
BEGUN = 30
"""Steps before which a loss that does not fall yet calls for nothing."""
MOMENTUM, SMALL = "optim.momentum_too_high", "optim.bn_small_batch"
SUSPECTS = (MOMENTUM, SMALL)
"""Changes that apply to settings which good trainings hardly ever have."""
MENDS = ("model.init_too_large", "optim.vanishing_gradients", "data.unscaled_inputs", "optim.lr_too_high")
"""Changes that bring dead or saturated units back."""
SUSPECT_POINTS = 0.02
ALIKE = 0.9
"""Share of the best gain, with which a rate does as well."""
SLOWER = 0.1
"""Points by which inputs of a sound size must do better standardised: a few are gained sooner by any of them."""


def struggles(case: Case, symptoms: list[Finding], *, end: bool) -> str:
    """Why one should look at the rates and their like, in words; empty where the training does well."""
    waits = not end and (case.telemetry.step < BEGUN or _warms_up(case))
    for finding in symptoms:
        if finding.id in ("sym.nonfinite_loss", "sym.loss_increasing") or (
            finding.id == "sym.loss_not_decreasing" and not waits
        ):
            return finding.evidence
    early = case.anneals or len(case.telemetry.losses) < SETTLED
    if not end and (early or still_falling(case.telemetry.losses) > 0):
        return ""
    _, metric = case.now()
    known = case.baselines
    if (
        known is not None
        and known.tells
        and not math.isnan(metric)
        and metric < known.best.score - max(POINTS, 2 * known.best.error)
    ):
        return f"training metric {metric:.3f}, where {known.best.name} reaches {known.best.score:.3f} on rows not seen"
    each = (_behind(case, name, subject) for name, subject in case.subject.each.items())
    return gives_nothing_back(case) or next(filter(None, each), "") or (knows_shares_alone(case) if end else "")


def knows_shares_alone(case: Case) -> str:
    """Whether a network that no simple model is held against has learned the shares of the classes and no more, in words."""
    seen, told = case.telemetry, case.naive_loss()
    if case.baselines is not None or len(seen.losses) < SETTLED or not fmean(seen.recent()) > SHARES * told > 0:
        return ""
    now = f"the loss is {fmean(seen.recent()):.4g} after {seen.step} steps"
    return f"{now}, where the shares of the classes alone cost {told:.4g}"


def gives_nothing_back(case: Case) -> str:
    """Whether a network that is to give back its inputs has learned no more than their mean, in words: more can be learned."""
    rows, named = case.subject.train, case.subject.metric
    if rows is None or named is None or named.name != "r2" or len(case.telemetry.losses) < SETTLED:
        return ""
    if not gives_back(rows) or not (metric := case.now()[1]) < NOTHING:
        return ""
    return f"the inputs are to be given back, and R² is {metric:.3f} on training rows after {case.telemetry.step} steps"


def _warms_up(case: Case) -> bool:
    """Whether the rate is still rising: that little is learned yet is meant."""
    rates = [p.rate for p in case.telemetry.probes]
    return len(rates) > 1 and rates[-1] > rates[-2]


def _behind(case: Case, name: str, subject: Subject) -> str:
    """Whether one of several targets is answered worse than by a simple model of its own, in words."""
    known = case.proven(f"baselines {name}", lambda: baselines_of(subject, case.deadline(BASELINE_SECONDS)))
    if not isinstance(known, Baselines) or not known.tells or subject.train is None or subject.metric is None:
        return ""
    rows = subject.train.head(RACED_ROWS)
    metric = metric_of(subject.metric, outputs_of(copy_of(subject.model), rows.x).cpu(), rows.y)
    if not metric < known.best.score - max(POINTS, 2 * known.best.error):
        return ""
    unit = subject.metric.name
    return (
        f"{name}: training {unit} {metric:.3f}, where {known.best.name} reaches {known.best.score:.3f} on rows not seen"
    )


def supported(case: Case, why: str, *, end: bool) -> list[Finding]:
    """The cause whose change makes the training learn, and the others that do so nearly as well, as notes."""
    steps = min(200, max(30, case.telemetry.step))
    found = race(case, steps)
    if found is None:
        return []
    loss, metric = actual(case)
    helped = [(c, r, _gain(r, found, loss, metric)) for c, r in found.tried]
    helped = [h for h in helped if h[2] > 0 and _is_believable(h[0], h[1], found, case, end=end)]
    if not helped:
        return []
    most = max(gain for _, _, gain in helped)
    near = [h for h in helped if h[2] >= 0.75 * most]
    first = max(near, key=lambda h: (h[0].prior, h[2]))
    alike = [h for h in near if h[0].id == first[0].id and h[2] >= ALIKE * first[2]]
    change, run, gain = min(alike, key=lambda h: _size(h[0]))
    return [finding_of(case, change, run, found, why, gain)]


def suspected(case: Case, *, end: bool) -> list[Finding]:
    """What is out of the ordinary in a training that does not do badly, where it does clearly better without it.

    Small batches are only slower on the way: what they cost is told at the end.
    """
    inside = next(iter([*dead_units(case.telemetry), *saturated(case.telemetry)]), None)
    only = SUSPECTS + (MENDS if inside is not None else ())
    found = race(case, min(200, max(60, case.telemetry.step)), only=only)
    if found is None or case.telemetry.nonfinite is not None:
        return []
    loss, metric = actual(case)
    reached = [found.control.loss, loss]
    for change, run in found.tried:
        fallen = (min(reached) - run.loss) / max(abs(min(reached)), 1e-12)
        points = run.metric - max(found.control.metric, metric)
        took_less = change.id == MOMENTUM and run.steps < case.telemetry.step / 2
        wanted = LITTLE if took_less else LOSS  # in half of the steps any gain is enough
        if run.diverged or fallen <= wanted or points <= SUSPECT_POINTS or (change.id == SMALL and not end):
            continue
        if change.id == SMALL and not _by_statistics(case, run):
            continue
        if change.id in SUSPECTS or inside is None:
            return [finding_of(case, change, run, found, "a setting out of the ordinary", points)]
        told = f"{inside.evidence}; {run.steps} steps with {change.name} come to loss {run.loss:.3g}"
        return [replace(inside, evidence=f"{told}{_metric(case, run.metric)}, as it is {found.control.loss:.3g}")]
    return []


def actual(case: Case) -> tuple[float, float]:
    """Loss and metric that the training has come to; without end where its numbers are not finite."""
    loss, metric = case.now()
    if case.telemetry.nonfinite is not None or not math.isfinite(loss):
        return math.inf, -math.inf
    return loss, metric


def _gain(run: Run, found: Race, loss: float, metric: float) -> float:
    """By how much a change beats both the control and the training itself, in points or share of the loss; 0 if not."""
    if run.diverged or (found.control.diverged and run.loss > run.before):
        return 0.0  # that it has not overflowed yet is no proof
    reached = min(found.control.loss, loss)
    fallen = 1.0 if math.isinf(reached) else (reached - run.loss) / max(abs(reached), 1e-12)
    best = max(found.control.metric, metric)
    if fallen > SURE_GONE and not run.metric < best:
        return max(POINTS, run.metric - best) if math.isfinite(run.metric - best) else POINTS
    if math.isnan(run.metric) or math.isnan(best):
        return fallen if fallen > LOSS else 0.0
    points = 1.0 if math.isinf(best) else run.metric - best
    if (points > POINTS and fallen > LOSS) or (points > MANY_POINTS and fallen > LITTLE):
        return points
    return SURE_POINTS if points > SURE_POINTS and fallen > SURE_LOSS and run.metric - metric > POINTS else 0.0


def _is_believable(change: Change, run: Run, found: Race, case: Case, *, end: bool) -> bool:
    """Whether the rest of the evidence agrees."""
    control = found.control
    if change.id == "optim.lr_too_low":
        hardly = control.loss > (HARDLY if end or case.telemetry.step >= 300 else 0.98) * control.before
        return hardly and not control.diverged and is_slow(case.telemetry)
    if change.id == SMALL:
        return _by_statistics(case, run)
    if change.id == "data.unscaled_inputs" and is_sound(case):  # then it is not they that close the units inside
        return not run.metric - control.metric < SLOWER and not saturated(case.telemetry)
    if change.id == "optim.vanishing_gradients":
        return gradient_ratio(case.telemetry) < VANISHED
    if change.id == "optim.exploding_gradients":
        lower = min((r.loss for _, r in found.of("optim.lr_too_high")), default=math.inf)
        clipped = min((r.loss for _, r in found.of(change.id)), default=math.inf)
        return (control.diverged or control.loss > 100 * clipped) and lower > max(3 * clipped, 0.0)
    return True


def is_sound(case: Case) -> bool:
    """Whether the inputs have a size of about 1 and lie about 0: standardised they are learned from sooner, as any are."""
    rows = case.subject.train
    scale = None if rows is None else scale_of(rows.x)
    return scale is not None and not scale.is_off and scale.offset < OFFSET


def _by_statistics(case: Case, run: Run) -> bool:
    """Whether larger batches win by what norms see: as many rows a step, in passes of the loop's own size, do not do as well."""
    lab = case.lab(start=True)
    if lab is None:
        return False
    size = min(LARGER, len(lab.x))
    pieces = replace(lab, batch_size=size, pieces=max(1, size // lab.batch_size))
    found = case.proven(f"pieces {run.steps}", lambda: repeated(pieces, run.steps))
    if not isinstance(found, Run) or found.diverged:
        return isinstance(found, Run)
    return run.metric - found.metric > SUSPECT_POINTS and run.loss < (1 - LOSS) * found.loss


def _size(change: Change) -> float:
    """How far a change goes: of rates that do as well the nearest to the loop's own is told."""
    return abs(math.log(factor_of(change))) if change.id.startswith("optim.lr_") else 0.0


def finding_of(case: Case, change: Change, run: Run, found: Race, why: str, gain: float) -> Finding:
    """What is told of a change that helped, with how it compares."""
    change = _by_sizes(case, change)
    rate = case.optimizer.param_groups[0].get("lr", 0.0)
    control = found.control
    as_it_is = "diverges" if control.diverged else f"comes to loss {control.loss:.3g}" + _metric(case, control.metric)
    evidence = (
        f"{why}; from the first weights, {run.steps} steps with {change.name} come to loss {run.loss:.3g}"
        f"{_metric(case, run.metric)}, as it is it {as_it_is}"
    )
    recipe = dict(change.recipe)
    code = change.code
    if change.id.startswith("optim.lr_"):
        factor = factor_of(change)
        recipe = {"optim.lr": float(f"{rate * factor:.2g}")}
        code = f"lr={rate * factor:.2g}"
    return Finding(
        change.id,
        "critical" if case.telemetry.nonfinite else "warning",
        change.where,
        evidence,
        change.cause,
        change.remedy,
        recipe,
        step=case.telemetry.step,
        code=code,
        confidence=min(0.95, 0.5 + 0.5 * min(1.0, gain)),
        numbers={"loss": run.loss, "metric": run.metric, "control_loss": control.loss, "rate": float(rate)},
    )


def _by_sizes(case: Case, change: Change) -> Change:
    """The change, named by what it mends: of inputs of a sound size that lie far to one side of 0 that is the middle."""
    rows = case.subject.train
    scale = scale_of(rows.x) if rows is not None and change.id == "data.unscaled_inputs" else None
    if scale is None or scale.is_off or scale.offset < OFFSET:
        return change
    cause, remedy = "the columns of the inputs lie far to one side of 0", "subtract the mean of the training part"
    return replace(change, id="data.all_positive_inputs", cause=cause, remedy=remedy)


def _metric(case: Case, value: float) -> str:
    metric = case.subject.metric
    return "" if metric is None or not math.isfinite(value) else f" and {metric.name} {value:.3f}"


def factor_of(change: Change) -> float:
    """By which a change of the rate multiplies it."""
    number = float(change.name.split()[2])
    return number if "higher" in change.name else 1 / number

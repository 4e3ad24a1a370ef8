"""Steps 1 to 3, before anything is searched: the first loss, a small sample, and a rate that lowers the loss. DR10, C784."""

from __future__ import annotations

import time

import torch

from dressage.clock import work_seconds
from dressage.examine import examined, subject_of_job
from dressage.preflight.result import Checked, Preflight
from dressage.prepare import Job, ShowProgress, threads_kept
from dressage.range_test import range_test_of
from dressage.rates.climb import ORDERS
from dressage.rates.climb import STEPS as CLIMB
from dressage.rates.find import REPEATS, SCOUT, STEPS, untestable
from dressage.rates.sweep import Curve, Training, sweep
from dressage.search.tune.steps import Step

CHECK_SECONDS = 20.0  # at most, and a tenth of the budget
ITERATIONS = 100  # in which a rate has to lower the loss (DR10)
FEW = 60  # steps of a range test that has to be short
SHARE = 0.1  # of the budget that the range test may take
SHARE_AGAIN = 0.5  # of the time left that a whole one may take after a short one that saw nothing
TIMED = 20  # steps that the time of one is taken from
MORE = 1.33  # times as long as a step of a training is one of a sweep
LADDER = 3 * ORDERS * CLIMB  # steps in which a suggestion is tried out, about
FALLEN = 0.01  # of the first loss that counts as lowered


def first_loss(job: Job, budget: float) -> Step:
    """The loss of the first weights against what the task implies: log C of C classes, the targets' mean square."""
    return _checked(
        1,
        job,
        "first_loss",
        budget,
        "the loss begins where it should",
        "it does not begin where it should: the first weights are surer than they can be, which costs the first steps",
    )


def small_sample(job: Job, budget: float) -> Step:
    """Whether 20 rows can be learned by heart: what cannot do that learns nothing."""
    return _checked(
        2,
        job,
        "tiny_set",
        budget,
        "it can be learned by heart: data, network and loss fit together",
        "it is not learned by heart by its own optimiser in 300 steps, but learned from",
    )


def rate(
    job: Job, budget: float, *, own_model: bool, left: float | None = None, progress: ShowProgress | None = None
) -> Step:
    """A rate that lowers the loss within 100 iterations: suggested by the range test, and tried. `left`: of the budget."""
    training = Training(job.state.model, job.recipe, job.batches, job.plan, not own_model)
    each = _seconds_a_step(training)
    facts = {"step_seconds": each, "steps_an_epoch": job.batches.steps_per_epoch}
    usual = job.recipe.optim.rate
    if refusal := untestable(job.recipe):
        return Step(3, (f"{refusal[1]}: {refusal[2]}",), f"the rate stays {usual:g}", facts={**facts, "rate": usual})
    whole_seconds = MORE * each * (SCOUT + REPEATS * STEPS + LADDER)
    whole = whole_seconds <= SHARE * budget
    repeats, steps = (REPEATS, STEPS) if whole else (1, FEW)
    found = range_test_of(job, repeats=repeats, steps=steps, own_model=own_model, progress=progress)
    if found.rate is None and not whole:  # one short sweep may be all noise: nothing is given up for that
        if whole_seconds > SHARE_AGAIN * (budget if left is None else left):
            return Step(
                3,
                (found.why,),
                "stop: a longer range test would take the budget; give more with --budget",
                False,
                facts,
            )
        found = range_test_of(job, own_model=own_model, progress=progress)
    if found.rate is None:
        return Step(
            3,
            (found.why,),
            "stop: nothing is to be tuned before a rate lowers the loss; see `dressage check`",
            False,
            facts,
        )
    with threads_kept(job.recipe.train.threads or None):
        curve = sweep(training, [found.rate] * ITERATIONS, repeats + 1)
    fallen = _fallen(curve)
    tried = f"{len(curve.rates)} iterations at {found.rate:g}: loss {curve.first:.4g} → {curve.first - fallen:.4g}"
    saw = (f"range test: {found.why}", tried)
    facts["rate"] = found.rate
    if fallen > FALLEN * abs(curve.first):
        return Step(3, saw, f"search around {found.rate:g} (usual: {usual:g})", facts=facts)
    return Step(
        3, saw, f"{ITERATIONS} iterations are too few to see it; search around {found.rate:g} all the same", facts=facts
    )


def _checked(number: int, job: Job, name: str, budget: float, well: str, noted: str) -> Step:
    with threads_kept(job.recipe.train.threads or None):
        found = examined(subject_of_job(job), job, [name], work_seconds() + min(CHECK_SECONDS, SHARE * budget))
    saw = tuple(_seen(check, name) for check in found.checks)
    harm = [f for f in found.findings if f.is_harmful]
    if harm:
        said = f"{harm[0].id}: {harm[0].cause}; {harm[0].remedy}"
        return Step(number, (*saw, said), "stop: tuning cannot mend that; see `dressage check`", False)
    if all(check.verdict == "skipped" for check in found.checks):
        return Step(number, saw, "go on without it")
    return Step(number, saw, (noted if _is_noted(found) else well) + ": go on")


def _seen(check: Checked, name: str) -> str:
    """What a check said, with the target's name where there are several."""
    target = check.name.removeprefix(name).strip(" ()")
    return (f"{target}: " if target else "") + (check.said or check.verdict)


def _is_noted(found: Preflight) -> bool:
    return bool(found.findings)


def _seconds_a_step(training: Training) -> float:
    """Of a step of the training, about, on a machine as busy as it is: a sweep's has one forward pass more."""
    with threads_kept(training.recipe.train.threads or None):
        sweep(training, [1e-9], 0)  # what is done once
        began = time.perf_counter()
        sweep(training, [1e-9] * TIMED, 0)
    return (time.perf_counter() - began) / TIMED / MORE


def _fallen(curve: Curve) -> float:
    """By how much the last fifth of the losses lies below the first."""
    last = curve.change[-max(1, len(curve.change) // 5) :]
    return float(-torch.from_numpy(last).nan_to_num(nan=float("inf")).mean())

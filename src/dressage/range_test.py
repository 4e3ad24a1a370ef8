"""The range test of a training that one would begin: `dressage.range_test(data)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from dressage.errors import UsageError, nearest
from dressage.models.foreign import Made
from dressage.prepare import Job, ShowProgress, prepare, threads_kept
from dressage.presets import usual_rate
from dressage.rates.climb import ORDERS
from dressage.rates.climb import STEPS as CLIMB
from dressage.rates.find import REPEATS, SCOUT, STEPS, By, RangeTest, Rule, find, halve, untestable
from dressage.rates.sweep import Training
from dressage.recipe import Recipe, as_recipe
from dressage.remedies import LEFT, edited
from dressage.resolve import name_problems

TOP = 64.0  # times the usual rate: from where it is halved
MOST = 100_000  # steps of one order, and orders


def range_test(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    rule: Rule = "range",
    by: By = "loss",
    repeats: int = REPEATS,
    steps: int = STEPS,
    low: float | None = None,
    high: float | None = None,
    progress: ShowProgress | None = None,
) -> RangeTest:
    """Suggests a learning rate for the training that `recipe` describes: the rate grows over mini-batches of a copy.

    Over `repeats` orders of the data, `steps` each, it is √(falls · rises) of the mean curve: of the rate up to which half of
    the loss's fall is done, and the one at which it rises again; then raised as far as trainings in miniature, with the
    recipe's schedule, end clearly lower (`dressage.rates.climb`).
    `rule="halve"`: from `high` the rate is halved until no order diverges. `by="validation"`: the validation loss is
    looked at. `low`, `high`: the rates to sweep; found by a wide sweep where not given. `data`, `y`, `model`: as in `train`.
    Nothing is written, and a training after it is bit for bit the same. Smith 2017 (R5, L6).
    Raises DataError, RecipeError or UsageError.
    """
    _check(rule, by, repeats, steps, low, high)
    written = as_recipe(recipe, also=name_problems)
    if written.optim.lr == "auto":
        written = edited(written, {"optim.lr": LEFT})
    with threads_kept():
        job = prepare(data, written, y=y, model=model, progress=progress)
        return range_test_of(
            job,
            rule=rule,
            by=by,
            repeats=repeats,
            steps=steps,
            low=low,
            high=high,
            own_model=model is not None,
            progress=progress,
        )


def range_test_of(
    job: Job,
    *,
    rule: Rule = "range",
    by: By = "loss",
    repeats: int = REPEATS,
    steps: int = STEPS,
    low: float | None = None,
    high: float | None = None,
    own_model: bool = False,
    progress: ShowProgress | None = None,
) -> RangeTest:
    """The same of a job that is prepared and stands before its first step; the job is left as it is."""
    _check(rule, by, repeats, steps, low, high)
    if refusal := untestable(job.recipe):
        where, name, why = refusal
        raise UsageError.of(where, f"{name} given", why, "leave the rate as it is")
    validation = job.parts.get("validation") if by == "validation" else None
    if by == "validation" and validation is None:
        found, expected = "no validation rows", "expected some to read their loss"
        raise UsageError.of("data.validation", found, expected, "leave out --by validation")
    training = Training(job.state.model, job.recipe, job.batches, job.plan, not own_model, validation)
    usual = job.recipe.optim.rate or usual_rate(job.recipe)
    if job.batches.steps_per_epoch == 1:
        repeats = 1  # one batch has no order
    done, total = 0, repeats * steps + SCOUT + 3 * ORDERS * CLIMB

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress("range test", min(done, total), total)

    with threads_kept(job.recipe.train.threads or None):
        if rule == "halve":
            return halve(training, high or TOP * usual, repeats=repeats, steps=steps, tick=tick)
        span = None if low is None or high is None else (low, high)
        return find(training, usual, repeats=repeats, steps=steps, span=span, tick=tick)


def _check(rule: str, by: str, repeats: int, steps: int, low: float | None, high: float | None) -> None:
    for where, value, known in (("rule", rule, get_args(Rule)), ("by", by, get_args(By))):
        if value not in known:
            raise UsageError.of(where, f"{value!r} given", nearest(value, known), "correct it")
    for where, number, least in (("repeats", repeats, 1), ("steps", steps, 20)):
        if not least <= number <= MOST:
            raise UsageError.of(
                where, f"{number} given", f"expected {least} to {MOST:,}", f"e.g. {where} = {4 * least}"
            )
    for where, rate in (("low", low), ("high", high)):
        if rate is not None and not 0 < rate < float("inf"):
            raise UsageError.of(where, f"{rate} given", "expected a rate above 0", f"e.g. {where} = 0.01")
    if rule == "range" and (low is None) != (high is None):
        raise UsageError.of("low and high", "one of them given", "expected both or neither", "give the other one too")
    if low is not None and high is not None and not low < high:
        raise UsageError.of("low and high", f"{low:g} and {high:g} given", "expected low below high", "exchange them")

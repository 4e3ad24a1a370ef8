"""What of a recipe only the machine, or a trial, can tell: device, number format, memory layout, threads; the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from dressage.data.batches import Batches
from dressage.errors import RecipeError
from dressage.fit.keys import keys_of
from dressage.fit.plan import make_plan
from dressage.fit.speed import fastest
from dressage.measured import measured_file, recall, remember
from dressage.objective.several import Goal
from dressage.presets import usual_rate
from dressage.rates.find import REPEATS, STEPS, Tick, find, untestable
from dressage.rates.sweep import Training
from dressage.resolve import Origin, Resolved, value_at

SHORT_RUN = 200  # steps; in fewer, measuring which form is fastest costs more than it can save
TO_BE_FOUND = "until it is measured"
PATHS = ("train.precision", "train.memory_format", "train.threads")


def settle_device(resolved: Resolved) -> Resolved:
    """The recipe with a device. Raises RecipeError where the given one is not there."""
    given = resolved.recipe.train.device
    if given.startswith("cuda") and int(given[5:] or 0) >= torch.cuda.device_count():
        found = (
            f"{torch.cuda.device_count()} CUDA devices are there"
            if torch.cuda.is_available()
            else "no CUDA device is there"
        )
        raise RecipeError.of("train.device", f"{given} given", found, "leave it out, or see `dressage doctor`")
    if given == "mps" and not torch.backends.mps.is_available():
        raise RecipeError.of(
            "train.device", "mps given", "this machine has none", "leave it out, or see `dressage doctor`"
        )
    if given != "auto":
        return resolved
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return resolved.put("train.device", device, "inferred", "the fastest device here")


def settle_speed(
    resolved: Resolved,
    model: nn.Module,
    batches: Batches,
    cast: Callable[[Tensor], Tensor],
    classes: int,
    goals: Sequence[Goal] = (),
) -> Resolved:
    """The recipe with the form in which this machine takes steps of `model` fastest; what was given stays."""
    train = resolved.recipe.train
    if train.threads and "auto" not in (train.precision, train.memory_format):
        return resolved
    plan = make_plan(resolved.recipe, batches.steps_per_epoch, classes, cast, goals=goals)
    if train.epochs * batches.steps_per_epoch < SHORT_RUN:
        usual = {
            "train.precision": "float32",
            "train.memory_format": "contiguous",
            "train.threads": torch.get_num_threads(),
        }
        return _put(resolved, usual, "inferred", "a run too short to measure what is faster")
    batch = next(iter(batches.epoch(0)))
    x, y = plan.cast(batch.x), batch.y
    if (keys := keys_of(model, resolved.recipe)) is not None:
        x, y = keys.asked(x, None)
    # Measured once on a machine: a second run of the same recipe must not take another form, and other last bits.
    remembered = measured_file(model, x, train)
    choice = recall(remembered)
    if choice is None:
        choice = fastest(model, x, y, plan.objective, train)
        remember(remembered, choice)
    form = choice.form
    return _put(
        resolved,
        dict(zip(PATHS, (form.precision, form.memory_format, form.threads), strict=True)),
        "measured",
        choice.why,
    )


def rate_for_now(resolved: Resolved) -> Resolved:
    """The recipe with a number in the place of `optim.lr = "auto"`, until there is a network to measure."""
    if resolved.recipe.optim.lr != "auto":
        return resolved
    refusal = untestable(resolved.recipe)
    why = f"{refusal[1]}: {refusal[2]}" if refusal else TO_BE_FOUND
    return resolved.put("optim.lr", usual_rate(resolved.recipe), "inferred", why)


def settle_rate(resolved: Resolved, training: Training, tick: Tick = lambda: None) -> Resolved:
    """The recipe with the rate of a range test where `rate_for_now` put one; the usual one where none lowers the loss."""
    if resolved.reasons["optim.lr"].why != TO_BE_FOUND:
        return resolved
    usual = resolved.recipe.optim.rate
    repeats = REPEATS if training.batches.steps_per_epoch > 1 else 1
    found = find(training, usual, repeats=repeats, steps=STEPS, span=None, tick=tick)
    why = f"range test: {found.why}" + (", so the usual one" if found.rate is None else "")
    return resolved.put("optim.lr", found.rate or usual, "measured", why)


def _put(resolved: Resolved, values: Mapping[str, object], origin: Origin, why: str) -> Resolved:
    for path, value in values.items():
        if value_at(resolved.recipe, path) in ("auto", 0):
            resolved = resolved.put(path, value, origin, why)
    return resolved

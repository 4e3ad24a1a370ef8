"""The training itself: exact at every step, stops before it spoils the weights, leaves no trace outside."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import EndEvent, EpochEvent, StepEvent, fit, make_plan, new_state
from dressage.fit.guard import WINDOW
from dressage.fit.step import network_input
from dressage.models import build_model
from dressage.recipe import Recipe

ROWS, WIDTH = 96, 6


def parts(images: bool = False) -> tuple[Part, Part]:
    generator = torch.Generator().manual_seed(1)
    if images:
        x = torch.randint(0, 256, (ROWS, 8, 8, 3), dtype=torch.uint8, generator=generator)
        y = (x.float().mean((1, 2, 3)) > 127.5).long()
    else:
        x = torch.randn(ROWS, WIDTH, generator=generator)
        y = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 1).long()
    return Part("train", x, y, torch.arange(0, 80)), Part("validation", x, y, torch.arange(80, ROWS))


def cast(x: torch.Tensor) -> torch.Tensor:
    return x.float().div(255).permute(0, 3, 1, 2) if x.dim() == 4 else x


def recipe(**sections) -> Recipe:
    base = {
        "seed": 5,
        "train": {"epochs": 3, "batch_size": 16},
        "optim": {"lr": 0.01},
        "regularize": {"dropout": 0.3, "weight_decay": 0.1},
    }
    for name, value in sections.items():
        base[name] = {**base[name], **value} if isinstance(value, dict) and isinstance(base.get(name), dict) else value
    return Recipe.model_validate(base)


def job(r: Recipe, *, images: bool = False, flat: bool = True, model: nn.Module | None = None):
    train, validation = parts(images)
    if model is None:
        torch.manual_seed(0)
        shape = (3, 8, 8) if images else (WIDTH,)
        model = build_model(r.model, shape, 3, r.regularize.dropout)
    batches = Batches(train, r.train.batch_size, r.seed)
    return new_state(model, r, flat=flat), batches, make_plan(r, batches.steps_per_epoch, 3, cast), validation


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        a[p].keys() == b[p].keys() and all(torch.equal(a[p][k], b[p][k]) for k in a[p]) for p in a
    )


RECIPES = {
    "plain": {},
    "everything": {
        "average": "ema(decay=0.9)",
        "optim": {"clip_norm": 0.5},
        "train": {"accumulate": 3, "patience": 2},
        "loss": {"label_smoothing": 0.1},
    },
    "sgd": {"optim": {"name": "nesterov", "lr": 0.05}, "schedule": {"name": "step(every=0.3)"}},
}


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("name", RECIPES)
def test_a_run_saved_at_any_step_and_put_back_goes_on_bit_for_bit(name, flat):
    r = recipe(**RECIPES[name])
    whole, batches, plan, validation = job(r, flat=flat)
    saved, events = [], []
    for event in fit(whole, batches, plan, validation):
        saved.append(whole.snapshot())
        events.append(event)
    for i, (tensors, numbers) in enumerate(saved[:-1]):
        state, batches, plan, validation = job(r, flat=flat)
        state.load(tensors, numbers)
        rest = list(fit(state, batches, plan, validation))
        assert same(state.tensors(), whole.tensors()) and state.numbers() == whole.numbers()
        assert [repr(e) for e in rest] == [repr(e) for e in events[i + 1 :]]


def test_images_with_augmentation_and_batch_norm_are_exact_too():
    r = recipe(
        augment=["horizontal_flip", "random_crop(padding=1)", "mixup(alpha=0.3)"],
        model={"name": "convnet", "width": 4, "depth": 1, "norm": "batch"},
        average="ema(decay=0.5)",
    )
    whole, batches, plan, validation = job(r, images=True)
    events = fit(whole, batches, plan, validation)
    for _ in range(7):
        next(events)
    middle = whole.snapshot()
    list(events)
    state, batches, plan, validation = job(r, images=True)
    state.load(*middle)
    list(fit(state, batches, plan, validation))
    assert same(state.tensors(), whole.tensors())


def test_an_own_network_in_channels_last_is_exact_after_a_save_that_forgets_strides():
    """A checkpoint holds contiguous tensors; fused AdamW takes the strides of its state for the parameter's."""

    def network() -> nn.Module:
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 3)
        return nn.Sequential(*layers).to(memory_format=torch.channels_last)

    whole, batches, plan, _ = job(recipe(), images=True, model=network(), flat=False)
    events = fit(whole, batches, plan)
    for _ in range(4):
        next(events)
    tensors, numbers = whole.snapshot()
    contiguous = {part: {k: v.contiguous() for k, v in named.items()} for part, named in tensors.items()}
    list(events)
    state, batches, plan, _ = job(recipe(), images=True, model=network(), flat=False)
    state.load(contiguous, numbers)
    list(fit(state, batches, plan))
    assert same(state.tensors(), whole.tensors())


def test_an_augmentation_named_twice_draws_twice():
    r = recipe(augment=["horizontal_flip", "horizontal_flip"], model={"name": "convnet", "width": 4, "depth": 1})
    state, batches, plan, _ = job(r, images=True)
    batch = next(iter(batches.epoch(0)))
    x, _ = network_input(state, batch, plan)
    plain = cast(batch.x)
    turned = [not torch.equal(a, b) for a, b in zip(x, plain, strict=True)]
    assert any(turned) and not all(turned), "two equal draws would cancel in every sample"


def test_flat_parameters_give_what_separate_ones_give():
    results = []
    for flat in (True, False):
        state, batches, plan, _ = job(recipe(**RECIPES["everything"]), flat=flat)
        list(fit(state, batches, plan))
        assert state.is_flat is flat
        results.append(state.tensors())
    for part in ("model", "average"):
        for name, tensor in results[0][part].items():
            torch.testing.assert_close(tensor, results[1][part][name], rtol=2e-5, atol=1e-6)


def test_it_is_torchs_own_adamw():
    """Against a loop written by hand with torch's defaults, in float64."""
    r = recipe(regularize={"dropout": 0.0, "weight_decay": 0.1}, schedule={"name": "constant", "warmup": 0.0})
    state, batches, plan, _ = job(r, flat=False)
    state.model.double()
    state = new_state(state.model, r, flat=True)
    torch.manual_seed(0)
    plain = build_model(r.model, (WIDTH,), 3, 0.0).double()
    decayed = [p for p in plain.parameters() if p.dim() > 1]
    other = [p for p in plain.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": other, "weight_decay": 0.0}], lr=0.01, foreach=False
    )
    batches.part = Part("train", batches.part.x.double(), batches.part.y, batches.part.rows)
    list(fit(state, batches, plan))
    for epoch in range(3):
        for batch in batches.epoch(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(plain(batch.x), batch.y).backward()
            optimizer.step()
    for a, b in zip(state.model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_steps_loss_and_gradient_do_not_depend_on_how_the_batch_is_cut():
    results = []
    for pieces in (1, 2, 3, 7):
        r = recipe(
            train={"accumulate": pieces, "batch_size": 11},
            regularize={"dropout": 0.0},
            optim={"name": "sgd", "lr": 0.1},
        )
        state, batches, plan, _ = job(r)
        state.model.double()
        state = new_state(state.model, r)
        batches.part = Part("train", batches.part.x.double(), batches.part.y, batches.part.rows)
        losses = [float(e.loss) for e in fit(state, batches, plan) if isinstance(e, StepEvent)]
        results.append((losses, [p.detach().clone() for p in state.model.parameters()]))
    for losses, weights in results[1:]:
        assert losses == pytest.approx(results[0][0], rel=1e-6)
        for a, b in zip(weights, results[0][1], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_the_generators_outside_are_left_as_they_were():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    state, batches, plan, validation = job(recipe())
    before = torch.get_rng_state()
    list(fit(state, batches, plan, validation))
    assert torch.equal(before, torch.get_rng_state())


def test_early_stopping_ends_after_patience_epochs_and_keeps_the_best():
    r = recipe(train={"epochs": 60, "patience": 3}, optim={"lr": 0.1}, regularize={"dropout": 0.0})
    state, batches, plan, validation = job(r)
    events = list(fit(state, batches, plan, validation))
    values = [e.metrics["val_loss"] for e in events if isinstance(e, EpochEvent)]
    assert events[-1].reason == "patience" and len(values) < 60
    assert len(values) - 1 - values.index(min(values)) == 3
    assert state.best_value == min(values)
    assert not same({"m": state.best}, {"m": dict(state.model.state_dict())})


def test_more_samples_than_a_batch_are_shared_evenly_and_each_is_seen_once():
    train, _ = parts()
    batches = Batches(train, 11, 0)
    seen = [batch.rows for batch in batches.epoch(2)]
    assert {len(rows) for rows in seen} <= {10, 9, 11} and max(map(len, seen)) - min(map(len, seen)) <= 1
    assert sorted(torch.cat(seen).tolist()) == list(range(80))
    assert not torch.equal(torch.cat(seen), torch.cat([b.rows for b in batches.epoch(3)]))
    assert torch.equal(torch.cat(seen[3:]), torch.cat([b.rows for b in batches.epoch(2, start=3)]))


class Poison(nn.Module):
    """Divides by zero at one step."""

    def __init__(self, at: int, kind: str) -> None:
        super().__init__()
        self.at, self.kind = at, kind
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        self.calls += 1
        if self.calls == self.at:
            return x / 0 if self.kind == "output" else x + torch.sqrt((x * 0).clamp(min=0))
        return x


@pytest.mark.parametrize("at", [1, 7, WINDOW + 3, 2 * WINDOW + 1])
@pytest.mark.parametrize("kind", ["output", "gradient"])
def test_a_number_that_is_not_finite_stops_before_the_update_and_is_located(at, kind):
    def network() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8), nn.ReLU(), Poison(at, kind), nn.Linear(8, 3))

    r = recipe(train={"epochs": 100})
    state, batches, plan, _ = job(r, model=network(), flat=False)
    end = list(fit(state, batches, plan))[-1]
    assert isinstance(end, EndEvent) and end.reason == "nonfinite" and end.nonfinite is not None
    assert end.nonfinite.step == at and state.step == at - 1 and state.is_finite()
    assert ("3 (Poison)" if kind == "output" else "gradient of") in end.nonfinite.where

    healthy, batches, plan, _ = job(r, model=network(), flat=False)
    events = fit(healthy, batches, plan)
    while healthy.step < at - 1:
        next(events)
    assert same({"m": dict(state.model.state_dict())}, {"m": dict(healthy.model.state_dict())})


def test_a_rate_far_too_high_is_found_and_the_weights_are_finite():
    r = recipe(optim={"name": "sgd", "lr": 1e6}, train={"epochs": 50}, schedule={"name": "constant", "warmup": 0})
    state, batches, plan, _ = job(r, model=nn.Sequential(nn.Linear(WIDTH, 8), nn.Linear(8, 3)), flat=False)
    end = list(fit(state, batches, plan))[-1]
    assert end.reason == "nonfinite" and state.is_finite() and state.step == end.nonfinite.step - 1


def test_averaged_weights_are_judged_with_statistics_of_their_own():
    r = recipe(model={"name": "convnet", "width": 4, "depth": 1, "norm": "batch"}, average="ema(decay=0.9)")
    state, batches, plan, validation = job(r, images=True)
    list(fit(state, batches, plan, validation))
    raw, averaged = state.model.state_dict(), state.averaged.state_dict()
    means = [k for k in raw if k.endswith("running_mean")]
    assert means and not any(torch.equal(raw[k], averaged[k]) for k in means)
    assert all(math.isfinite(float(v.float().sum())) for v in averaged.values())

"""The step that an optimiser may ask more than once: the same noise, untouched statistics, averages, clipping, joined tensors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dressage.augment.batch import Batch
from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import EpochEvent, Plan, State, fit, make_plan, new_state, take_step
from dressage.models import build_model
from dressage.optim import catalogue, joins_tensors
from dressage.optim.clip import clip_adaptive_, clip_norm_
from dressage.recipe import Optim, Recipe

AGAIN = ("sam", "asam", "lookahead_sam", "lbfgs", "bfgs", "newton")
"""Optimisers that ask more than once a step."""
WHOLE = ("gd", "adagrad", "rmsprop", "adadelta", "nadam", "schedule_free", "lbfgs(iterations=2)", *AGAIN[:3], "bfgs")
SINGLE = [*({"name": name} for name in ("lars", "lamb", "muon", "newton", "sam(base=lamb)")), {"clip_adaptive": 0.1}]
ROWS = 48


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(ROWS, 5, generator=generator)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def recipe_of(name: str, **sections: object) -> Recipe:
    plain = {"optim": {"name": name, "lr": 0.05}, "schedule": {"name": "constant", "warmup": 0}}
    return Recipe.model_validate({**plain, **sections})


class Seen(nn.Module):
    """Draws noise, normalises by the batch, and keeps what it drew."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))
        self.drawn: list[Tensor] = []
        self.given: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.given.append(x.detach().clone())
        self.drawn.append(torch.rand(2))
        return self.layers(x + 0.01 * self.drawn[-1].sum())


def seen_state(name: str, **sections: object) -> tuple[State, Plan, Batch]:
    torch.manual_seed(0)
    recipe = recipe_of(name, **sections)
    state = new_state(Seen().train(), recipe)
    x, y = data()
    return state, make_plan(recipe, 10, 2, lambda t: t), Batch(x, y, torch.arange(ROWS))


@pytest.mark.parametrize("name", AGAIN)
def test_what_is_asked_again_has_the_noise_of_the_first_time(name: str) -> None:
    techniques = {"techniques": ["input_noise(std=0.1)"]}
    state, plan, batch = seen_state(name, regularize=techniques, train={"accumulate": 1 if name == "newton" else 2})
    pieces, firsts = plan.accumulate, []
    for _ in range(2):
        state.model.drawn.clear()
        state.model.given.clear()
        take_step(state, batch, plan)
        drawn, given = state.model.drawn, state.model.given
        asked = len(drawn) // pieces
        assert asked > 1
        for again in range(1, asked):
            for piece in range(pieces):
                assert torch.equal(drawn[piece], drawn[again * pieces + piece])
                assert torch.equal(given[piece], given[again * pieces + piece])
        firsts.append(drawn[0])
    assert not torch.equal(*firsts), "each step has noise of its own"


@pytest.mark.parametrize("name", AGAIN)
def test_batch_norms_keep_the_statistics_of_the_first_pass(name: str) -> None:
    state, plan, batch = seen_state(name)
    plain, _, _ = seen_state("sgd")
    assert torch.equal(take_step(state, batch, plan), take_step(plain, batch, plan)), "the loss is the first one"
    ours, theirs = (s.model.layers[1] for s in (state, plain))
    assert torch.equal(ours.running_mean, theirs.running_mean) and torch.equal(ours.running_var, theirs.running_var)
    assert ours.num_batches_tracked == 1


@pytest.mark.parametrize("name", ["sgd", "adamw", "adagrad", "lamb", "schedule_free", "muon"])
def test_others_ask_once(name: str) -> None:
    torch.manual_seed(0)
    recipe = recipe_of(name)
    layers = [nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 2)]
    state = new_state(nn.Sequential(*layers), recipe)
    calls: list[int] = []
    layers[0].register_forward_hook(lambda *_: calls.append(1))
    x, y = data()
    for _ in range(3):
        take_step(state, Batch(x, y, torch.arange(ROWS)), make_plan(recipe, 10, 2, lambda t: t))
    assert len(calls) == 3


def network() -> nn.Module:
    torch.manual_seed(0)
    section = Recipe.model_validate({"model": {"width": 8, "depth": 2}}).model
    return build_model(section, (5,), 2, 0.1)


def trained(recipe: Recipe, *, flat: bool = False, validate: bool = True, model: nn.Module | None = None) -> State:
    x, y = data()
    train, validation = (Part(n, x, y, rows) for n, rows in (("t", torch.arange(36)), ("v", torch.arange(36, ROWS))))
    state = new_state(model or network(), recipe, flat=flat)
    batches = Batches(train, recipe.train.batch_size, 0)
    list(
        fit(
            state, batches, make_plan(recipe, batches.steps_per_epoch, 2, lambda t: t), validation if validate else None
        )
    )
    return state


@pytest.mark.parametrize("name", WHOLE)
def test_joined_tensors_move_as_single_ones_do(name: str) -> None:
    recipe = recipe_of(name, train={"epochs": 2, "batch_size": 18}, regularize={"weight_decay": 0.01})
    joined, single = trained(recipe, flat=True), trained(recipe)
    assert joined.is_flat and not single.is_flat
    for a, b in zip(joined.judged.parameters(), single.judged.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("section", SINGLE, ids=str)
def test_what_looks_at_single_tensors_gets_them(section: dict[str, object]) -> None:
    assert not joins_tensors(Optim.model_validate(section))
    recipe = Recipe.model_validate({"optim": section, "train": {"epochs": 1, "batch_size": 18}})
    joined, single = trained(recipe, flat=True), trained(recipe)
    assert not joined.is_flat
    assert all(torch.equal(a, b) for a, b in zip(joined.model.parameters(), single.model.parameters(), strict=True))


def test_an_average_of_weights_that_the_optimiser_keeps_in_another_order() -> None:
    recipe = recipe_of("muon", average="ema(decay=0.0, warmup=False)", train={"epochs": 1, "batch_size": 18})
    state = trained(recipe)
    assert all(torch.equal(a, b) for a, b in zip(state.model.parameters(), state.averaged.parameters(), strict=True))


def test_schedule_free_is_judged_at_x_and_trained_at_y() -> None:
    recipe = recipe_of(
        "schedule_free", train={"epochs": 3, "batch_size": 18}, optim={"name": "schedule_free", "lr": 0.02}
    )
    state = trained(recipe)
    beta = recipe.optim.beta1
    for y, x in zip(state.model.parameters(), state.judged.parameters(), strict=True):
        z = state.optimizer.state[y]["z"]
        np.testing.assert_allclose(y.detach(), ((1 - beta) * z + beta * x).detach(), rtol=1e-5, atol=1e-6)
    differ = [not torch.equal(y, x) for y, x in zip(state.model.parameters(), state.judged.parameters(), strict=True)]
    assert all(differ)
    without = trained(recipe, validate=False)
    ours, theirs = state.tensors(), without.tensors()
    assert all(
        torch.equal(t, theirs[part][n]) for part in ("model", "optimizer", "average") for n, t in ours[part].items()
    )
    assert state.best and all(torch.equal(state.best[n], t) for n, t in state.averaged.state_dict().items()) == (
        state.best_step == state.step
    )


def test_schedule_free_goes_on_from_any_step() -> None:
    recipe = recipe_of("schedule_free", train={"epochs": 3, "batch_size": 9}, model={"norm": "batch"})
    x, y = data()
    train, validation = Part("t", x, y, torch.arange(36)), Part("v", x, y, torch.arange(36, ROWS))
    batches = Batches(train, 9, 0)
    plan = make_plan(recipe, batches.steps_per_epoch, 2, lambda t: t)

    def events(state: State) -> list[dict[str, float]]:
        return [dict(e.metrics) for e in fit(state, batches, plan, validation) if isinstance(e, EpochEvent)]

    whole = new_state(network(), recipe, flat=True)
    expected = events(whole)
    for stop in (1, 4, 6):
        half = new_state(network(), recipe, flat=True)
        for _ in itertools.islice(fit(half, batches, plan, validation), stop + stop // 4):
            pass
        resumed = new_state(network(), recipe, flat=True)
        resumed.load(*half.snapshot())
        assert events(resumed)[-1] == expected[-1]
        ours, theirs = whole.tensors(), resumed.tensors()
        assert all(torch.equal(t, theirs[part][n]) for part in ours for n, t in ours[part].items())


@pytest.mark.parametrize("limit", [0.5, 1e3])
def test_clip_norm(limit: float) -> None:
    torch.manual_seed(0)
    grads = [torch.randn(4, 3, dtype=torch.float64), torch.randn(5, dtype=torch.float64)]
    arrays = [g.numpy().copy() for g in grads]
    norm = np.sqrt(sum((a**2).sum() for a in arrays))
    assert clip_norm_(grads, limit).item() == pytest.approx(norm, rel=1e-12)
    for grad, array in zip(grads, arrays, strict=True):
        np.testing.assert_allclose(grad.numpy(), array * min(1, limit / (norm + 1e-6)), rtol=1e-10)


def with_gradients() -> list[nn.Parameter]:
    torch.manual_seed(0)
    shapes = ((4, 3), (2, 3, 2, 2), (5,), ())
    parameters = [nn.Parameter(torch.randn(s, dtype=torch.float64)) for s in shapes]
    parameters.append(nn.Parameter(torch.zeros(3, dtype=torch.float64)))
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    return [*parameters, nn.Parameter(torch.ones(2))]


def test_clip_norm_is_torchs() -> None:
    parameters = with_gradients()
    ours = [p.grad.clone() for p in parameters if p.grad is not None]
    clip_norm_(ours, 0.7)
    nn.utils.clip_grad_norm_(parameters, 0.7)
    assert all(torch.equal(a, p.grad) for a, p in zip(ours, parameters, strict=False))


@pytest.mark.parametrize("limit", [0.01, 0.3, 1e3])
def test_clip_adaptive(limit: float) -> None:
    parameters = with_gradients()
    before = [p.grad.numpy().copy() for p in parameters[:-1]]
    clip_adaptive_(parameters, limit)
    for parameter, g in zip(parameters, before, strict=False):
        w = parameter.detach().numpy()
        units = range(len(w)) if w.ndim > 1 else [...]
        for i in units:
            room = limit * max(np.sqrt((w[i] ** 2).sum()), 1e-3)
            expected = g[i] * min(1.0, room / np.sqrt((g[i] ** 2).sum()))
            np.testing.assert_allclose(parameter.grad.numpy()[i], expected, rtol=1e-10)
    assert parameters[-1].grad is None


@pytest.mark.parametrize("kind", ["norm", "value", "adaptive"])
@pytest.mark.parametrize("flat", [False, True])
def test_a_step_clips_what_the_optimiser_gets(kind: str, flat: bool) -> None:
    recipe = recipe_of("sgd", optim={"name": "sgd", "lr": 1.0, f"clip_{kind}": 1e-3})
    state = new_state(network().train(), recipe, flat=flat)
    x, y = data()
    before = [p.detach().clone() for p in state.model.parameters()]
    take_step(state, Batch(x, y, torch.arange(ROWS)), make_plan(recipe, 10, 2, lambda t: t))
    moves = [p.detach() - b for p, b in zip(state.model.parameters(), before, strict=True)]
    if kind == "norm":
        assert float(torch.cat([m.flatten() for m in moves]).norm()) == pytest.approx(1e-3, rel=1e-3)
    elif kind == "value":
        assert max(float(m.abs().max()) for m in moves) == pytest.approx(1e-3, rel=1e-3)
    else:
        for move, weight in zip(moves, before, strict=True):
            if weight.ndim > 1:
                assert (move.norm(dim=1) <= 1.001e-3 * weight.norm(dim=1).clamp(min=1e-3)).all()


def test_clipping_by_value_cuts_each_number() -> None:
    """g ← max(−c, min(c, g)), found again from the move of one step of sgd at rate 1."""
    moves = []
    for limit in (0.0, 0.02):
        recipe = recipe_of("sgd", optim={"name": "sgd", "lr": 1.0, "clip_value": limit})
        torch.manual_seed(0)
        state = new_state(network().double().train(), recipe)
        x, y = data()
        before = [p.detach().clone() for p in state.model.parameters()]
        take_step(state, Batch(x.double(), y, torch.arange(ROWS)), make_plan(recipe, 10, 2, lambda t: t))
        moves.append([(p.detach() - b).numpy() for p, b in zip(state.model.parameters(), before, strict=True)])
    assert any((np.abs(g) > 0.02).any() for g in moves[0])
    for g, cut in zip(*moves, strict=True):
        np.testing.assert_allclose(cut, np.maximum(-0.02, np.minimum(0.02, g)), rtol=1e-10, atol=1e-14)


def test_several_clippings_and_sam_get_on() -> None:
    recipe = recipe_of(
        "sam", optim={"name": "sam", "lr": 0.1, "clip_norm": 1.0, "clip_value": 0.5, "clip_adaptive": 0.1}
    )
    assert trained(recipe).is_finite()


def test_the_optimisers_that_ask_again_need_a_closure() -> None:
    x = nn.Parameter(torch.ones(2, 2))
    x.grad = torch.ones(2, 2)
    optimizer = catalogue.build("sam", [{"params": [x], "weight_decay": 0.0}], Optim())
    with pytest.raises(RuntimeError, match="needs a closure"):
        optimizer.step()

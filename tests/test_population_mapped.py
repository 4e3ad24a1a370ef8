"""Populations of networks that are no chains: by `torch.func.vmap`, each member what it would have been alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import make_plan, new_state
from dressage.fit.population import Member, kin, misfit
from dressage.fit.population.pace import measure
from dressage.models import build_model
from dressage.recipe import Recipe
from dressage.regularize import edit_network
from test_population import EQUAL, RATES, alone, assert_same, member, parts, together, written

KINDS = {
    "layer norm": [
        {"model": {"norm": "layer"}, "optim": {"lr": r}, "regularize": {"weight_decay": d}}
        for r, d in zip(RATES, (0, 0.5, 0.01), strict=True)
    ],
    "group norm, dropout, smoothing, other seeds": [
        {
            "seed": i,
            "model": {"norm": "group(groups=2)"},
            "regularize": {"dropout": 0.1 + 0.1 * i},
            "average": "ema(decay=0.9)",
            "loss": {"label_smoothing": 0.1 * i},
        }
        for i in range(3)
    ],
    "dropout, one seed, momentum, clip": [
        {
            "model": {"norm": "layer"},
            "regularize": {"dropout": d},
            "optim": {"name": "momentum", "lr": r, "momentum": 0.5 + d, "clip_norm": 2 * d},
        }
        for r, d in zip(RATES, (0.1, 0.1, 0.4), strict=True)
    ],
    "noise everywhere": [
        {
            "model": {"norm": "layer"},
            "seed": 3 + i // 2,
            "regularize": {
                "techniques": [f"input_noise(std={0.1 * i})", f"activation_noise(std={0.2 - 0.05 * i})"],
            },
        }
        for i in range(3)
    ],
    "own rows": [{"seed": i, "model": {"norm": "layer"}, "augment": ["mixup(alpha=0.3)"]} for i in range(3)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_is_what_it_would_have_been_alone(kind):
    assert_same([written(**sections) for sections in KINDS[kind]], parts())


def test_so_in_a_regression():
    recipes = [
        written(loss={"name": "mse"}, model={"norm": "layer"}, optim={"lr": r}, seed=i) for i, r in enumerate(RATES)
    ]
    assert_same(recipes, parts(regression=True), outputs=2)


def of_images(recipe: Recipe, make=None) -> Member:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(120, 2, 8, 8, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (120,), generator=generator)
    train, validation = Part("train", x, y, torch.arange(0, 100)), Part("validation", x, y, torch.arange(100, 120))
    torch.manual_seed(recipe.seed)
    model = make() if make else build_model(recipe.model, (2, 8, 8), 3, recipe.regularize.dropout)
    model = edit_network(model.double(), recipe.regularize.techniques)
    batches = Batches(train, 16, recipe.seed)
    plan = make_plan(recipe, batches.steps_per_epoch, 3, lambda x: x)
    return Member(recipe, new_state(model, recipe, flat=True), batches, plan, validation)


class Own(nn.Module):
    """A network whose dropout stands between two branches, on images."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.conv, self.drop = nn.Conv2d(2, 4, 3, padding=1), nn.Dropout(p)
        self.head, self.skip = nn.Linear(4 * 16, 3), nn.Linear(128, 3)

    def forward(self, x):
        pooled = F.max_pool2d(self.drop(torch.tanh(self.conv(x))), 2)
        return self.head(self.drop(pooled).flatten(1)) + self.skip(x.flatten(1))


def test_a_convnet_with_dropout_and_a_network_of_ones_own():
    convnet = [
        written(
            model={"name": "convnet", "width": 2, "depth": 1, "norm": "group(groups=1)"},
            regularize={"dropout": d, "weight_decay": 0.1},
            train={"epochs": 2, "batch_size": 16},
            optim={"lr": r},
        )
        for d, r in zip((0.1, 0.2, 0.5), RATES, strict=True)
    ]
    own = [written(seed=i, train={"epochs": 2, "batch_size": 16}) for i in range(3)]
    made = [[of_images(recipe) for recipe in convnet] for _ in range(2)]
    made_own = [[of_images(r, lambda i=i: Own(0.1 * i + 0.1)) for i, r in enumerate(own)] for _ in range(2)]
    for stacked, single in (made, made_own):
        assert not misfit(stacked[0]), misfit(stacked[0])
        shared = [
            Member(
                m.recipe, m.state, Batches(stacked[0].batches.part, 16, m.recipe.seed), m.plan, stacked[0].validation
            )
            for m in stacked
        ]
        assert len({kin(m) for m in shared}) == 1
        for m, lone, (losses, epochs, _) in zip(shared, single, together(shared), strict=True):
            tensors, lone_losses, _ = alone(lone)
            assert losses == pytest.approx(lone_losses, rel=EQUAL) and len(epochs) == 2
            for name, tensor in m.state.tensors()["model"].items():
                torch.testing.assert_close(tensor, tensors["model"][name], rtol=EQUAL, atol=EQUAL)


def test_a_member_that_breaks_leaves_and_the_others_go_on():
    recipes = [written(model={"norm": "layer"}, optim={"name": "momentum", "lr": lr}) for lr in (0.01, 1e200, 0.03)]
    members, single = ([member(r, parts()) for r in recipes] for _ in range(2))
    told = together(members)
    assert [ends[0].reason for _, _, ends in told] == ["epochs", "nonfinite", "epochs"]
    for m, lone, (_, epochs, _) in zip(members, single, told, strict=True):
        tensors, _, _ = alone(lone)
        assert len(epochs) == m.state.epoch == lone.state.epoch
        for name, tensor in m.state.tensors()["model"].items():
            torch.testing.assert_close(tensor, tensors["model"][name], rtol=EQUAL, atol=EQUAL)


class Drawing(nn.Linear):
    def forward(self, x):
        return super().forward(F.dropout(x, 0.1, self.training))


class Looking(nn.Linear):
    def forward(self, x):
        return super().forward(x if bool(x.sum() > 0) else -x)


class Keeping(nn.Linear):
    def __init__(self) -> None:
        super().__init__(12, 3)
        self.mask = torch.ones(12, dtype=torch.float64)

    def forward(self, x):
        return super().forward(x * self.mask)


class KeepingAnArray(nn.Linear):
    def __init__(self) -> None:
        super().__init__(12, 3)
        self.mask = np.ones(12)

    def forward(self, x):
        return super().forward(x * torch.from_numpy(self.mask))


class Overwriting(nn.Linear):
    """Its dropout changes what its head is given too."""

    def __init__(self) -> None:
        super().__init__(12, 12)
        self.drop, self.head = nn.Dropout(0.5, inplace=True), nn.Linear(12, 3)

    def forward(self, x):
        first = super().forward(x)
        return self.head(self.drop(first) + first)


class Remembering(nn.Linear):
    """Its outputs depend on how often it was asked."""

    count = 0

    def forward(self, x):
        self.count += 1
        return super().forward(x) * self.count


UNFIT = {
    "keeps statistics or constants (1.running_mean)": lambda: nn.Sequential(nn.Linear(12, 3), nn.BatchNorm1d(3)),
    "draws noise of its own": lambda: Drawing(12, 3),
    "does not go through torch.func.vmap": lambda: Looking(12, 3),
    "keeps a tensor that is no parameter": Keeping,
    "keeps an array that is no parameter": KeepingAnArray,
    "changes what it is given": Overwriting,
    "gives something else": lambda: Remembering(12, 3),
    "gives (2, 3, 1) for two rows": lambda: nn.Sequential(nn.Linear(12, 3), nn.Unflatten(1, (3, 1))),
}


@pytest.mark.parametrize("reason", UNFIT)
def test_what_cannot_be_mapped_says_why(reason):
    torch.manual_seed(0)
    recipe, (train, validation) = written(), parts()
    model = UNFIT[reason]().double()
    batches = Batches(train, 16, 0)
    plan = make_plan(recipe, batches.steps_per_epoch, 3, lambda x: x)
    found = torch.get_rng_state()
    told = misfit(Member(recipe, new_state(model, recipe, flat=True), batches, plan, validation))
    assert reason in told
    assert torch.equal(found, torch.get_rng_state()) and model.training
    assert not isinstance(model, Remembering) or model.count == 0, "the user's own network was not asked"


class Unused(nn.Module):
    """One of its layers is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.used, self.left = nn.LayerNorm(12), nn.Linear(12, 3), nn.Linear(5, 2)

    def forward(self, x):
        return self.used(self.norm(x))


def test_a_layer_that_is_left_out_decays_as_it_does_alone(monkeypatch):
    monkeypatch.setattr("test_population.build_model", lambda *_: Unused())
    for name in ("adamw", "adam", "momentum", "rmsprop"):
        assert_same([written(optim={"name": name, "lr": r}, regularize={"weight_decay": 0.1}) for r in RATES], parts())


class Reordered(nn.Module):
    """Reads its columns in an order that is kept in some way."""

    def __init__(self, kept) -> None:
        super().__init__()
        self.kept, self.norm, self.linear = kept, nn.LayerNorm(12), nn.Linear(12, 3)

    def forward(self, x):
        order = self.kept.get("order", [torch.arange(12)]) if isinstance(self.kept, dict) else self.kept
        return self.linear(self.norm(x[:, order[0] if isinstance(order[0], torch.Tensor) else order]))


@pytest.mark.parametrize(
    "keep",
    [
        lambda order: order,
        lambda order: {"order": tuple(order)},
        lambda order: [torch.tensor(order)],
        lambda order: {"order": [torch.tensor(order)], "all": range(2)},
    ],
)
def test_members_that_keep_other_values_are_no_kin(keep, monkeypatch):
    def made(order: list[int]) -> Member:
        monkeypatch.setattr("test_population.build_model", lambda *_: Reordered(keep(order)))
        return member(written(), of)

    of, order = parts(), torch.randperm(12, generator=torch.Generator().manual_seed(0)).tolist()
    mine, other = made(order), made(order[::-1])
    assert not misfit(mine) and not misfit(other)
    assert kin(mine) != kin(other) and kin(mine) == kin(mine)


def test_members_that_keep_the_same_values_are_kin(monkeypatch):
    def made() -> Member:
        kept = {"order": [3, 1, 2, 0], "name": F.relu, "kind": nn.ReLU, "dtype": torch.float64}
        network = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 3))
        network.kept = kept
        monkeypatch.setattr("test_population.build_model", lambda *_: network)
        return member(written(), of)

    of = parts()
    assert kin(made()) == kin(made())


def test_networks_that_are_other_functions_are_no_kin():
    of = parts()
    norms = ("layer", "group(groups=2)", "group(groups=5)")
    recipes = [written(model={"norm": norm}) for norm in norms]
    assert len({kin(member(r, of)) for r in recipes}) == 3
    assert kin(member(recipes[0], of)) == kin(member(written(model={"norm": "layer"}, seed=4, optim={"lr": 0.3}), of))


def test_the_pace_of_a_mapped_network_is_measured_too():
    m = member(written(model={"norm": "layer"}, regularize={"dropout": 0.2}), parts(torch.float32))
    pace = measure([m], 4)
    assert set(pace.together) <= {2, 4} and pace.alone > 0 and m.state.step == 0

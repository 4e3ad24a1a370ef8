"""Populations: each member is what it would have been alone, whoever stands beside it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import EndEvent, EpochEvent, StepEvent, fit, make_plan, new_state
from dressage.fit.population import Member, Pace, StepsEvent, fit_together, kin, misfit, products, stack, update
from dressage.fit.population.update import Update
from dressage.measured import pace_of
from dressage.models import build_model
from dressage.recipe import Recipe
from dressage.regularize import edit_network

ROWS, WIDTH, EPOCHS = 190, 12, 5  # ten steps an epoch
EQUAL = 1e-9
JUDGED = 1e-6  # outputs are judged in float32


def parts(dtype: torch.dtype = torch.float64, *, regression: bool = False) -> tuple[Part, Part]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(ROWS, WIDTH, generator=generator).to(dtype)
    y = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 1).long()
    if regression:
        y = (x[:, :2].sin() + x[:, 2:3]).to(dtype)
    return Part("train", x, y, torch.arange(0, 155)), Part("validation", x, y, torch.arange(155, ROWS))


def written(**sections) -> Recipe:
    base = {
        "seed": 5,
        "model": {"width": 10, "depth": 2},
        "train": {"epochs": EPOCHS, "batch_size": 16},
        "optim": {"lr": 0.01},
    }
    for name, value in sections.items():
        base[name] = {**base.get(name, {}), **value} if isinstance(value, dict) else value
    return Recipe.model_validate(base)


def member(recipe: Recipe, of: tuple[Part, Part], outputs: int = 3) -> Member:
    """As `prepare` makes it, in the format of the data."""
    train, validation = of
    torch.manual_seed(recipe.seed)
    model = build_model(recipe.model, (WIDTH,), outputs, recipe.regularize.dropout).to(train.x.dtype)
    model = edit_network(model, recipe.regularize.techniques)
    batches = Batches(train, recipe.train.batch_size, recipe.seed)
    plan = make_plan(recipe, batches.steps_per_epoch, outputs, lambda x: x)
    return Member(recipe, new_state(model, recipe, flat=True), batches, plan, validation)


def alone(m: Member) -> tuple[dict, list[float], list[dict]]:
    losses, epochs = [], []
    for event in fit(m.state, m.batches, m.plan, m.validation):
        if isinstance(event, StepEvent):
            losses.append(float(event.loss))
        elif isinstance(event, EpochEvent):
            epochs.append(event)
    return m.state.tensors(), losses, epochs


def together(members: list[Member], dropped=()) -> list[tuple[list[float], list[EpochEvent], list[EndEvent]]]:
    told = [([], [], []) for _ in members]
    begun = [m.state.step for m in members]
    for number, event in fit_together(members, dropped):
        if isinstance(event, StepsEvent):
            assert event.first == begun[number] + len(told[number][0]) + 1 and len(event.losses) == len(event.rates)
            told[number][0].extend(event.losses)
        else:
            told[number][1 if isinstance(event, EpochEvent) else 2].append(event)
    return told


def assert_same(recipes: list[Recipe], of: tuple[Part, Part], outputs: int = 3, within: float = EQUAL) -> None:
    """Losses, validations and every tensor of the states, at the end of more than fifty steps."""
    stacked, single = ([member(r, of, outputs) for r in recipes] for _ in range(2))
    assert not any(misfit(m) for m in stacked), misfit(stacked[0])
    assert len({kin(m) for m in stacked}) == 1
    for m, lone, (losses, epochs, ends) in zip(stacked, single, together(stacked), strict=True):
        tensors, lone_losses, lone_epochs = alone(lone)
        assert len(losses) == len(lone_losses) >= 50
        torch.testing.assert_close(torch.tensor(losses), torch.tensor(lone_losses), rtol=within, atol=within)
        for event, other in zip(epochs, lone_epochs, strict=True):
            assert (event.step, event.epoch, event.improved) == (other.step, other.epoch, other.improved)
            assert event.metrics == pytest.approx(other.metrics, rel=JUDGED + within, abs=JUDGED + within)
        assert [e.reason for e in ends] == ["epochs"]
        assert m.state.numbers() == pytest.approx(lone.state.numbers(), rel=JUDGED + within)
        found = m.state.tensors()
        assert {p: set(t) for p, t in found.items()} == {p: set(t) for p, t in tensors.items()}
        for p, each in found.items():
            for name, tensor in each.items():
                torch.testing.assert_close(tensor, tensors[p][name], rtol=within, atol=within, msg=f"{p} {name}")


RATES = (0.001, 0.03, 0.01)
KINDS = {
    "adamw, decay": [
        {"optim": {"lr": r}, "regularize": {"weight_decay": d}} for r, d in zip(RATES, (0, 0.5, 0.01), strict=True)
    ],
    "adam, decay, ema": [
        {"optim": {"name": "adam", "lr": r}, "regularize": {"weight_decay": 0.1 * i}, "average": "ema(decay=0.9)"}
        for i, r in enumerate(RATES)
    ],
    "momentum, smoothing, clip": [
        {
            "optim": {"name": "momentum", "lr": 10 * r, "momentum": m, "clip_norm": c},
            "regularize": {"weight_decay": 1e-3 * i},
            "loss": {"label_smoothing": 0.1 * i},
            "model": {"activation": "tanh"},
        }
        for i, (r, m, c) in enumerate(zip(RATES, (0.5, 0.9, 0.99), (0, 0.5, 2.0), strict=True))
    ],
    "nesterov, swa, clip by value": [
        {"optim": {"name": "nesterov", "lr": r, "clip_value": 0.02 * i}, "average": "swa(start=0.3, every=3)"}
        for i, r in enumerate(RATES)
    ],
    "sgd without momentum, penalties": [
        {"optim": {"name": "sgd", "lr": 10 * r}, "regularize": {"techniques": [f"elastic_net(l1={1e-3 * i}, l2={r})"]}}
        for i, r in enumerate(RATES)
    ],
    "rmsprop": [{"optim": {"name": "rmsprop", "lr": 0.1 * r}} for r in RATES],
    "dropout, other seeds": [{"seed": i, "regularize": {"dropout": 0.2 * i}} for i in range(3)],
    "dropout, one seed": [
        {"optim": {"lr": r}, "regularize": {"dropout": d}} for r, d in zip(RATES, (0.1, 0.1, 0.5), strict=True)
    ],
    "noise everywhere": [
        {
            "regularize": {
                "dropout": 0.1 * i,
                "techniques": [f"input_noise(std={0.1 * i})", f"activation_noise(std={0.2 - 0.1 * i})"],
            },
            "seed": 3 + i // 2,
        }
        for i in range(3)
    ],
    "vanilla dropout": [
        {"regularize": {"techniques": [f"vanilla_dropout(p={p})"]}, "average": "ema"} for p in (0.0, 0.3, 0.5)
    ],
    "schedules": [{"schedule": {"name": s}} for s in ("constant", "cosine", "reduce_on_plateau(patience=1)")],
    "augmented": [{"seed": i, "augment": ["mixup(alpha=0.3)"], "loss": {"label_smoothing": 0.1 * i}} for i in range(2)],
    "hinge": [{"loss": {"name": "hinge"}, "optim": {"lr": r}} for r in RATES],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_is_what_it_would_have_been_alone(kind):
    assert_same([written(**sections) for sections in KINDS[kind]], parts())


@pytest.mark.parametrize("loss", ["mse", "huber(delta=0.5)"])
def test_so_in_a_regression(loss):
    recipes = [written(loss={"name": loss}, optim={"lr": r}, seed=i) for i, r in enumerate(RATES)]
    assert_same(recipes, parts(regression=True), outputs=2)


def test_activations_one_after_another(monkeypatch):
    def made(section, shape, outputs, dropout):
        return nn.Sequential(nn.ReLU(), nn.Linear(*shape, 8), nn.Tanh(), nn.ReLU(), nn.Linear(8, outputs), nn.ReLU())

    monkeypatch.setattr("test_population.build_model", made)
    assert_same([written(optim={"lr": r}, seed=i) for i, r in enumerate(RATES)], parts())


def test_in_float32_within_rounding():
    recipes = [written(optim={"lr": r}, regularize={"dropout": 0.2, "weight_decay": 0.1}) for r in RATES]
    assert_same(recipes, parts(torch.float32), within=2e-3)


def test_a_member_that_breaks_leaves_and_says_where_and_the_others_go_on():
    recipes = [written(optim={"name": "momentum", "lr": lr}) for lr in (0.01, 1e30, 0.03, 1e9)]
    members, single = ([member(r, parts()) for r in recipes] for _ in range(2))
    told = together(members)
    for m, lone, (losses, epochs, ends) in zip(members, single, told, strict=True):
        expected = list(fit(lone.state, lone.batches, lone.plan, lone.validation))
        assert [e.reason for e in ends] == [expected[-1].reason]
        if ends[0].reason == "nonfinite":
            assert (ends[0].step, ends[0].nonfinite.where) == (expected[-1].step, expected[-1].nonfinite.where)
        lone_losses = [float(e.loss) for e in expected if isinstance(e, StepEvent)]
        assert losses == pytest.approx(lone_losses, rel=EQUAL, nan_ok=True)
        assert len(epochs) == m.state.epoch == lone.state.epoch
        for name, tensor in m.state.tensors()["model"].items():
            torch.testing.assert_close(tensor, lone.state.tensors()["model"][name], rtol=EQUAL, atol=EQUAL)
    assert [ends[0].reason for _, _, ends in told] == ["epochs", "nonfinite", "epochs", "nonfinite"]


@pytest.mark.parametrize("lr", [1e200, 0.02])
def test_the_stack_is_compacted_when_a_member_dies_or_is_dropped(lr, monkeypatch):
    sizes: list[tuple[int, ...]] = []
    taken = Update.__call__

    def counted(self, losses, rates):
        sizes.append((len(losses), *self.stack.weights.shape[:1], *self.stack.grads.shape[:1], *self.moved.shape[:1]))
        return taken(self, losses, rates)

    monkeypatch.setattr(Update, "__call__", counted)
    recipes = [written(optim={"name": "adamw", "lr": r}) for r in (0.01, lr, 0.03)]
    dropped: set[int] = set()
    for number, event in fit_together([member(r, parts()) for r in recipes], dropped):
        if lr < 1 and isinstance(event, EpochEvent) and number == 1:
            dropped.add(1)
    of_all = [size for size in sizes if size[0] == 3]
    assert 0 < len(of_all) < len(sizes) and sizes[: len(of_all)] == of_all, "never as many again"
    assert {size[:3] for size in sizes} == {(3, 3, 3), (2, 2, 2)} and sizes[-1] == (2, 2, 2, 2)


def test_a_member_that_is_dropped_is_trained_no_further():
    members, single = ([member(written(optim={"lr": r}), parts()) for r in RATES] for _ in range(2))
    dropped: set[int] = set()
    for number, event in fit_together(members, dropped):
        if isinstance(event, EpochEvent) and (number, event.epoch) in ((1, 2), (0, 3)):
            dropped.add(number)
    assert [m.state.epoch for m in members] == [3, 2, EPOCHS]
    tensors, _, _ = alone(single[2])
    for name, tensor in members[2].state.tensors()["model"].items():
        torch.testing.assert_close(tensor, tensors["model"][name], rtol=EQUAL, atol=EQUAL)


def test_patience_ends_a_member_alone():
    recipes = [written(optim={"lr": r}, train={"epochs": 30, "patience": 2, "batch_size": 16}) for r in (0.0, 0.01)]
    members, single = ([member(r, parts()) for r in recipes] for _ in range(2))
    for lone, (_, epochs, ends) in zip(single, together(members), strict=True):
        *_, end = fit(lone.state, lone.batches, lone.plan, lone.validation)
        assert (ends[0].step, ends[0].epoch, ends[0].reason) == (end.step, end.epoch, end.reason)
        assert len(epochs) == end.epoch


@pytest.mark.parametrize(
    "sections", [{"average": "ema"}, {"optim": {"name": "nesterov"}}, {"regularize": {"dropout": 0.3}}]
)
def test_a_checkpoint_of_a_member_resumes_alone_and_in_a_population(sections):
    """Saved between two epochs: what `State.tensors` and `numbers` give is all of it."""
    recipes = [written(**sections, seed=i) for i in range(3)]
    whole, first = ([member(r, parts()) for r in recipes] for _ in range(2))
    together(whole)
    saved = {}
    for number, event in fit_together(first):
        if isinstance(event, EpochEvent) and event.epoch == 2:
            saved[number] = copy.deepcopy((first[number].state.tensors(), first[number].state.numbers()))
        if len(saved) == 3:
            break
    later = [member(r, parts()) for r in recipes]
    lone = member(recipes[1], parts())
    for m, (tensors, numbers) in [*zip(later, saved.values(), strict=True), (lone, saved[1])]:
        m.state.load(tensors, numbers)
    together(later)
    alone(lone)
    for m, other in [*zip(later, whole, strict=True), (lone, whole[1])]:
        assert m.state.numbers() == pytest.approx(other.state.numbers(), rel=JUDGED)
        for p, each in m.state.tensors().items():
            for name, tensor in each.items():
                torch.testing.assert_close(tensor, other.state.tensors()[p][name], rtol=EQUAL, atol=EQUAL)


def test_the_generators_are_left_as_they_were_found():
    of = parts()
    members = [member(written(regularize={"dropout": 0.2}, seed=i), of) for i in range(2)]
    before = torch.get_rng_state()
    together(members)
    assert torch.equal(before, torch.get_rng_state())


UNFIT = {
    "muon": {"optim": {"name": "muon"}},
    "sam(rho=0.1)": {"optim": {"name": "sam(rho=0.1)"}},
    "pieces": {"train": {"accumulate": 2, "epochs": 2, "batch_size": 16}},
    "max_norm": {"regularize": {"techniques": ["max_norm"]}},
    "no chain": {"model": {"norm": "batch", "width": 8, "depth": 1}},
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_stacked_says_why(case):
    assert misfit(member(written(**UNFIT[case]), parts()))


def test_members_of_another_kind_are_no_kin():
    recipes = [written(), written(model={"width": 11}), written(optim={"name": "adam"}), written(optim={"beta1": 0.8})]
    of = parts()
    assert len({kin(member(r, of)) for r in recipes}) == 4
    other = written(optim={"lr": 0.1}, regularize={"dropout": 0.1}, loss={"label_smoothing": 0.1}, seed=9)
    assert kin(member(other, of)) == kin(member(recipes[0], of))
    assert kin(member(recipes[0], parts())) != kin(member(recipes[0], of))


def test_the_pace_is_measured_on_copies_and_remembered(monkeypatch, tmp_path):
    monkeypatch.setenv("DRESSAGE_CACHE", str(tmp_path))
    m = member(written(regularize={"dropout": 0.2}), parts(torch.float32))
    before = copy.deepcopy(m.state.tensors())
    generators = torch.get_rng_state()
    pace = pace_of([m], 4)
    assert set(pace.together) <= {2, 4} and pace.alone > 0
    assert torch.equal(generators, torch.get_rng_state()) and m.state.step == 0 and not m.state.losses
    for name, tensor in m.state.tensors()["model"].items():
        assert torch.equal(tensor, before["model"][name])
    monkeypatch.setattr("dressage.measured.measure", None)
    assert pace_of([m], 4) == pace


def test_as_many_together_as_end_first():
    pace = Pace(1.0, {2: 0.6, 4: 0.4, 8: 0.3, 16: 0.29})
    assert pace.best(100) in (8, 16)
    assert pace.best(1) == 1
    assert pace.best(8, workers=2) == 4, "both workers have something to do"
    assert Pace(1.0, {2: 1.1, 4: 1.2}).best(64) == 1, "where it is no faster, each is trained alone"
    assert "each training alone" in pace.told(1) and "8 trainings" in pace.told(8)


def test_layers_that_are_too_large_for_one_product_of_all(monkeypatch):
    monkeypatch.setattr(products, "BIG", 1)
    monkeypatch.setattr(update, "LARGE", 1)
    descents = ("momentum, smoothing, clip", "nesterov, swa, clip by value", "sgd without momentum, penalties")
    for kind in ("adamw, decay", "adam, decay, ema", *descents, "dropout, one seed"):
        assert_same([written(**sections) for sections in KINDS[kind]], parts())
    assert_same([written(model={"norm": "none", "depth": 0}, optim={"lr": r}) for r in RATES], parts())


@pytest.mark.parametrize(
    "kind", ["adam, decay, ema", "momentum, smoothing, clip", "noise everywhere", "vanilla dropout"]
)
def test_large_first_layers_are_one_matrix(kind, monkeypatch):
    """Rows of a stack are spaced so that the first weights of all members, and what lies between them, are one matrix."""
    for room in (stack, products):
        monkeypatch.setattr(room, "LARGE", 1)
    monkeypatch.setattr(products, "SPARE", 9.0)
    own = stack.Stack(list(enumerate(member(written(**k), parts()) for k in KINDS[kind])))
    first = next(own.states[0].model.parameters())
    joint = products._joint(own.parameters(own.weights)[next(iter(own.parameters(own.weights)))])
    assert joint is not None and joint.shape[1] == first.shape[1] and len(joint) % len(own) == 0
    assert torch.equal(joint[: len(first)], first) and own.weights.stride(0) > own.weights.shape[1]
    assert_same([written(**k) for k in KINDS[kind]], parts())


def test_deep_networks_are_not_computed_with_all_that_lies_behind_their_first_layer(monkeypatch):
    for room in (stack, products):
        monkeypatch.setattr(room, "LARGE", 1)
    monkeypatch.setattr(products, "SPARE", 1.5)
    for depth, is_joint in ((0, True), (2, False)):
        section = {"norm": "none", "depth": depth}
        own = stack.Stack([(i, member(written(model=section), parts())) for i in range(2)])
        weight = next(iter(own.parameters(own.weights).values()))
        assert (products._joint(weight) is not None) == is_joint


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf"), -float("inf")])
def test_members_whose_numbers_are_not_finite_are_found(spoilt):
    own = stack.Stack(list(enumerate(member(written(seed=i), parts(torch.float32)) for i in range(3))))
    own.weights[0] = torch.finfo(torch.float32).max  # whose sum is too large, and nothing else
    assert own.are_finite().all() and own.states[0].is_finite()
    own.weights[1, 7] = spoilt
    assert own.are_finite().tolist() == [True, False, True]
    assert [state.is_finite() for state in own.states] == [True, False, True]


def test_a_copy_to_put_back_from_is_written_over_by_the_next():
    members = [member(written(optim={"lr": r}), parts()) for r in RATES]
    together(members)
    own = stack.Stack(list(enumerate(members)))
    own.save()
    own.weights += 1
    saved, before = own.save(), own.weights.clone()
    own.weights += 1
    own.put_back(1, saved)
    assert torch.equal(own.weights[1], before[1]) and not torch.equal(own.weights[0], before[0])


def test_who_hears_of_the_losses_may_drop_a_member_within_an_epoch():
    train = {"train": {"batch_size": 4, "epochs": 3}}  # 39 steps an epoch
    members, single = ([member(written(**train, optim={"lr": r}), parts()) for r in RATES] for _ in range(2))
    dropped: set[int] = set()
    heard: list[list[float]] = [[] for _ in members]

    def hear(number: int, losses: list[float]) -> None:
        heard[number].extend(losses)
        if number == 1 and len(heard[1]) > 50:
            dropped.add(1)

    told = list(fit_together(members, dropped, hear))
    steps = members[1].state.step
    assert 39 < steps < 78 and members[1].state.batch == steps - 39 == len(members[1].state.losses)
    assert not [e for n, e in told if n == 1 and isinstance(e, EpochEvent) and e.epoch > 1]
    assert [loss for n, e in told if n == 1 and isinstance(e, StepsEvent) for loss in e.losses] == heard[1]
    for k, lone in enumerate(single):
        alone(lone)
        if k != 1:
            for name, tensor in members[k].state.tensors()["model"].items():
                torch.testing.assert_close(tensor, lone.state.tensors()["model"][name], rtol=EQUAL, atol=EQUAL)


def test_members_that_stopped_within_an_epoch_go_on_together():
    train = {"train": {"batch_size": 4, "epochs": 3}, "average": "ema", "regularize": {"dropout": 0.2}}
    whole, first, later = ([member(written(**train, seed=i), parts()) for i in range(3)] for _ in range(3))
    told = together(whole)
    dropped: set[int] = set()

    def hear(number: int, losses: list[float]) -> None:
        if first[0].state.step > 50:
            dropped.update(range(3))

    list(fit_together(first, dropped, hear))
    assert all(0 < m.state.batch < 39 for m in first)
    for m, other in zip(later, first, strict=True):
        m.state.load(copy.deepcopy(other.state.tensors()), other.state.numbers())
    events = [(n, e) for n, e in fit_together(later) if isinstance(e, StepsEvent)]
    for n, m in enumerate(later):
        assert m.state.numbers() == pytest.approx(whole[n].state.numbers(), rel=JUDGED)
        losses = [loss for k, e in events if k == n for loss in e.losses]
        assert events[0][1].first == 40 and losses == pytest.approx(told[n][0][39:], rel=1e-6)
        for name, tensor in m.state.tensors()["average"].items():
            torch.testing.assert_close(tensor, whole[n].state.tensors()["average"][name], rtol=EQUAL, atol=EQUAL)

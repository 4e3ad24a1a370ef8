"""First weights: their distributions, and what they do to signals."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from dressage.errors import RecipeError
from dressage.layers import activations, init
from dressage.layers.init_data import fit_to_data
from dressage.layers.init_rules import SMALL, gain_of
from dressage.models import build_model
from dressage.recipe import Model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def drawn(rule: str, activation: str, shape: tuple[int, ...] = (600, 400)) -> np.ndarray:
    torch.manual_seed(1)
    return init.catalogue.build(rule, torch.full(shape, math.nan, dtype=torch.float64), activation).numpy()


# --- distributions: 240,000 numbers, whose sd is known to 0.15 %, their mean to sd/490, their kurtosis to 0.01

GELU = 1 / math.sqrt(0.4252214825702987)
NORMAL = [
    ("he", "relu", math.sqrt(2 / 400)),
    ("he", "gelu", GELU / 20),
    ("he", "tanh", 5 / 3 / 20),
    ("he", "sigmoid", 1 / 20),
    ("he", "selu", 1 / 20),
    ("he", "leaky_relu(slope=0.5)", math.sqrt(2 / 1.25 / 400)),
    ("he", "output", 0.1 / 20),
    ("residual", "relu", math.sqrt(2 / 400)),
    ("xavier", "relu", math.sqrt(2 / 1000)),
    ("xavier", "output", 0.1 * math.sqrt(2 / 1000)),
    ("xavier(form=notes)", "tanh", 1 / 20),
    ("xavier(form=notes)", "output", 0.1 / 20),
    ("normal", "relu", 0.01),
    ("normal(std=0.5)", "output", 0.5),
    ("data_dependent", "relu", 1 / 20),
    ("random_walk", "relu", math.sqrt(2) * math.exp(1.2 / (400 - 2.4)) / 20),
    ("random_walk", "tanh", 5 / 3 * math.exp(1 / 800) / 20),
    ("random_walk", "output", 0.1 / 20),
]
UNIFORM = [
    ("he_uniform", "relu", math.sqrt(6 / 400)),
    ("he_uniform", "output", 0.1 * math.sqrt(3 / 400)),
    ("xavier_uniform", "tanh", math.sqrt(6 / 1000)),
    ("xavier_uniform", "output", 0.1 * math.sqrt(6 / 1000)),
    ("uniform", "relu", 0.05),
    ("uniform(limit=0.3)", "output", 0.3),
]


@pytest.mark.parametrize(("rule", "activation", "sd"), NORMAL)
def test_normal_rules(rule: str, activation: str, sd: float) -> None:
    weight = drawn(rule, activation)
    assert weight.std() == pytest.approx(sd, rel=0.007)
    assert abs(weight.mean()) < sd / 100
    assert ((weight / sd) ** 4).mean() == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize(("rule", "activation", "limit"), UNIFORM)
def test_uniform_rules(rule: str, activation: str, limit: float) -> None:
    weight = drawn(rule, activation)
    assert limit * 0.9999 < np.abs(weight).max() <= limit
    assert abs(weight.mean()) < limit / 150
    assert ((weight / limit) ** 2).mean() == pytest.approx(1 / 3, abs=0.003)
    assert ((weight / limit) ** 4).mean() == pytest.approx(1 / 5, abs=0.003)


@pytest.mark.parametrize(("shape", "activation", "gain"), [((6, 9), "relu", math.sqrt(2)), ((9, 6), "tanh", 5 / 3)])
def test_orthogonal(shape: tuple[int, int], activation: str, gain: float) -> None:
    for rule, scale in (("orthogonal", gain), ("lsuv", 1.0)):
        weight = drawn(rule, activation, shape)
        product = weight @ weight.T if shape[0] < shape[1] else weight.T @ weight
        np.testing.assert_allclose(product, scale**2 * np.eye(6), atol=1e-12)


@pytest.mark.parametrize(("nonzero", "shape"), [(15, (600, 400)), (3, (500, 4, 3, 3)), (50, (600, 8))])
def test_sparse_has_so_many_incoming_weights_a_unit(nonzero: int, shape: tuple[int, ...]) -> None:
    weight = drawn(f"sparse(nonzero={nonzero})", "relu", shape).reshape(shape[0], -1)
    count = min(nonzero, weight.shape[1])
    assert ((weight != 0).sum(1) == count).all()
    kept = weight[weight != 0]
    assert (kept**2).mean() == pytest.approx(2 / count, rel=6 * math.sqrt(2 / len(kept)))
    share = (weight != 0).mean(0)
    spread = math.sqrt(count * (1 - count / weight.shape[1]) / weight.shape[1] / shape[0])
    assert np.abs(share - count / weight.shape[1]).max() < 5 * spread + 1e-12  # no input is preferred


@pytest.mark.parametrize(("shape", "ratio"), [((60, 20), 1 / 3), ((20, 60), 3), ((8, 4, 3, 3), 1 / 2)])
def test_weightnorm_keeps_the_length_of_a_sample(shape: tuple[int, ...], ratio: float) -> None:
    weight = drawn("weightnorm", "relu", shape).reshape(shape[0], -1)
    np.testing.assert_allclose((weight**2).sum(1), 2 * ratio, rtol=1e-10)
    if shape[0] <= weight.shape[1]:
        np.testing.assert_allclose(weight @ weight.T, 2 * ratio * np.eye(shape[0]), atol=1e-12)
    np.testing.assert_allclose((drawn("weightnorm", "output", shape).reshape(shape[0], -1) ** 2).sum(1), 0.01)


def test_constants() -> None:
    assert (drawn("constant", "relu") == 0.01).all() and (drawn("constant(value=-2)", "relu") == -2).all()
    assert (drawn("zeros", "relu") == 0).all()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("normal(std=-1.0)", "normal.std: -1.0 given; expected a number from 0 on"),
        ("uniform(limit=-1.0)", "uniform.limit: -1.0 given"),
        ("constant(value=1e999)", "constant.value: inf given; expected a finite number"),
        ("xavier(form=paper)", "xavier.form: 'paper' given; expected glorot or notes"),
        ("sparse(nonzero=0)", "sparse.nonzero: 0 given; expected 1 or more"),
        ("lsuv(tolerance=1)", "lsuv: no option 'tolerance'"),
    ],
)
def test_bad_options_are_refused(rule: str, says: str) -> None:
    with pytest.raises(RecipeError) as error:
        init.catalogue.build(rule, torch.empty(2, 2), "relu")
    assert says in str(error.value) and str(error.value).count("; ") >= 2


# --- whole networks


@pytest.mark.parametrize("rule", init.catalogue)
def test_initialise_fills_all_and_a_new_network_is_undecided(rule: str) -> None:
    torch.manual_seed(2)
    layers = [
        nn.Conv2d(3, 16, 3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 36, 32),
        nn.LayerNorm(32),
    ]
    model = nn.Sequential(*layers, nn.Linear(32, 10))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    init.initialise(model, rule, "relu")
    x = torch.randn(64, 3, 8, 8)
    fit_to_data(model, rule, x)
    assert all(p.isfinite().all() for p in model.parameters())
    if rule != "data_dependent":
        assert all(not p.any() for n, p in model.named_parameters() if n.endswith("bias"))
    assert (model[1].weight == 1).all() and (model[5].weight == 1).all()
    loss = nn.functional.cross_entropy(model(x), torch.arange(64) % 10)
    # Levelled rates give the last layer of a network with norms larger weights.
    assert loss.item() == pytest.approx(math.log(10), abs=0.2 if rule == "data_dependent" else 0.05)


@pytest.mark.parametrize("rule", init.catalogue)
def test_initialise_repeats_with_the_seed(rule: str) -> None:
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        model = build_model(Model(width=6, init=rule), (5,), 3, 0.0)
        fit_to_data(model, rule, torch.ones(4, 5).cumsum(0))
        made.append(model.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(made[0].values(), made[1].values(), strict=True))


def test_he_keeps_the_signal_through_thirty_relu_layers() -> None:
    torch.manual_seed(4)
    model = nn.Sequential(*[m for _ in range(30) for m in (nn.Linear(512, 512), nn.ReLU())], nn.Linear(512, 1))
    init.initialise(model, "he", "relu")
    x = torch.randn(64, 512)
    assert 0.3 < (model[:-1](x).square().mean() / x.square().mean()).item() < 3


def test_random_walk_keeps_the_logarithm_of_a_gradients_length_in_narrow_layers() -> None:
    """Sussillo & Abbott: 80 relu layers of 20 units, 50 networks. he drifts by about −80·1.2/(20 − 2.4)."""
    drifts = {}
    for rule in ("he", "random_walk"):
        torch.manual_seed(0)
        logs = []
        for _ in range(50):
            x, delta = torch.randn(20, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
            weights = [init.catalogue.build(rule, torch.empty(20, 20, dtype=torch.float64), "relu") for _ in range(80)]
            open_units = []
            for w in weights:
                z = w @ x
                x = torch.relu(z) / torch.relu(z).norm()  # which units are open does not depend on the length
                open_units.append((z > 0).double())
            start = delta.norm()
            for w, units in zip(weights[::-1], open_units[::-1], strict=True):
                delta = w.T @ (delta * units)
            logs.append(float((delta.norm() / start).log()))
        drifts[rule] = (np.mean(logs), np.std(logs) / math.sqrt(50))
    assert drifts["he"][0] < -4
    assert abs(drifts["random_walk"][0]) < 3 * drifts["random_walk"][1] + 0.5, drifts


def test_constant_units_stay_equal_and_uniform_ones_do_not() -> None:
    """The notes say "uniformly initialised" of units that stay equal: constant is meant."""
    x, y = torch.randn(40, 5), torch.arange(40) % 3
    for rule, equal in (("constant", True), ("uniform", False)):
        torch.manual_seed(0)
        model = build_model(Model(width=4, depth=1, init=rule, activation="tanh"), (5,), 3, 0.0)
        optimiser = torch.optim.SGD(model.parameters(), 0.5)
        for _ in range(20):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
        apart = float((model[0].weight - model[0].weight[:1]).detach().abs().max())
        assert (apart < 1e-5) == equal, apart  # not 0: a processor may add the products of one row up in another order


@pytest.mark.parametrize(("norm", "rule"), [("batch", "residual"), ("group", "residual"), ("weight", "weightnorm")])
def test_residual_branches_begin_at_nothing_or_small(norm: str, rule: str) -> None:
    torch.manual_seed(0)
    model = build_model(Model(name="resnet", width=8, depth=2, norm=norm, init=rule), (3, 8, 8), 3, 0.0)
    blocks = [m for m in model.modules() if hasattr(m, "branch_end")]
    x = torch.randn(4, 8, 8, 8).relu()
    assert len(blocks) == 6
    if rule == "residual":
        assert torch.equal(blocks[0](x), x) and not any(b.norm2.weight.any() for b in blocks)
        assert all((b.norm1.weight == 1).all() for b in blocks)
    else:
        assert blocks[0].conv2.weight.flatten(1).norm(dim=1).square().detach().numpy() == pytest.approx(2 / 6, rel=1e-5)
        assert blocks[0].conv1.weight.flatten(1).norm(dim=1).square().detach().numpy() == pytest.approx(2, rel=1e-5)


def test_the_gain_of_the_output_is_small_and_of_others_the_activations() -> None:
    assert gain_of("output") == SMALL == 0.1
    assert all(gain_of(name) == activations.gain(name) for name in activations.catalogue)

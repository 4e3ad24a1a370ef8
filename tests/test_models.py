"""Networks: shapes, layers, what they refuse, that they learn; and networks from a file of the user's."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from dressage.errors import RecipeError, UsageError
from dressage.models import build_model, catalogue
from dressage.models.foreign import build_foreign, check_forward, load_module
from dressage.recipe import Model

IMAGES = ["convnet", "resnet", "mlp", "highway", "repvgg"]
CASES = [
    *(
        (name, a, n)
        for name in ("mlp", "convnet", "resnet")
        for a in ("relu", "gelu")
        for n in ("batch", "layer", "none")
    ),
    *((name, a, "none") for name in ("mlp", "convnet", "resnet") for a in ("tanh", "sigmoid")),
    *((name, "maxout(pieces=3)", "batch") for name in ("mlp", "convnet", "resnet", "repvgg")),
    ("resnet", "maxout", "none"),
    *(("highway", a, n) for a, n in (("relu", "none"), ("gelu", "batch"), ("tanh", "layer"), ("maxout", "none"))),
    *(("repvgg", a, "batch") for a in ("relu", "tanh")),
    *(("vit(patch=2, heads=2)", a, "layer") for a in ("gelu", "maxout")),
    *((name, "relu", n) for name in ("recurrent", "recurrent(cell=lstm, pool=mean)") for n in ("layer", "none")),
    ("convnet(pool=fractional)", "relu", "batch"),
    ("convnet(pool=average)", "relu", "batch"),
]
"""Name, activation and norm of networks that are to learn."""
SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (2, 5, 37), (4, 1, 1), (3, 96, 96)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """These networks are too small for two threads, which wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def section(name: str, **given: str | int) -> Model:
    return Model.model_validate({"name": name, "width": 4, "depth": 1, **given})


@pytest.mark.parametrize(("name", "activation", "norm"), CASES)
def test_any_model_learns_and_every_parameter_takes_part(name: str, activation: str, norm: str) -> None:
    torch.manual_seed(0)
    shape = (3, 36) if name.startswith("recurrent") else (3, 6, 6)
    model = build_model(section(name, activation=activation, norm=norm, width=8), shape, 3, 0.1)
    x, y = torch.randn(30, *shape), torch.arange(30) % 3
    x[torch.arange(30), y] += 2.0
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for step in range(40):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        if step == 2:  # not 0: with a branch scale of 0 the branch has no gradient yet
            assert all(p.grad is not None and p.grad.any() for p in model.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(3), abs=0.15)
    assert losses[-1] < 0.8 * losses[0]


def test_every_model_is_tried_here() -> None:
    assert {name.partition("(")[0] for name, _, _ in CASES} == set(catalogue)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [*IMAGES, "convnet(pool=fractional)", "convnet(pool=average)"])
def test_any_image_fits(name: str, shape: tuple[int, ...]) -> None:
    model = build_model(section(name, norm="batch"), shape, 7, 0.0).eval()
    assert model(torch.randn(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize("shape", [(30,), (1,), (4, 6), (2, 3, 4, 5)])
def test_mlp_takes_any_shape(shape: tuple[int, ...]) -> None:
    assert build_model(section("mlp"), shape, 1, 0.0)(torch.randn(5, *shape)).shape == (5, 1)


def test_mlp_without_hidden_layers_is_linear() -> None:
    model = build_model(section("mlp", depth=0), (6,), 2, 0.5)
    assert [type(m) for m in model] == [nn.Linear]


@pytest.mark.parametrize("name", ["convnet", "resnet", "repvgg", "vit"])
@pytest.mark.parametrize("shape", [(30,), (28, 28), (2, 3, 4, 5), (0, 8, 8)])
def test_what_is_no_image_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(RecipeError, match=rf"model.name = {name}: samples of shape .*; it needs images .*; use mlp"):
        build_model(section(name), shape, 2, 0.0)
    with pytest.raises(RecipeError, match=r"model.depth of .*: 0 given; .+; .+"):
        build_model(section(name, depth=0), (1, 8, 8), 2, 0.0)


def test_mlp_order_of_layers() -> None:
    model = build_model(section("mlp", norm="batch", activation="tanh"), (6,), 2, 0.5)
    assert [type(m) for m in model] == [nn.Linear, nn.BatchNorm1d, nn.Tanh, nn.Dropout, nn.Linear]
    assert model[0].bias is None
    assert [type(m) for m in build_model(section("mlp"), (6,), 2, 0.0)] == [nn.Linear, nn.ReLU, nn.Linear]


@pytest.mark.parametrize(("depth", "parameters"), [(3, 269_722), (5, 464_154), (9, 853_018)])
def test_resnet_has_the_size_of_the_paper(depth: int, parameters: int) -> None:
    """He et al. 2015, table 6: 20 layers 0.27M, 32 layers 0.46M, 56 layers 0.85M parameters."""
    model = build_model(section("resnet", depth=depth, width=16, norm="batch"), (3, 32, 32), 10, 0.0)
    assert sum(isinstance(m, nn.Conv2d | nn.Linear) for m in model.modules()) == 6 * depth + 2
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_resnet_block_is_the_formula() -> None:
    torch.manual_seed(0)
    model = build_model(section("resnet", depth=1, norm="layer"), (3, 8, 8), 2, 0.0).double()
    block = model[4]
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    branch = block.norm2(block.conv2(torch.relu(block.norm1(block.conv1(x)))))
    shortcut = torch.zeros(2, 8, 4, 4, dtype=torch.float64)
    shortcut[:, 2:6] = x[:, :, ::2, ::2]
    assert torch.equal(block(x), torch.relu(branch + shortcut))


@pytest.mark.parametrize("name", ["convnet", "resnet", "repvgg"])
def test_channels_last_gives_the_same(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(section(name, norm="batch", width=8), (3, 16, 16), 5, 0.0).double()
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    first = model(x)
    last = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(first, last, rtol=1e-10, atol=1e-12)


def test_a_deep_resnet_without_norm_stays_finite() -> None:
    torch.manual_seed(0)
    model = build_model(section("resnet", depth=40), (3, 8, 8), 2, 0.0)
    assert model(torch.randn(4, 3, 8, 8)).abs().max() < 10


def test_unknown_names_get_the_nearest_spelling() -> None:
    with pytest.raises(RecipeError, match="did you mean 'resnet'"):
        build_model(section("resnett"), (3, 8, 8), 2, 0.0)
    with pytest.raises(RecipeError, match="did you mean 'relu'"):
        build_model(section("mlp", activation="rellu"), (3,), 2, 0.0)


NET = """
from dataclasses import dataclass
from torch import nn
from neighbour import WIDTH

@dataclass
class Sizes:
    hidden: int = WIDTH

class Net(nn.Module):
    def __init__(self, outputs, shape, hidden=Sizes().hidden):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(shape[0], hidden), nn.Linear(hidden, outputs))
    def forward(self, x):
        return self.layers(x)

class Hungry(nn.Module):
    def __init__(self, cheese):
        super().__init__()

def make():
    return nn.Linear(6, 3)

def wrong():
    return "no network"

def breaks(outputs):
    raise ZeroDivisionError("on purpose")

made = nn.Linear(6, 3)
NUMBER = 3
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "neighbour.py").write_text("WIDTH = 5\n")
    return tmp_path / "net.py"


@pytest.mark.parametrize("name", ["Net", "make", "made"])
def test_a_network_from_a_file(net: Path, name: str) -> None:
    path = list(sys.path)
    model = build_foreign(load_module(f"{net}:{name}"), (6,), 3)
    check_forward(model, (6,), 3)
    assert model.training
    assert model(torch.zeros(2, 6)).shape == (2, 3)
    assert sys.path == path


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("net.py", "it has no name of a network; expected FILE.py:Name"),
        ("net.py:", "it has no name of a network"),
        ("net.py:a.b", "it has no name of a network"),
        ("nett.py:Net", r"no file .*nett.py; did you mean 'net.py'"),
        ("nowhere/net.py:Net", "no file"),
        ("net.txt:Net", "not a Python file"),
        ("net.py:Nett", r"has no 'Nett'; did you mean 'Net'\?"),
        ("net.py:NUMBER", "'NUMBER' is of type int; expected an nn.Module"),
        ("net.py:Sizes", "'Sizes' is of type type; expected an nn.Module"),
        ("raises.py:Net", "running it raised ValueError: no good"),
        ("leaves.py:Net", "running it raised SystemExit: 3"),
        ("broken.py:Net", r"running it raised SyntaxError: .*line 2\)"),
    ],
)
def test_what_cannot_be_loaded(net: Path, spec: str, says: str) -> None:
    (net.parent / "net.txt").write_text(NET)
    (net.parent / "raises.py").write_text("raise ValueError('no good')")
    (net.parent / "leaves.py").write_text("import sys; sys.exit(3)")
    (net.parent / "broken.py").write_text("\ndef (:")
    with pytest.raises(UsageError, match=says) as error:
        load_module(f"{net.parent}/{spec}")
    assert str(error.value).count("; ") >= 2


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Hungry", "it asks for cheese; only shape and outputs are given; give the others a default"),
        ("wrong", "it returned str; expected an nn.Module"),
        ("breaks", "building it raised ZeroDivisionError: on purpose"),
    ],
)
def test_what_makes_no_network(net: Path, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        build_foreign(load_module(f"{net}:{name}"), (6,), 3)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            nn.Linear(6, 4),
            r"an input of shape \(2, 6\) gave \(2, 4\); expected an output of shape \(2, 3\); .*3 outputs",
        ),
        (nn.Linear(5, 3), r"an input of shape \(2, 6\) raised RuntimeError: .*; expected an output of shape \(2, 3\)"),
        (nn.LSTM(6, 3), "gave tuple"),
    ],
)
def test_check_forward(model: nn.Module, says: str) -> None:
    before = torch.get_rng_state()
    with pytest.raises(UsageError, match=says):
        check_forward(model, (6,), 3)
    assert model.training and torch.equal(before, torch.get_rng_state())

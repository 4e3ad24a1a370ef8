"""Highway, RepVGG, the vision transformer and recurrent networks against their formulas in NumPy, float64."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from dressage.errors import RecipeError
from dressage.models import build_model
from dressage.recipe import Model

Array = np.ndarray
NETWORKS = [
    ("highway", (6,), "none"),
    ("repvgg", (2, 8, 8), "batch"),
    ("vit(pool=token)", (1, 8, 8), "layer"),
    ("recurrent", (5, 3), "layer"),
    ("recurrent(cell=lstm, pool=mean)", (5, 3), "layer"),
    ("convnet(pool=fractional)", (1, 8, 8), "batch"),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(name: str, shape: tuple[int, ...], outputs: int, **given: object) -> nn.Module:
    """A network in float64 whose every parameter and statistic is drawn, so that none hides behind a 0 or a 1."""
    torch.manual_seed(3)
    model = build_model(Model.model_validate({"name": name, **given}), shape, outputs, 0.0).double()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if name.endswith("var") else torch.randn_like(tensor) * 0.4)
    return model


def arrays(model: nn.Module) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def same(found: torch.Tensor, expected: Array) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    mean = x.mean(-1, keepdims=True)
    return weight * (x - mean) / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-5) + bias


def test_highway() -> None:
    model = made("highway(gate=-2.0)", (3, 2), 2, width=4, depth=2, activation="tanh")
    x = np.random.default_rng(0).normal(size=(5, 3, 2))
    w = arrays(model)
    h = np.tanh(x.reshape(5, 6) @ w["1.weight"].T + w["1.bias"])
    for layer in ("3", "4"):
        new = np.tanh(h @ w[f"{layer}.transform.0.weight"].T + w[f"{layer}.transform.0.bias"])
        t = sigmoid(h @ w[f"{layer}.gate.weight"].T + w[f"{layer}.gate.bias"] - 2.0)
        h = t * new + (1 - t) * h
    same(model(torch.from_numpy(x)), h @ w["5.weight"].T + w["5.bias"])


@pytest.mark.parametrize("gate", [-1.0, -3.0])
def test_a_new_highway_carries_most_of_its_input(gate: float) -> None:
    torch.manual_seed(0)
    model = build_model(Model.model_validate({"name": f"highway(gate={gate})", "width": 64, "depth": 1}), (64,), 2, 0.0)
    x = torch.randn(200, 64)
    highway = model[2]
    through = torch.sigmoid(highway.gate(x) + highway.start)
    assert through.median().item() == pytest.approx(sigmoid(np.array(gate)), abs=0.03)


def convolved(x: Array, kernel: Array, stride: int, padding: int) -> Array:
    n, _, height, width = x.shape
    out, _, k, _ = kernel.shape
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    sides = [(side + 2 * padding - k) // stride + 1 for side in (height, width)]
    y = np.zeros((n, out, *sides))
    for i in range(sides[0]):
        for j in range(sides[1]):
            window = padded[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            y[:, :, i, j] = np.einsum("ncab,ocab->no", window, kernel)
    return y


def batch_norm(x: Array, w: dict[str, Array], name: str) -> Array:
    weight, bias, mean, var = (
        w[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
    )
    return weight * (x - mean) / np.sqrt(var + 1e-5) + bias


def test_repvgg() -> None:
    model = made("repvgg", (2, 6, 5), 2, width=3, depth=2, norm="batch").eval()
    x = np.random.default_rng(1).normal(size=(2, 2, 6, 5))
    w, h = arrays(model), x
    for block in range(6):
        stride = 2 if block in (2, 4) else 1
        total = batch_norm(convolved(h, w[f"{block}.conv3.weight"], stride, 1), w, f"{block}.norm3")
        total = total + batch_norm(convolved(h, w[f"{block}.conv1.weight"], stride, 0), w, f"{block}.norm1")
        if block % 2:  # the second of each stage keeps the shape, so it has the identity
            total = total + batch_norm(h, w, f"{block}.norm0")
        assert (f"{block}.norm0.weight" in w) == bool(block % 2)
        h = np.maximum(total, 0)
    same(model(torch.from_numpy(x)), h.mean((2, 3)) @ w["8.weight"].T + w["8.bias"])


def test_a_block_of_repvgg_is_one_convolution_once_it_is_trained() -> None:
    block = made("repvgg", (3, 6, 6), 2, width=3, depth=1, norm="batch")[0].eval()
    kernel, bias = torch.zeros(3, 3, 3, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    identity = torch.eye(3, dtype=torch.float64)[:, :, None, None]
    branches = ((block.conv3.weight, block.norm3), (block.conv1.weight, block.norm1), (identity, block.norm0))
    with torch.no_grad():
        for weight, norm in branches:
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            kernel += nn.functional.pad(weight, [(3 - weight.shape[3]) // 2] * 4) * scale[:, None, None, None]
            bias += norm.bias - norm.running_mean * scale
        x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
        fused = torch.relu(nn.functional.conv2d(x, kernel, bias, padding=1))
    torch.testing.assert_close(block(x), fused, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("pool", ["mean", "token"])
def test_vit(pool: str) -> None:
    heads, width, patch = 2, 4, 2
    model = made(
        f"vit(patch=2, heads=2, pool={pool})", (3, 4, 6), 2, width=width, depth=2, norm="layer", activation="tanh"
    )
    x = np.random.default_rng(2).normal(size=(2, 3, 4, 6))
    w = arrays(model)
    cut = x.reshape(2, 3, 2, patch, 3, patch).transpose(0, 2, 4, 1, 3, 5).reshape(2, 6, 3 * patch * patch)
    h = cut @ w["patches.weight"].reshape(width, -1).T + w["patches.bias"]
    if pool == "token":
        h = np.concatenate([np.broadcast_to(w["token"], (2, 1, width)), h], axis=1)
    h = h + w["places"].reshape(-1, width)
    for b in ("blocks.0", "blocks.1"):
        z = layer_norm(h, w[f"{b}.norm1.weight"], w[f"{b}.norm1.bias"])
        q, k, v = np.split(z @ w[f"{b}.attention.given.weight"].T + w[f"{b}.attention.given.bias"], 3, axis=2)
        each = []
        for head in range(heads):
            own = slice(head * width // heads, (head + 1) * width // heads)
            scores = q[..., own] @ k[..., own].transpose(0, 2, 1) / math.sqrt(width // heads)
            weights = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
            each.append(weights @ v[..., own])
        h = h + np.concatenate(each, axis=2) @ w[f"{b}.attention.joined.weight"].T + w[f"{b}.attention.joined.bias"]
        z = layer_norm(h, w[f"{b}.norm2.weight"], w[f"{b}.norm2.bias"])
        hidden = np.tanh(z @ w[f"{b}.hidden.weight"].T + w[f"{b}.hidden.bias"])
        h = h + hidden @ w[f"{b}.out.weight"].T + w[f"{b}.out.bias"]
    h = layer_norm(h, w["norm.weight"], w["norm.bias"])
    h = h[:, 0] if pool == "token" else h.mean(1)
    same(model(torch.from_numpy(x)), h @ w["head.weight"].T + w["head.bias"])


def gru(x: Array, w: dict[str, Array], name: str) -> Array:
    h, states = np.zeros((len(x), w[f"{name}.weight_hh_l0"].shape[1])), []
    for t in range(x.shape[1]):
        r, z, n = np.split(x[:, t] @ w[f"{name}.weight_ih_l0"].T + w[f"{name}.bias_ih_l0"], 3, axis=1)
        rh, zh, nh = np.split(h @ w[f"{name}.weight_hh_l0"].T + w[f"{name}.bias_hh_l0"], 3, axis=1)
        update = sigmoid(z + zh)
        h = (1 - update) * np.tanh(n + sigmoid(r + rh) * nh) + update * h
        states.append(h)
    return np.stack(states, axis=1)


def lstm(x: Array, w: dict[str, Array], name: str) -> Array:
    h = np.zeros((len(x), w[f"{name}.weight_hh_l0"].shape[1]))
    c, states = h, []
    for t in range(x.shape[1]):
        given = x[:, t] @ w[f"{name}.weight_ih_l0"].T + w[f"{name}.bias_ih_l0"]
        i, f, g, o = np.split(given + h @ w[f"{name}.weight_hh_l0"].T + w[f"{name}.bias_hh_l0"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


@pytest.mark.parametrize(("cell", "pool"), [("gru", "last"), ("gru", "mean"), ("lstm", "last"), ("lstm", "mean")])
def test_recurrent(cell: str, pool: str) -> None:
    model = made(f"recurrent(cell={cell}, pool={pool})", (5, 3), 2, width=4, depth=2, norm="layer")
    x = np.random.default_rng(4).normal(size=(6, 5, 3))
    w, h = arrays(model), x
    for layer in "01":
        h = (gru if cell == "gru" else lstm)(h, w, f"cells.{layer}")
        h = layer_norm(h, w[f"norms.{layer}.weight"], w[f"norms.{layer}.bias"])
    h = h[:, -1] if pool == "last" else h.mean(1)
    same(model(torch.from_numpy(x)), h @ w["head.weight"].T + w["head.bias"])


@pytest.mark.parametrize(("name", "shape", "norm"), NETWORKS)
def test_a_network_compiles_exports_and_takes_half_precision(name: str, shape: tuple[int, ...], norm: str) -> None:
    torch.manual_seed(0)
    section = Model.model_validate({"name": name, "width": 8, "depth": 1, "norm": norm})
    model, x = build_model(section, shape, 3, 0.0), torch.randn(6, *shape)
    model.eval()
    # Dynamo does not look into torch's GRU and LSTM: it calls them between two graphs.
    compiled = torch.compile(model, backend="eager", fullgraph="recurrent" not in name)
    assert torch.equal(compiled(x), model(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own GRU
        exported = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("rows")},)).module()
    torch.testing.assert_close(exported(x[:4]), model(x[:4]))
    with torch.autocast("cpu", torch.bfloat16):
        half = model.train()(x)
    half.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    twin = build_model(section, shape, 3, 0.0)
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin.eval()(x), model.eval()(x))


@pytest.mark.parametrize(
    ("name", "shape", "given", "count"),
    [
        ("highway", (6,), {"norm": "none"}, (6 + 1) * 8 + 2 * 2 * 9 * 8 + 9 * 3),
        ("repvgg", (2, 8, 8), {"norm": "batch"}, sum(10 * m * n + 4 * n + 2 * n * (m == n) for m, n in
            ((2, 8), (8, 8), (8, 16), (16, 16), (16, 32), (32, 32))) + 33 * 3),
        ("vit", (3, 8, 8), {"norm": "layer"}, (3 * 16 + 1) * 8 + 4 * 8 + 2 * (12 * 64 + 13 * 8) + 16 + 9 * 3),
        ("vit(pool=token)", (3, 8, 8), {"norm": "layer"}, 49 * 8 + 6 * 8 + 2 * (12 * 64 + 13 * 8) + 16 + 9 * 3),
        ("recurrent", (5, 3), {"norm": "layer"}, 3 * (3 + 10) * 8 + 3 * (8 + 10) * 8 + 4 * 8 + 9 * 3),
        ("recurrent(cell=lstm)", (5, 3), {"norm": "none"}, 4 * (3 + 10) * 8 + 4 * (8 + 10) * 8 + 9 * 3),
    ],
)  # fmt: skip
def test_parameters_are_as_many_as_is_said(name: str, shape: tuple[int, ...], given: dict, count: int) -> None:
    model = build_model(Model.model_validate({"name": name, "width": 8, "depth": 2, **given}), shape, 3, 0.0)
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize(
    ("name", "shape", "given", "says"),
    [
        ("highway", (6,), {"depth": 0}, "model.depth of highway: 0 given"),
        ("highway(gate=1e999)", (6,), {}, "highway.gate: inf given"),
        ("repvgg", (1, 8, 8), {"norm": "layer"}, "model.norm of repvgg: 'layer' given; expected batch"),
        ("vit(patch=3)", (1, 8, 8), {"norm": "layer"}, r"vit.patch: 3 given for images of 8 × 8 pixels; .*patch=2"),
        ("vit(patch=0)", (1, 8, 8), {"norm": "layer"}, "vit.patch: 0 given"),
        ("vit(heads=3)", (1, 8, 8), {"norm": "layer"}, "vit.heads: 3 given for a width of 8"),
        ("vit(pool=max)", (1, 8, 8), {"norm": "layer"}, "vit.pool: 'max' given"),
        ("vit", (1, 8, 8), {"norm": "batch"}, "model.norm of vit: 'batch' given; expected layer"),
        ("recurrent", (8,), {"norm": "layer"}, r"samples of shape \(8,\); it needs sequences.*give x as \(N, T, 1\)"),
        ("recurrent", (1, 8, 8), {"norm": "layer"}, "it needs sequences"),
        ("recurrent(cell=rnn)", (5, 3), {"norm": "layer"}, "recurrent.cell: 'rnn' given"),
        ("recurrent(pool=max)", (5, 3), {"norm": "layer"}, "recurrent.pool: 'max' given"),
        ("recurrent", (5, 3), {"norm": "batch"}, "model.norm of recurrent: 'batch' given"),
        ("convnet(pool=maxx)", (1, 8, 8), {}, "no such pool; did you mean 'max'"),
        ("convnet(pol=max)", (1, 8, 8), {}, "no option 'pol'; did you mean 'pool'"),
    ],
)
def test_what_a_network_cannot_be(name: str, shape: tuple[int, ...], given: dict, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as error:
        build_model(Model.model_validate({"name": name, "width": 8, "depth": 1, **given}), shape, 2, 0.0)
    assert str(error.value).count("; ") >= 2


@pytest.mark.parametrize("name", ["resnet", "repvgg"])
def test_a_residual_block_with_maxout_adds_its_shortcut_to_the_largest_piece(name: str) -> None:
    """max_p(branch_p + x) = x + max_p branch_p; in repvgg the identity has a norm for each piece."""
    torch.manual_seed(1)
    block = made(name, (2, 6, 6), 2, width=2, depth=1, norm="batch", activation="maxout(pieces=3)")[
        3 * (name == "resnet")
    ].eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    x, w = np.random.default_rng(3).normal(size=(2, 2, 6, 6)), arrays(block)
    if name == "resnet":
        h = batch_norm(convolved(x, w["conv1.weight"], 1, 1), w, "norm1").reshape(2, 3, 2, 6, 6).max(1)
        wanted = x + batch_norm(convolved(h, w["conv2.weight"], 1, 1), w, "norm2").reshape(2, 3, 2, 6, 6).max(1)
    else:
        three = batch_norm(convolved(x, w["conv3.weight"], 1, 1), w, "norm3")
        one = batch_norm(convolved(x, w["conv1.weight"], 1, 0), w, "norm1")
        wanted = (three + one + batch_norm(np.tile(x, (1, 3, 1, 1)), w, "norm0")).reshape(2, 3, 2, 6, 6).max(1)
    same(block(torch.from_numpy(x)), wanted)

"""The graph of a batch: values and gradients against hand-computed numbers, expressions of the notes, the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import dressage
from command import call, process
from dressage.errors import UsageError
from dressage.graph import Trace, trace, trace_expression
from dressage.graph.expression import numbers_of
from dressage.graph.formulas import FORMULAS

CIRCUIT = {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0}


def gradients(found: Trace) -> dict[str, float]:
    return {node.name: node.gradient.mean for node in found.nodes if node.gradient is not None}


def test_the_first_example_of_the_notes() -> None:
    found = trace_expression("f = (x + y) * z", {"x": -2, "y": 5, "z": -4})
    assert [node.value.mean for node in found.nodes] == [-2, 5, -4, 3, -12]
    assert gradients(found) == {"x": -4, "y": -4, "z": 3, "x + y": -4, "f = (x + y) * z": 1}
    last = found.nodes[-1]
    assert last.operation == "mul" and [(edge.of, edge.local) for edge in last.edges] == [(3, -4), (2, 3)]


def test_the_sigmoid_of_the_notes() -> None:
    found = trace_expression("1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))", CIRCUIT)
    told = gradients(found)
    assert found.loss == pytest.approx(0.73, abs=0.005)  # as L6 and C784 round them
    expected = {"w0": -0.20, "x0": 0.39, "w1": -0.39, "x1": -0.59, "w2": 0.20}
    assert {name: told[name] for name in CIRCUIT} == pytest.approx(expected, abs=0.005)
    assert told["w2"] == pytest.approx((1 - found.loss) * found.loss)


@pytest.mark.parametrize(
    "written", ["x*x + x", "max(x, y) * relu(x - y)", "tanh(x)**2 / y - 3", "-sqrt(abs(x*y)) + log(y)"]
)
def test_each_gradient_is_the_sum_of_upstream_times_local(written: str) -> None:
    at, small = {"x": 1.5, "y": 0.7}, 1e-6
    found = trace_expression(written, at)
    assert [node.number for node in found.nodes] == list(range(len(found.nodes)))
    for node in found.nodes[:-1]:
        if node.gradient is not None:
            ways = [u.gradient.mean * e.local for u in found.nodes for e in u.edges if e.of == node.number]
            assert node.gradient.mean == pytest.approx(sum(ways))
    for name in at:
        up, down = (trace_expression(written, {**at, name: at[name] + s * small}).loss for s in (1, -1))
        assert gradients(found).get(name, 0.0) == pytest.approx((up - down) / (2 * small), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("x + q", "has no value"),
        ("__import__('os')", "is no part"),
        ("x.real", "is no part"),
        ("x if x else y", "is no part"),
        ("expp(x)", "did you mean 'exp'"),
        ("max(x)", "expected 2"),
        ("x +", "cannot be read"),
        ("x; y", "cannot be read"),
        ("(" * 300 + "x" + ")" * 300, "cannot be read"),
        ("x + 1" + "0" * 400, "too large"),
        ("1 + 2", "no gradient"),
        ("True + x", "is no part"),
        ("exp(x, base=2)", "is no part"),
    ],
)
def test_what_is_no_formula_is_refused(written: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        trace_expression(written, {"x": 1.0, "y": 2.0})


@pytest.mark.parametrize("word", ["x", "x=", "x=two", "2=3", "lambda=1", "exp=1", "=1"])
def test_what_is_no_value_is_refused(word: str) -> None:
    with pytest.raises(UsageError):
        numbers_of((word,))
    with pytest.raises(UsageError):
        numbers_of(("x=1", "x=2"))


@pytest.mark.parametrize("written", ["-" * 490 + "x", "x" + "**-x" * 120])
def test_what_is_nested_deeply_is_traced_or_refused(written: str) -> None:
    try:
        assert trace_expression(written, {"x": 1.0}).loss == 1
    except UsageError as error:
        assert "nested too deeply" in str(error)


def test_names_are_those_that_python_reads() -> None:
    assert trace_expression("µ * 2", numbers_of(("µ=3",))).loss == 6  # two signs of one name


def test_a_spelling_that_python_warns_of_is_told_in_one_line() -> None:
    done = process("trace", "1if x", "x=1")
    assert done.code == 2 and "cannot be read" in done.err and "Warning" not in done.err


def test_a_formula_without_values_is_told_what_it_needs() -> None:
    done = call("trace", "f = (x + y) * z")
    assert done.code == 2 and "give it: x=1" in done.err


def test_a_network_is_what_numpy_says_of_it() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1])
    found = trace(net, (x, y), nn.functional.cross_entropy)
    a, b, c, d = (p.detach().numpy() for p in net.parameters())
    z = x.numpy() @ a.T + b
    h = np.maximum(0, z)
    o = h @ c.T + d
    p = np.exp(o) / np.exp(o).sum(1, keepdims=True)
    go = (p - np.eye(2)[y]) / 5
    gz = go @ c * (z > 0)
    values = {"linear": [z, o], "relu": [h], "cross_entropy": [-np.log(p[np.arange(5), y]).mean()]}
    back = {"x": gz @ a, "0.weight": gz.T @ x.numpy(), "0.bias": gz.sum(0), "2.weight": go.T @ h, "2.bias": go.sum(0)}
    for operation, known in values.items():
        nodes = [node for node in found.nodes if node.operation == operation]
        for node, value in zip(nodes, known, strict=True):
            assert (node.value.mean, node.value.sd) == pytest.approx((value.mean(), value.std()))
            assert (node.value.low, node.value.high) == pytest.approx((value.min(), value.max()))
    for node in found.nodes:
        if node.name in back and node.is_leaf:
            assert node.gradient.norm == pytest.approx(np.linalg.norm(back[node.name])), node.name
            assert node.shape == back[node.name].shape
    hidden = next(node for node in found.nodes if node.operation == "relu")
    assert hidden.gradient.norm == pytest.approx(np.linalg.norm(go @ c)) and hidden.formula == "max(0, x)"


def test_tracing_leaves_everything_as_it_was() -> None:
    net = nn.Sequential(
        nn.ReLU(inplace=True), nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Dropout(0.5)
    )
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x, state = torch.randn(6, 3), torch.get_rng_state()
    kept = x.clone()
    first, again = trace(net, x), trace(net, x)
    assert torch.get_rng_state().equal(state) and first == again and x.equal(kept) and not x.requires_grad
    assert all(v.equal(before[k]) for k, v in net.state_dict().items()) and all(
        p.grad is None for p in net.parameters()
    )
    assert [n.operation for n in first.nodes if not n.is_leaf] == [
        "relu",
        "linear",
        "batch_norm",
        "relu",
        "dropout",
        "sum",
    ]
    assert not any(handles for m in net.modules() for handles in (m._forward_hooks, m._forward_pre_hooks))


def test_layers_that_are_one_call_are_one_node() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.gru, self.head = nn.Embedding(7, 4), nn.GRU(4, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.gru(self.table(x))[0][:, -1])

    found = trace(Words(), (torch.randint(0, 7, (3, 6)), torch.tensor([0, 1, 1])), nn.functional.cross_entropy)
    ran = [node.operation for node in found.nodes if not node.is_leaf]
    assert ran[:2] == ["embedding", "gru"] and ran[-2:] == ["linear", "cross_entropy"]
    assert all(n.gradient is not None for n in found.nodes if n.operation == "parameter")


def test_the_formulas_are_those_of_the_functions() -> None:
    """Those of one input, at a number; their rules at g = 1."""
    said = {
        "exp": (np.exp, np.exp),
        "square": (np.square, lambda x: 2 * x),
        "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    }
    for name, (function, slope) in said.items():
        x = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        y = getattr(torch, name)(x)
        y.backward()
        assert float(y.detach()) == pytest.approx(function(0.7)) and float(x.grad) == pytest.approx(slope(0.7))
    assert all(forward and reverse for forward, reverse in FORMULAS.values())


def test_the_command_traces_data_runs_and_expressions(tmp_path: Path) -> None:
    recipe = {"model": {"width": 8, "depth": 1}, "train": {"epochs": 1, "refit": False}, "watch": {"diagnose": False}}
    run = dressage.train("iris", recipe=recipe, out=tmp_path / "run")
    done = process("trace", "f = (x + y) * z", "x=-2", "y=5", "z=-4")
    assert done.code == 0 and "-4 · 1" in done.out and "(x + y) * z" in done.out, done.err
    of_run, of_data = call("trace", run.folder, "--json"), call("trace", "iris", "--model.width", 8, "--model.depth", 1)
    assert of_run.json["nodes"][-1]["operation"] == "cross_entropy" and "x Wᵀ + b" in of_data.out
    weight = next(n for n in of_run.json["nodes"] if n["name"] == "0.weight")
    assert weight["value"]["norm"] == pytest.approx(float(run.model.state_dict()["0.weight"].norm()), rel=1e-6)
    for words in (
        ("x + q", "x=1"),
        ("iris", "--rows", 0),
        (run.folder, "--model.width", 9),
        ("irisx",),
        ("iris", "x=1"),
    ):
        answer = call("trace", *words)
        assert answer.code in (2, 3) and len(answer.errors) == 1, answer.err

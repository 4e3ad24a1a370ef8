"""`dressage trace RUN|DATA` and `dressage trace "f = (x + y) * z" x=-2 y=5 z=-4`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, table
from dressage.errors import UsageError
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from dressage.graph import Node, Trace

MOST = 10_000
"""Rows of a batch that is small."""


@with_recipe
def trace(
    what: str,
    /,
    *values: str,
    rows: int = 8,
    model: str | None = None,
    recipe: Recipe,
    output: Output | None = None,
) -> None:
    """The graph of one small batch: each operation with its formula and value, and the gradient that comes back to it.

    For example:
      dressage trace digits --model.width 16
      dressage trace runs/flowers
      dressage trace "f = (x + y) * z" x=-2 y=5 z=-4

    Parameters
    ----------
    what
        Data as for `dressage train`: the first weights are looked at. Or the folder of a run: those that predict. Or an
        expression of + - * / **, numbers, and exp, log, sqrt, sin, cos, tanh, sigmoid, relu, abs, max, min.
    values
        Of the names in an expression, e.g. x=-2 y=5.
    rows
        Training rows in the batch.
    model
        FILE.py:Name, a network of your own.
    """
    output = output or Output()
    if not 1 <= rows <= MOST:
        raise UsageError.of("--rows", f"{rows} given", f"expected 1 to {MOST:,}", "e.g. --rows 8")
    found = (
        _of_expression(what, values) if values or _is_formula(what) else _of_network(what, rows, model, recipe, output)
    )
    output.result(found.to_json(), lines(found, output))


def _of_expression(written: str, values: tuple[str, ...]) -> Trace:
    from dressage.graph.expression import numbers_of, trace_expression

    return trace_expression(written, numbers_of(values))


def _is_formula(what: str) -> bool:
    """Whether a name is given to something, so that it is told which values are missing."""
    return re.match(r"\s*\w+\s*=", what) is not None and not Path(what).exists()


def _of_network(what: str, rows: int, model: str | None, recipe: Recipe, output: Output) -> Trace:
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.prepare import prepare
    from dressage.resolve import given_paths
    from dressage.run_statistics import first_trace, run_trace

    network = load_network(model, output)
    if (Path(what) / "recipe.toml").is_file():
        if given := sorted(given_paths(recipe)):
            found = f"{given[0]} given with a run"
            raise UsageError.of(
                "trace", found, "a run has its recipe", "leave it out, or give data in place of the run"
            )
        return run_trace(Path(what), rows, network)
    with Progress(output) as progress:
        return first_trace(prepare(what, recipe, model=network, progress=progress.opening), rows)


def lines(found: Trace, output: Output) -> Iterator[str]:
    """Forward from the inputs to the loss, then from the loss back."""
    yield output.bold("forward")
    forward = _numbers_forward if found.is_of_numbers else _forward
    yield from forward(found, output)
    yield ""
    yield output.bold(f"in reverse: ∂L of each, L = {found.loss:.6g}; g is the gradient that comes in")
    reverse = _numbers_reverse if found.is_of_numbers else _reverse
    yield from reverse(found, output)


def _numbers_forward(found: Trace, output: Output) -> list[str]:
    head = ["#", "node", "value", "computes", "of"]
    return table(
        head, [(n.number, n.name or n.operation, n.value.mean, n.formula, _of(n)) for n in found.nodes], output
    )


def _numbers_reverse(found: Trace, output: Output) -> list[str]:
    rows = []
    for node in reversed(found.nodes):
        if node.gradient is not None:
            users = [(user, edge.local) for user in found.nodes for edge in user.edges if edge.of == node.number]
            ways = [f"{user.gradient.mean:.4g} · {local:.4g}" for user, local in users if user.gradient is not None]
            rows.append((node.number, node.name or node.operation, node.gradient.mean, " + ".join(ways) or "∂L/∂L"))
    return table(["#", "node", "gradient", "upstream · local"], rows, output)


def _forward(found: Trace, output: Output) -> list[str]:
    head = ["#", "operation", "where", "of", "shape", "mean", "sd", "min", "max", "computes"]
    rows = [
        (
            n.number,
            n.operation,
            cell(n.name, 40),
            _of(n),
            _shape(n),
            n.value.mean,
            n.value.sd,
            n.value.low,
            n.value.high,
            n.formula,
        )
        for n in found.nodes
    ]
    return table(head, rows, output)


def _reverse(found: Trace, output: Output) -> list[str]:
    rows = [
        (n.number, n.operation, cell(n.name, 40), _shape(n), n.gradient.mean, n.gradient.sd, n.gradient.norm, n.rule)
        for n in reversed(found.nodes)
        if n.gradient is not None
    ]
    return table(["#", "operation", "where", "shape", "mean", "sd", "norm", "on the way back"], rows, output)


def _of(node: Node) -> str:
    return ", ".join(map(str, node.inputs))


def _shape(node: Node) -> str:
    return " × ".join(map(str, node.shape)) or "one"

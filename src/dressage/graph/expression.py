"""An expression of numbers as a graph: `f = (x + y) * z` with x, y and z. Nothing is evaluated but what is named here."""

from __future__ import annotations

import ast
import keyword
import unicodedata
import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from dressage.errors import UsageError, nearest
from dressage.graph.trace import Recorder, Trace

LONGEST = 500
EXAMPLE = 'e.g. "f = (x + y) * z" x=-2 y=5 z=-4'
FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "sin": torch.sin, "cos": torch.cos, "tanh": torch.tanh,
    "sigmoid": torch.sigmoid, "relu": torch.relu, "abs": torch.abs, "max": torch.maximum, "min": torch.minimum,
}  # fmt: skip
TWO = ("max", "min")
OPERATORS: Mapping[type[ast.operator], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: torch.add, ast.Sub: torch.sub, ast.Mult: torch.mul, ast.Div: torch.div, ast.Pow: torch.pow,
}  # fmt: skip


def trace_expression(written: str, values: Mapping[str, float]) -> Trace:
    """The graph of an expression, forward and in reverse, in float64. L6, C784: f = (x + y)·z at x = −2, y = 5, z = −4.

    Known are + − * / **, numbers, the names that have a value, and exp, log, sqrt, sin, cos, tanh, sigmoid, relu, abs, max, min.
    Raises UsageError for anything else, and for what is nested too deeply.
    """
    try:
        return _traced(*_parsed(written), values)
    except RecursionError:
        found, expected = "it is nested too deeply", "expected fewer signs or brackets around each other"
        raise UsageError.of("expression", found, expected, EXAMPLE) from None


def _traced(tree: ast.expr, name: str, values: Mapping[str, float]) -> Trace:
    inputs = {n: torch.tensor(v, dtype=torch.float64, requires_grad=True) for n, v in values.items()}
    with torch.enable_grad():
        seen = Recorder({n: ("input", t) for n, t in inputs.items()})
        for tensor in inputs.values():
            seen.number_of(tensor)
        with seen:
            found = _value(tree, inputs, seen)
        seen.call(found, f"{name} = {ast.unparse(tree)}" if name else ast.unparse(tree))
        return seen.finish(found)


def numbers_of(words: tuple[str, ...]) -> dict[str, float]:
    """`("x=-2", "y=5")` → the values by name. Raises UsageError."""
    values = {}
    for word in words:
        name, _, text = word.partition("=")
        name = unicodedata.normalize("NFKC", name.strip())  # as Python reads names: µ is μ
        if not name.isidentifier() or keyword.iskeyword(name) or name in FUNCTIONS or name in values:
            raise UsageError.of(word, "is no value of a new name", "expected name=number", EXAMPLE)
        try:
            values[name] = float(text)
        except ValueError:
            raise UsageError.of(word, f"'{text[:40]}' is no number", "expected name=number", EXAMPLE) from None
    return values


def _parsed(written: str) -> tuple[ast.expr, str]:
    """The expression, and the name that it was given."""
    error = UsageError.of("expression", f"{written[:80]!r} cannot be read", "expected a formula", EXAMPLE)
    if len(written) > LONGEST:
        raise error
    try:
        with warnings.catch_warnings(action="ignore"):  # of spellings that Python will refuse one day
            body = ast.parse(written.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise error from None
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return body[0].value, ""
    if len(body) == 1 and isinstance(body[0], ast.Assign) and len(body[0].targets) == 1:
        target = body[0].targets[0]
        if isinstance(target, ast.Name):
            return body[0].value, target.id
    raise error


def _value(node: ast.expr, inputs: Mapping[str, Tensor], seen: Recorder) -> Tensor:
    if isinstance(node, ast.Name):
        if node.id not in inputs:
            expected = nearest(node.id, inputs) if inputs else "no name has a value"
            raise UsageError.of(f"'{node.id}'", "has no value", expected, f"give it: {node.id}=1")
        return inputs[node.id]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _constant(node, seen)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        found = _value(node.operand, inputs, seen).neg()
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        found = OPERATORS[type(node.op)](_value(node.left, inputs, seen), _value(node.right, inputs, seen))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        found = _called(node.func.id, [_value(each, inputs, seen) for each in node.args])
    else:
        expected = "expected + − * / **, numbers, names and functions"
        raise UsageError.of(f"'{ast.unparse(node)[:60]}'", "is no part of a formula", expected, EXAMPLE)
    seen.call(found, ast.unparse(node))
    return found


def _constant(node: ast.Constant, seen: Recorder) -> Tensor:
    try:
        value = float(node.value)  # type: ignore[arg-type]
    except OverflowError:
        raise UsageError.of("expression", "a number is too large", "expected one below 1e308", EXAMPLE) from None
    made = torch.tensor(value, dtype=torch.float64)
    seen.call(made, ast.unparse(node))
    return made


def _called(name: str, given: list[Tensor]) -> Tensor:
    if name not in FUNCTIONS:
        raise UsageError.of(f"'{name}'", "no such function", nearest(name, FUNCTIONS), "correct the spelling")
    wanted = 2 if name in TWO else 1
    if len(given) != wanted:
        raise UsageError.of(f"{name}(…)", f"{len(given)} numbers given", f"expected {wanted}", EXAMPLE)
    return FUNCTIONS[name](*given)

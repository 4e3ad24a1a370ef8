"""A softmax or sigmoid that is taken twice, read off the operations that led to the loss: no data is needed."""

from __future__ import annotations

from collections import deque
from typing import Any

from torch import Tensor

from dressage.findings import Finding

LONGEST = 2000
"""Operations that are looked at, from the loss back."""
TAKES = {"LogSoftmaxBackward0": "softmax", "BinaryCrossEntropyWithLogitsBackward0": "sigmoid"}
"""Operations of a loss that apply the function themselves."""
GIVES = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}
CARRIES = frozenset(
    f"{name}Backward{kind}"
    for name in ("Div", "Mul", "View", "UnsafeView", "Reshape", "Select", "Slice", "Index", "Squeeze", "Unsqueeze")
    for kind in (0, 1)
) | {"TransposeBackward0", "PermuteBackward0", "CloneBackward0", "ToCopyBackward0", "IndexSelectBackward0"}
"""Operations that hand on values as they are, or times a number: a temperature, a choice of rows, another shape."""


def taken_twice(loss: Tensor, step: int) -> list[Finding]:
    """What the loss applies to its outputs, and was applied to them just before."""
    waiting, seen = deque([loss.grad_fn]), set[Any]()
    while waiting and len(seen) < LONGEST:
        node = waiting.popleft()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (kind := TAKES.get(node.name())) and _given_by(node) == kind:
            return [_finding(kind, step)]
        waiting.extend(before for before, _ in node.next_functions)
    return []


def _given_by(node: Any) -> str:
    """The function whose values come to an operation unchanged; empty for any other."""
    while True:
        before = [each for each, _ in node.next_functions if each is not None]
        if len(before) != 1 or before[0].name().startswith("torch::"):
            return ""
        node = before[0]
        if node.name() in GIVES:
            return GIVES[node.name()]
        if node.name() not in CARRIES:
            return ""


def _finding(kind: str, step: int) -> Finding:
    loss = "cross-entropy" if kind == "softmax" else "binary cross-entropy with logits"
    return Finding(
        "loss.double_softmax",
        "warning",
        "loss",
        f"in the operations that lead to the loss of step {step}, {kind} is applied to what {kind} gave: {loss} applies it itself",
        f"{kind} is applied before a loss that applies it itself, which cannot come near 0 then",
        f"give the loss the logits: leave the {kind} out",
        step=step,
        code="return logits",
        confidence=0.85,
    )

"""A network that answers for all its nodes at once, of which the loss takes some, as of a graph: each of these is a row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dressage.subject import Rows
from dressage.subject.inputs import Inputs, Unfold, are_equal, bytes_of, unfold_of_nodes
from dressage.watch.gathered import ENOUGH, LIMIT_BYTES

MOST = 1 << 22
"""Numbers of an output, up to which its rows are looked for among those that the loss was given."""
ALIKE = 0.1
"""Share of the rows that were given, of which each may be one of several: narrow networks give some nodes the same."""


def nodes_among(output: Tensor, given: Tensor) -> Tensor | None:
    """`(n,)` int64: which rows of an output `(N, …)` the loss was given, `(n, …)`, n < N; None where not all are among them.

    Of rows that are alike each is taken once; None where more than a few are.
    """
    if not 0 < len(given) < len(output) or output.numel() > MOST or output.dtype != given.dtype:
        return None
    if not bool((output == given[:1]).reshape(len(output), -1).all(1).any()):
        return None  # at little cost, where it is another output
    rows = torch.cat([output, given]).reshape(len(output) + len(given), -1)
    _, codes = torch.unique(rows, dim=0, return_inverse=True)
    there, asked = (torch.bincount(part, minlength=len(rows)) for part in (codes[: len(output)], codes[len(output) :]))
    if bool((asked > there).any()) or float(there[asked > 0].gt(1).float().mean()) > ALIKE:
        return None
    by_code = codes[len(output) :].argsort(stable=True)
    first = (there.cumsum(0) - there).repeat_interleave(asked)
    nth = torch.arange(len(given), device=codes.device) - (asked.cumsum(0) - asked).repeat_interleave(asked)
    found = torch.empty_like(by_code)
    found[by_code] = codes[: len(output)].argsort(stable=True)[first + nth]
    return found


@dataclass
class Nodes:
    """A pass that was seen: once it is seen again as it was, the nodes that the loss takes can be run as rows."""

    inputs: Inputs | None = None
    index: Tensor | None = None

    def take(self, inputs: Inputs, index: Tensor, targets: Tensor) -> tuple[Unfold, Rows] | None:
        """How a copy is given the pass, and its rows; None while it was seen only once, or where it is another each time."""
        before, known = self.inputs, self.index
        if len(index) < ENOUGH or len(targets) != len(index) or sum(map(bytes_of, inputs.tensors)) > LIMIT_BYTES:
            return None
        self.index = index.cpu()
        self.inputs = replace(inputs, tensors=[t.cpu().clone() for t in inputs.tensors])
        if before is None or known is None or not torch.equal(known, self.index) or before.around != inputs.around:
            return None
        if not all(are_equal(a, b) for a, b in zip(before.tensors, self.inputs.tensors, strict=True)):
            return None
        n = len(index)
        rows = Rows(self.index[:, None], targets.cpu().clone(), n, torch.arange(n), "unknown", n)
        return unfold_of_nodes(self.inputs), rows

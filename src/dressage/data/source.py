"""What opening gives: the rows, their targets, and everything that was assumed on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor
from torch.utils.data import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

Task = Literal["classification", "regression", "multi", "contrastive"]
"""multi: several targets, each a classification or a regression of its own; contrastive: none, views of a sample are matched."""
PARTS = ("train", "train_dev", "validation", "test")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table as it was understood."""

    name: str
    kind: Literal["number", "category", "date", "id", "constant", "text", "target", "group", "time", "ignored"]
    missing: int
    summary: str
    """Range of a number, the commonest values of a category."""
    note: str = ""
    """Why it was taken so, or what was done to it."""
    form: str = ""
    """How its dates are written, as strptime spells it, so that new files are read the same way; `iso`; empty: no dates."""


@dataclass(frozen=True, slots=True)
class Head:
    """One of several targets: its name, and the names of its classes; none: it is a number."""

    name: str
    classes: Sequence[str] = ()

    @property
    def outputs(self) -> int:
        """Outputs of the network that are its own."""
        return len(self.classes) or 1


def spans(heads: Sequence[Head]) -> list[slice]:
    """Where the outputs of each of several targets lie among the network's, in their order."""
    ends = list(accumulate(head.outputs for head in heads))
    return [slice(end - head.outputs, end) for head, end in zip(heads, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class StreamedDataset:
    """A dataset whose samples are drawn anew each epoch; `numbers`: class number of each label (None: targets)."""

    dataset: Dataset[Any]
    numbers: Mapping[Any, int] | None


@dataclass(frozen=True, slots=True)
class Source:
    """Opened data, before any split.

    Shapes: images `(N, H, W, C)` uint8; arrays `(N, ...)` float32 or uint8; tables a pyarrow Table of N rows holding the
    feature columns only. `y` is `(N,)` int64 class numbers, or float32 `(N,)` or `(N, T)`; of several targets, T = heads.
    """

    name: str
    kind: Literal["images", "array", "table"]
    x: Tensor | pa.Table
    y: Tensor
    task: Task
    target: str
    classes: Sequence[str] = ()
    """Name of each class number; empty in a regression."""
    given: Mapping[str, Tensor] = field(default_factory=dict)
    """Row numbers (int64) of the parts that the data itself names (`train`, `validation`, `test`)."""
    group: Tensor | None = None
    """`(N,)` int64: rows of one value stay in one part."""
    time: Tensor | None = None
    """`(N,)` float64: rows are split in this order."""
    ids: Sequence[str] | None = None
    """What a person calls each row: a file's path, a line of a file; None: the row number."""
    columns: Sequence[Column] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)
    """What was assumed, in words: `delimiter`, `encoding`, `target`, `task`, ... -> value with the reason."""
    warnings: Sequence[str] = ()
    fingerprint: str = ""
    """SHA-256 of the content: x, y, the parts and the classes."""
    stream: StreamedDataset | None = None
    """A dataset whose samples are random: training reads its batches here; `x` holds one draw of them."""
    heads: Sequence[Head] = ()
    """The targets, a column of y each, where there are several."""

    @property
    def rows(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the split, ready to be cut into batches.

    `x` `(N, ...)` uint8 or float32 and `y` `(N,)` or `(N, T)` hold the rows of all parts, so that nothing is copied.
    """

    name: str
    x: Tensor
    y: Tensor
    rows: Tensor
    """`(n,)` int64: the rows of `x` and `y` that are this part's; also the key of each sample's random draws."""

    @property
    def targets(self) -> Tensor:
        """`(n,)` or `(n, T)`: the targets of this part."""
        return self.y[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

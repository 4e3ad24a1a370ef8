"""The fitted preprocessing of a run: made from training rows, stored as JSON and tensors, applied to any rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from dressage.data.preprocess.cast import Cast
from dressage.data.preprocess.encode import Block, Encoding, blocks_of, encode
from dressage.data.preprocess.numeric import Fitted, apply_numeric, composed, invert_numeric, spans
from dressage.data.preprocess.principal import Projection
from dressage.data.preprocess.steps import Embedding, Kind, catalogue
from dressage.data.preprocess.target import TargetScale
from dressage.data.source import Column, Head, Task
from dressage.data.tables import NewRows, read_new
from dressage.errors import DataError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Preprocess:
    """What was fitted on the training rows."""

    kind: Kind
    steps: Sequence[str]
    """As written in the recipe."""
    input_shape: tuple[int, ...]
    """Shape of one sample as the network gets it: `(C, H, W)`, `(D,)`."""
    sample_shape: tuple[int, ...]
    """Shape of one sample as it is stored: `(H, W, C)` of an image, `(D,)`."""
    features: Sequence[str]
    """Names of the D columns of a table; empty otherwise."""
    cast: Cast
    """The map of a batch just before the network."""
    target: TargetScale
    encodings: Sequence[Encoding]
    fitted: Sequence[Fitted | Projection]
    """Numeric steps; of images those from the first projection on, the others being in the cast."""
    columns: Sequence[Column]
    """The columns of the training table, for reading new files in the same way."""
    task: Task
    classes: Sequence[str]
    heads: Sequence[Head] = ()

    @property
    def blocks(self) -> list[Block]:
        """The 0/1 features that the network begins by turning into learned vectors; none unless a step asks for that."""
        asked = next((step for step in map(catalogue.build, self.steps) if isinstance(step, Embedding)), None)
        return blocks_of(self.encodings, len(self.features), asked.dim) if asked is not None else []

    def apply(self, x: Tensor | pa.Table) -> Tensor:
        """Once for all rows: tables -> float32 `(N, D)`, arrays -> float32, uint8 images as they are (see `cast`)."""
        if isinstance(x, Tensor):
            return x if self.kind == "images" else self._apply_array(x)
        if self.kind != "table":
            raise DataError.of("data", "a table", f"expected {self.kind} as in training", "give data of the same kind")
        width = len(self.features)
        out = torch.empty(x.num_rows, width)
        for start, stop in spans(x.num_rows, width):
            numbers, flags = encode(x.slice(start, stop - start), self.encodings)
            numbers = apply_numeric(self.fitted, numbers)
            out[start:stop, : numbers.shape[1]] = numbers
            out[start:stop, numbers.shape[1] :] = flags
        return out

    def invert(self, y: Tensor) -> Tensor:
        """What the network gets `(N, *input_shape)` back to samples `(N, *sample_shape)`, float64, pixels on 0…255.

        Exact but for components that were left out: then the nearest sample that would give `y`. Raises DataError for tables.
        """
        if self.kind == "table":
            raise DataError.of("preprocessing", "a table", "expected images or arrays", "look at the table itself")
        y = y.double()
        if self.kind == "images" and self.cast.is_image:
            y = y.permute(0, 2, 3, 1)
        x = invert_numeric(self.fitted, y).reshape(len(y), *self.sample_shape)
        if self.cast.scale is None or self.cast.shift is None:
            return x
        return torch.where(self.cast.scale != 0, (x - self.cast.shift) / self.cast.scale, 0.0)

    def table(self, data: str | Path | pa.Table) -> NewRows:
        """A new file or frame read as the training's was; `.x` goes into `apply`. Raises DataError."""
        if self.kind != "table":
            raise DataError.of("data", "a table", f"expected {self.kind} as in training", "give data of the same kind")
        return read_new(data, self.columns, self.task, self.classes, self.heads)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """JSON-able structure and tensors, from which `from_state` makes the same map, bit for bit."""
        tensors = {
            "cast.scale": self.cast.scale,
            "cast.shift": self.cast.shift,
            "target.mean": self.target.mean,
            "target.scale": self.target.scale,
        }
        for i, step in enumerate(self.fitted):
            tensors |= {f"{i}.{name}": tensor for name, tensor in step.tensors().items()}
        state = {
            "format": FORMAT,
            "kind": self.kind,
            "steps": list(self.steps),
            "input_shape": list(self.input_shape),
            "sample_shape": list(self.sample_shape),
            "task": self.task,
            "classes": list(self.classes),
            **({"heads": [asdict(head) for head in self.heads]} if self.heads else {}),
            "columns": [asdict(c) for c in self.columns],
            "encodings": [{**asdict(e), "levels": list(e.levels)} for e in self.encodings],
            "fitted_rows": [step.rows if isinstance(step, Fitted) else 0 for step in self.fitted],
            "rotated_back": [i for i, step in enumerate(self.fitted) if isinstance(step, Projection) and step.back],
        }
        return state, {name: tensor.contiguous().clone() for name, tensor in tensors.items() if tensor is not None}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Preprocess:
        """The inverse of `to_state`. Raises DataError for another format."""
        if state.get("format") != FORMAT:
            raise DataError.of(
                "preprocessing",
                f"format {state.get('format')!r}",
                f"expected {FORMAT}",
                "use the version of dressage that wrote the run",
            )
        back = state.get("rotated_back", ())
        fitted = [_stored(tensors, i, rows, i in back) for i, rows in enumerate(state["fitted_rows"])]
        encodings = [Encoding(**e) for e in state["encodings"]]
        target = TargetScale(tensors.get("target.mean"), tensors.get("target.scale"))
        columns = [Column(**c) for c in state["columns"]]
        shape = tuple(state["input_shape"])
        kept = (*shape[1:], shape[0]) if state["kind"] == "images" and len(shape) == 3 else shape
        return cls(
            state["kind"],
            state["steps"],
            shape,
            tuple(state.get("sample_shape", kept)),
            feature_names(encodings, fitted),
            cast_of(tensors.get("cast.scale"), tensors.get("cast.shift"), fitted, shape),
            target,
            encodings,
            fitted,
            columns,
            state["task"],
            state["classes"],
            [Head(**head) for head in state.get("heads", ())],
        )

    def _apply_array(self, x: Tensor) -> Tensor:
        if not self.fitted:
            return x.to(torch.float32)
        out = torch.empty(len(x), *self.input_shape)
        for start, stop in spans(len(x), x[0].numel()):
            out[start:stop] = apply_numeric(self.fitted, x[start:stop].double())
        return out


def cast_of(
    scale: Tensor | None, shift: Tensor | None, fitted: Sequence[Fitted | Projection], shape: tuple[int, ...]
) -> Cast:
    """The cast of images to samples of `shape`, or that of what is no image; `fitted` follow the scale and shift."""
    if scale is None or not fitted:
        return Cast(scale, shift)
    matrix, bias = composed(fitted)
    return Cast(scale, shift, matrix, bias, is_image=len(shape) == 3)


def feature_names(encodings: Sequence[Encoding], fitted: Sequence[Fitted | Projection]) -> list[str]:
    """Names of the columns of a table as the network gets them: numbers or what was made of them, then 0/1 features."""
    numbers = [name for e in encodings for name in e.numbers()]
    for step in fitted:
        if isinstance(step, Projection) and encodings:
            count = step.components.shape[1] if step.back else len(step.components)
            numbers = [f"component {i}" for i in range(1, count + 1)]
    return numbers + [name for e in encodings for name in e.flags()]


def _stored(tensors: Mapping[str, Tensor], place: int, rows: int, back: bool) -> Fitted | Projection:
    own = {name.partition(".")[2]: tensor for name, tensor in tensors.items() if name.partition(".")[0] == str(place)}
    if "components" in own:
        return Projection(own["mean"], own["components"], own["variances"], own["gain"], back)
    return Fitted(own["scale"], own["shift"], own.get("ranked"), own.get("quantiles"), rows)

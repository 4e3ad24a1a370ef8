"""Several inputs of one network: rows of all beside one another in one matrix, and the hook that makes inputs of it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from dressage.subject.outputs import Join, Pick, losses_of

Make = Callable[[Iterator[Tensor]], Any]
"""What puts tensors back into the places of a tree that they were taken from."""
EXACT = 1 << 24
"""Whole numbers up to which a float32 is exact."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one forward pass was given: `(args, kwargs)` as tensors, and what stands around them."""

    tensors: list[Tensor]
    make: Make
    around: str
    """What else was given, and in which form: passes of other forms are not mixed."""

    def __len__(self) -> int:
        """Rows of the first tensor."""
        return next((len(t) for t in self.tensors if t.ndim), 0)


def is_single(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a forward pass was given one tensor and nothing else."""
    given = [a for a in (*args, *kwargs.values()) if a is not None]
    return len(given) == 1 and isinstance(given[0], Tensor)


def inputs_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Inputs:
    """The tensors of a forward pass: in tuples, lists and mappings too, packed sequences as padded rows and their lengths."""
    tensors: list[Tensor] = []
    around: list[str] = []
    make = _taken((args, dict(kwargs)), tensors, around)
    return Inputs(tensors, make, " ".join(around))


def _taken(tree: Any, tensors: list[Tensor], around: list[str]) -> Make:
    if isinstance(tree, Tensor):
        tensors.append(tree.detach())
        around.append(f"{tree.dtype}:{tree.ndim}")
        return next
    if isinstance(tree, PackedSequence):
        padded, lengths = pad_packed_sequence(tree, batch_first=True)
        tensors += [padded.detach(), lengths]
        around.append("packed")
        return lambda left: pack_padded_sequence(next(left), next(left).cpu(), True, enforce_sorted=False)
    if isinstance(tree, Mapping):
        around.append(f"{type(tree).__name__}{list(tree)}")
        values = {name: _taken(value, tensors, around) for name, value in tree.items()}
        kind = type(tree)
        return lambda left: _as(kind, {name: make(left) for name, make in values.items()})
    if isinstance(tree, tuple | list):
        around.append(f"{type(tree).__name__}{len(tree)}")
        parts, sort = [_taken(value, tensors, around) for value in tree], type(tree)
        return lambda left: _row_of(sort, [make(left) for make in parts])
    around.append(repr(tree) if isinstance(tree, bool | int | float | str | None) else type(tree).__name__)
    return lambda left: tree


def _as(kind: type, values: dict[str, Any]) -> Any:
    return values if kind is dict else kind(values)


def _row_of(kind: type, values: list[Any]) -> Any:
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


@dataclass(frozen=True, slots=True)
class Part:
    """One tensor of the inputs: rows of a shape and type, or what is passed to each batch as it is."""

    shape: torch.Size
    dtype: torch.dtype
    fixed: Tensor | None = None
    is_blank: bool = False
    """Whether its rows are left out, and zeros given in their place: labels, which do not change what is predicted."""
    is_target: bool = False
    """Whether it is the targets themselves, given on purpose: for a margin, or as what is to be made."""

    names_output: bool = False
    """Whether it is the number of a row of the output, of which nothing is to be learned."""

    @property
    def is_folded(self) -> bool:
        """Whether it has columns in the matrix of rows."""
        return self.fixed is None and not self.is_blank

    def rows(self, count: int, device: torch.device) -> Tensor:
        """What stands in its place where it has no columns."""
        return (
            self.fixed.to(device)
            if self.fixed is not None
            else torch.zeros(count, *self.shape, dtype=self.dtype, device=device)
        )


@dataclass(slots=True)
class Unfold:
    """Takes rows apart again: `(N, D)` to the inputs of a network. A forward pre-hook, which copies of the network carry."""

    make: Make
    parts: list[Part]
    own_loss: int | None = None
    """Which of the numbers that the network gives is its loss: then it stands for each row's output."""
    names_outputs: bool = False
    """Whether the first part is the number of a row of the output, of a pass that is otherwise always the same."""
    rows: int = field(default=0, init=False)
    named: Tensor | None = field(default=None, init=False)

    @property
    def width(self) -> int:
        """Columns."""
        return sum(p.shape.numel() for p in self.parts if p.is_folded)

    @property
    def keeps_numbers(self) -> bool:
        """Whether some columns are whole numbers, which name or count things and cannot be scaled."""
        return any(p.is_folded and not p.dtype.is_floating_point for p in self.parts)

    @property
    def dtype(self) -> torch.dtype:
        """Of the matrix: in which all parts are exact."""
        kinds = {p.dtype for p in self.parts if p.is_folded}
        if not any(k.is_floating_point for k in kinds):
            return torch.int64
        return torch.float64 if torch.float64 in kinds else torch.float32

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def fold(self, tensors: list[Tensor]) -> Tensor:
        """`(N, D)`, sequences padded with 0."""
        flat = [
            _padded(t, p.shape).reshape(len(t), -1) for t, p in zip(tensors, self.parts, strict=True) if p.is_folded
        ]
        return torch.cat([f.to(self.dtype) for f in flat], 1)

    def takes(self, tensors: list[Tensor]) -> bool:
        """Whether such inputs fit in."""
        rows = [(t, p) for t, p in zip(tensors, self.parts, strict=True) if p.fixed is None]
        if any(
            t.ndim != len(p.shape) + 1 or any(a > b for a, b in zip(t.shape[1:], p.shape, strict=True)) for t, p in rows
        ):
            return False
        whole = [t for t, _ in rows if not t.is_floating_point() and t.dtype != torch.bool and t.numel()]
        return self.dtype != torch.float32 or all(int(t.abs().max()) < EXACT for t in whole)

    def stand(self, model: nn.Module) -> list[Any]:
        """Puts the hooks up; their handles."""
        handles: list[Any] = [model.register_forward_pre_hook(self, with_kwargs=True)]
        if self.own_loss is not None:
            handles.append(model.register_forward_hook(self._loss))
        if self.names_outputs:
            handles.append(model.register_forward_hook(self._of_named))
        return handles

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs or len(args) != 1 or not isinstance(args[0], Tensor) or args[0].shape[1:] != (self.width,):
            return None
        x = args[0]
        self.rows = len(x)
        flat = iter(torch.split(x, [p.shape.numel() for p in self.parts if p.is_folded], 1))
        tensors = [
            next(flat).reshape(-1, *p.shape).to(p.dtype).contiguous() if p.is_folded else p.rows(len(x), x.device)
            for p in self.parts
        ]
        if self.names_outputs:
            self.named, *tensors = tensors
        return self.make(iter(tensors))

    def _of_named(self, module: nn.Module, args: Any, output: Any) -> Any:
        named, self.named = self.named, None
        return None if named is None or not isinstance(output, Tensor) else output[named]

    def _loss(self, module: nn.Module, args: Any, output: Any) -> Any:
        losses = losses_of(output)
        return None if self.own_loss is None else losses[self.own_loss].reshape(1).expand(self.rows)


@contextmanager
def hooks_standing(model: nn.Module, unfold: Unfold | None, pick: Pick | Join | None) -> Iterator[None]:
    """The hooks stand meanwhile, and copies that are made of the network keep them."""
    handles: list[Any] = [] if pick is None else [model.register_forward_hook(pick)]
    handles += [] if unfold is None else unfold.stand(model)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def bytes_of(tensor: Tensor) -> int:
    """Of a tensor's numbers, of a sparse one with their places."""
    return sum(t.nbytes for t in _strided(tensor))


def are_equal(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same numbers in the same places; sparse ones too."""
    if a.shape != b.shape or a.layout != b.layout or a.dtype != b.dtype:
        return False
    return all(torch.equal(x, y) for x, y in zip(_strided(a), _strided(b), strict=True))


def _strided(tensor: Tensor) -> list[Tensor]:
    """The dense tensors by which a tensor is kept."""
    if tensor.layout == torch.sparse_coo:
        whole = tensor.coalesce()
        return [whole.indices(), whole.values()]
    return [tensor] if tensor.layout == torch.strided else _strided(tensor.to_sparse_coo())  # type: ignore[no-untyped-call]


def unfold_of(batches: list[Inputs], sizes: list[int]) -> Unfold | None:
    """How to put passes of `sizes` rows into one matrix; None where a tensor is neither rows nor the same in each pass."""
    parts = []
    again = all(
        _are_same(tensors) for tensors in zip(*(b.tensors for b in batches), strict=True)
    )  # all rows in each batch
    for tensors in zip(*(b.tensors for b in batches), strict=True):
        first = tensors[0]
        same = _are_same(tensors)
        are_rows = all(
            t.ndim and t.layout == torch.strided and len(t) == size for t, size in zip(tensors, sizes, strict=True)
        )
        if are_rows and (again or not same or bool((first == first[:1]).all())):
            shape = torch.Size(max(sizes) for sizes in zip(*(t.shape[1:] for t in tensors), strict=True))
            parts.append(Part(shape, first.dtype))
        elif same:
            parts.append(Part(first.shape, first.dtype, first))
        else:
            return None
    return Unfold(batches[0].make, parts) if any(p.fixed is None for p in parts) else None


def unfold_of_nodes(inputs: Inputs) -> Unfold:
    """Rows `(N, 1)` are numbers of rows of the output: the pass is the same each time, and theirs are picked."""
    number = Part(torch.Size(()), torch.int64, names_output=True)
    return Unfold(inputs.make, [number, *(Part(t.shape, t.dtype, t) for t in inputs.tensors)], names_outputs=True)


def _are_same(tensors: Sequence[Tensor]) -> bool:
    return all(are_equal(t, tensors[0]) for t in tensors)


def keeps_numbers(model: nn.Module) -> bool:
    """Whether a network is given rows of which some columns name or count things."""
    return any(isinstance(hook, Unfold) and hook.keeps_numbers for hook in model._forward_pre_hooks.values())


def target_columns(model: nn.Module) -> list[int]:
    """Columns of the rows of a network that are its targets, which it was given as an input of their own."""
    return _marked(model, lambda part: part.is_target)


def untold_columns(model: nn.Module) -> list[int]:
    """Columns that no simple model may learn from: targets, and numbers of outputs."""
    return _marked(model, lambda part: part.is_target or part.names_output)


def _marked(model: nn.Module, which: Callable[[Part], bool]) -> list[int]:
    unfold = next((hook for hook in model._forward_pre_hooks.values() if isinstance(hook, Unfold)), None)
    if unfold is None:
        return []
    folded = [p for p in unfold.parts if p.is_folded]
    marked = [[which(p)] * p.shape.numel() for p in folded]
    return [c for c, is_target in enumerate(m for part in marked for m in part) if is_target]


def _padded(values: Tensor, shape: torch.Size) -> Tensor:
    lacks = [b - a for a, b in zip(values.shape[1:], shape, strict=True)]
    if not any(lacks):
        return values
    return nn.functional.pad(values, [n for lack in reversed(lacks) for n in (0, lack)])

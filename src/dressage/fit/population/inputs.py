"""What the members are given in a step: rows, and noise that each draws as it would alone, keyed by its seed and the step."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dressage.augment.batch import Batch
from dressage.fit.population.member import Form, Member, form_of
from dressage.fit.step import network_input, seed_noise
from dressage.layers.dropped import VanillaDropout
from dressage.layers.noise import GaussianNoise


@dataclass(frozen=True, slots=True)
class Given:
    """One step's rows and noise; what is the same for all K members is there once."""

    x: Tensor
    """`(B, ...)`, or `(K, B, ...)`."""
    y: Tensor
    """`(B, ...)`, or `(K, B, ...)`."""
    noise: dict[int, list[tuple[type[nn.Module], Tensor]]]
    """By the place of the layer before it: what its outputs are multiplied by, or given in addition, `(1 or K, features, B)`:
    rows last."""
    is_shared: bool
    """Whether all see the same rows."""


class Inputs:
    """Where the members' steps come from. Members that see or draw the same are served by one of them."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.forms = [_form(member) for member in members]
        self.noisy_input = any(technique.on_input is not None for technique in members[0].plan.regularize)
        slots = [form.slots() for form in self.forms]
        used = [i for i in range(len(slots[0])) if any(each[i] is not None for each in slots)]
        places, shapes = self.forms[0].places(), self.forms[0].shapes()
        self.places = [places[i] for i in used]
        self.shapes = [shapes[at] for at in self.places]
        self.kinds = [next(type(m) for each in slots if (m := each[i]) is not None) for i in used]
        self.slots = [[each[i] for i in used] for each in slots]
        self.readers, self.read_by = _served([self._stream(k) for k in range(len(members))])
        self.drawers, self.drawn_by = _served([self._draws(k) for k in range(len(members))])

    def epoch(self, step: int, start: int = 0) -> Iterator[Given]:
        """The steps of the epoch from its batch `start` on, which is step `step`."""
        readers = [self.members[k] for k in self.readers]
        each = [reader.batches.epoch(reader.state.epoch, start=start) for reader in readers]
        for at, batches in enumerate(zip(*each, strict=True), start=step):
            for reader in readers:
                reader.state.step = at  # which augmentation is keyed by
            yield self._step(batches, at)

    def _step(self, batches: Sequence[Batch], step: int) -> Given:
        if self.noisy_input:
            noise, pairs = [], []
            for k, batch in enumerate(batches):
                self._seed(k, step)
                pairs.append(self._input(k, batch))
                noise.append(self._drawn(k, len(batch.x)))
        else:
            pairs = [self._input(k, batch) for k, batch in zip(self.readers, batches, strict=True)]
            noise = []
            for k in self.drawers if self.places else ():
                self._seed(k, step)
                noise.append(self._drawn(k, len(batches[0].x)))
        x, y = (_together(tensors, self.read_by) for tensors in zip(*pairs, strict=True))
        return Given(x, y, self._by_place(noise), len(pairs) == 1)

    def _input(self, k: int, batch: Batch) -> tuple[Tensor, Tensor]:
        return network_input(self.members[k].state, batch, self.members[k].plan)

    def _seed(self, k: int, step: int) -> None:
        seed_noise(self.members[k].plan, step, self.members[k].state.device)

    def _drawn(self, k: int, rows: int) -> list[Tensor]:
        """`(B, ...)` of each slot."""
        like = self.members[k].state.weights[0]
        return [_draw(m, like.new_empty(rows, *shape)) for m, shape in zip(self.slots[k], self.shapes, strict=True)]

    def _by_place(self, drawn: Sequence[Sequence[Tensor]]) -> dict[int, list[tuple[type[nn.Module], Tensor]]]:
        found: dict[int, list[tuple[type[nn.Module], Tensor]]] = {}
        for i, (at, kind) in enumerate(zip(self.places, self.kinds, strict=True)):
            stacked = torch.stack([each[i] for each in drawn])
            if len(drawn) > 1 and self.drawn_by is not None:
                stacked = stacked.index_select(0, self.drawn_by)
            found.setdefault(at, []).append((kind, stacked.movedim(1, -1)))
        return found

    def _stream(self, k: int) -> Hashable:
        member = self.members[k]
        keys = tuple(own for own, _ in member.plan.augment)
        return k if self.noisy_input else (member.batches.seed, keys, tuple(member.recipe.augment))

    def _draws(self, k: int) -> Hashable:
        return k if self.noisy_input else (self.members[k].plan.noise, *map(_strength, self.slots[k]))


def _form(member: Member) -> Form:
    form = form_of(member)
    assert not isinstance(form, str)
    return form


def _served(keys: Sequence[Hashable]) -> tuple[list[int], Tensor | None]:
    """The first member of each key, and which of them serves whom; None where each serves itself."""
    order = list(dict.fromkeys(keys))
    first = [keys.index(key) for key in order]
    return first, None if len(order) == len(keys) else torch.tensor([order.index(key) for key in keys])


def _together(tensors: Sequence[Tensor], served: Tensor | None) -> Tensor:
    if len(tensors) == 1:
        return tensors[0]
    stacked = torch.stack(list(tensors))
    return stacked if served is None else stacked.index_select(0, served.to(stacked.device))


def _strength(module: nn.Module | None) -> float:
    if module is None:
        return 0.0
    return float(module.std if isinstance(module, GaussianNoise) else module.p)  # type: ignore[arg-type]


def _draw(module: nn.Module | None, out: Tensor) -> Tensor:
    """What a module draws for `out (B, ...)`, by the calls that it makes itself."""
    if isinstance(module, GaussianNoise):
        return torch.randn_like(out).mul_(module.std)
    if isinstance(module, VanillaDropout):
        return out.bernoulli_(1 - module.p)
    if module is None or not isinstance(module, nn.Dropout) or not module.p:
        return out.fill_(1)
    kept = 1 - float(module.p)
    return out.bernoulli_(kept).div_(kept)

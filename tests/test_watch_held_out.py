"""Validation rows that nobody gave: those of the loop's own validation, as they are compared with its outputs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage

ROWS, HELD, BATCH, CLASSES = 300, 240, 50, 4
Judge = Callable[["Task"], tuple[float | None, float | None]]


class Task:
    """Rows around one of four middles, a part of them held out, and a network for them."""

    def __init__(self, network: nn.Module | None = None) -> None:
        draw = torch.Generator().manual_seed(0)
        self.y = torch.randint(CLASSES, (ROWS + HELD,), generator=draw)
        middles = torch.randn(CLASSES, 8, generator=draw)
        self.x = middles[self.y] + torch.randn(ROWS + HELD, 8, generator=draw)
        self.train, self.held = torch.arange(ROWS), torch.arange(ROWS, ROWS + HELD)
        self.net = network or nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, CLASSES))
        self.given = self.x

    def answers(self, rows: Tensor) -> Tensor:
        out: Tensor = self.net(self.x[rows])
        return out

    def trained_loss(self, rows: Tensor) -> Tensor:
        return F.cross_entropy(self.answers(rows), self.y[rows])


class Pair(nn.Module):
    """Two inputs, of which the second is scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(5, CLASSES), nn.Linear(3, CLASSES)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        out: Tensor = self.one(a) + 2 * self.other(b)
        return out


class OfTwo(Task):
    def __init__(self) -> None:
        super().__init__(Pair())

    def answers(self, rows: Tensor) -> Tensor:
        out: Tensor = self.net(self.x[rows][:, :5], self.x[rows][:, 5:])
        return out


class OfNodes(Task):
    """All rows are nodes of a graph, and the loss takes those of which the class is known."""

    def __init__(self) -> None:
        super().__init__()
        self.given = torch.arange(ROWS + HELD)[:, None]

    def answers(self, rows: Tensor) -> Tensor:
        out: Tensor = self.net(self.x)[rows]
        return out


def at_once(task: Task) -> tuple[float, float]:
    out, y = task.answers(task.held), task.y[task.held]
    return F.cross_entropy(out, y).item(), (out.argmax(1) == y).float().mean().item()


def by_batches(task: Task) -> tuple[float, None]:
    cost, total = nn.CrossEntropyLoss(reduction="sum"), 0.0
    for rows in torch.split(task.held, 64):
        total += cost(task.answers(rows), task.y[rows]).item()
    return total / HELD, None


def counted(task: Task) -> tuple[None, float]:
    right = torch.zeros((), dtype=torch.long)
    for rows in torch.split(task.held, 64):
        right += (task.answers(rows).argmax(1) == task.y[rows]).sum()
    return None, float(right) / HELD


def collected(task: Task) -> tuple[None, float]:
    outs = [task.answers(rows) for rows in torch.split(task.held, 64)]
    return None, (torch.cat(outs).argmax(1) == task.y[task.held]).float().mean().item()


def by_numpy(task: Task) -> tuple[None, float]:
    out = task.answers(task.held).numpy()
    return None, float(np.mean(out.argmax(1) == task.y[task.held].numpy()))


def few(task: Task) -> tuple[None, float]:
    rows = task.held[:30]
    return None, (task.answers(rows).argmax(1) == task.y[rows]).float().mean().item()


def also_of_training_rows(task: Task) -> tuple[None, float]:
    right = [(task.answers(rows).argmax(1) == task.y[rows]).float().mean() for rows in (task.train, task.held)]
    return None, float(right[1])


def trained(
    task: Task,
    judge: Judge,
    *,
    rate: float = 5e-3,
    decay: float = 0.0,
    epochs: int = 12,
    watched: bool = True,
    without: Callable[[], Any] = torch.no_grad,
) -> tuple[Any, list[Tensor], list[Any]]:
    torch.manual_seed(0)
    for layer in task.net.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
    optimizer = torch.optim.Adam(task.net.parameters(), lr=rate, weight_decay=decay)
    watch, said = dressage.watch(task.net, optimizer, seconds=8) if watched else None, []
    for _ in range(epochs):
        task.net.train()
        order = [task.train] * 12 if isinstance(task, OfNodes) else torch.split(task.train[torch.randperm(ROWS)], BATCH)
        for rows in order:
            loss = task.trained_loss(rows)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if watch is not None:
                watch.step(loss)
        task.net.eval()
        with without():
            cost, score = judge(task)
        said.append((cost, score))
        if watch is not None:
            watch.validated(loss=cost, metric=score)
            assert sys.getprofile() is None and not torch.overrides._len_torch_function_stack()  # type: ignore[attr-defined]
    if watch is not None:
        watch.diagnose()
    return watch, [p.detach().clone() for p in task.net.parameters()], said


SEEN = [at_once, by_batches, counted, collected]


@pytest.mark.parametrize(
    ("kind", "judge"), [*((kind, judge) for kind in (Task, OfTwo) for judge in SEEN), (OfNodes, at_once)]
)
def test_rows_and_targets_are_those_of_the_validation(kind: type[Task], judge: Judge) -> None:
    task = kind()
    watch, _, _ = trained(task, judge, rate=0.02)
    rows = watch.case.subject.validation
    assert rows is not None, str(watch)
    assert torch.equal(rows.x, task.given[task.held]) and torch.equal(rows.y, task.y[task.held])
    assert any(note.startswith(f"no val data: for it stand {HELD} rows") for note in watch.notes)
    assert not watch.findings or not watch.findings[0].is_harmful, str(watch)


def test_validations_in_inference_mode_are_heard_too() -> None:
    watch, _, _ = trained(Task(), collected, without=torch.inference_mode)
    rows = watch.case.subject.validation
    assert rows is not None and not rows.x.is_inference() and not rows.y.is_inference()


def unlike_targets(task: Task) -> tuple[None, float]:
    """Classes for one half, and the same as rows of one number for the other."""
    first, last = task.held.chunk(2)
    right = (task.answers(first).argmax(1) == task.y[first]).float().mean()
    other = (task.answers(last).argmax(1, keepdim=True) == task.y[last][:, None]).float().mean()
    return None, float(right + other) / 2


def test_targets_of_unlike_shapes_do_not_end_the_watch() -> None:
    watch, _, _ = trained(Task(), unlike_targets)
    assert watch.case.subject.validation is None
    assert not any("watched no longer" in note for note in watch.notes)


@pytest.mark.parametrize("judge", [by_numpy, few, also_of_training_rows])
def test_what_is_not_compared_or_not_held_out_is_not_taken(judge: Judge) -> None:
    watch, _, _ = trained(Task(), judge)
    assert watch.case.subject.validation is None
    assert any(note.startswith("no val data given") for note in watch.notes)


def encoder() -> nn.Module:
    """What torch carries out by another way in eval mode, unless its functions are looked at."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(nn.Unflatten(1, (1, 8)), nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(8, CLASSES))


@pytest.mark.parametrize("network", [None, encoder])
@pytest.mark.parametrize("judge", [*SEEN, by_numpy, also_of_training_rows])
def test_weights_and_validations_are_those_of_the_training_alone(
    judge: Judge, network: Callable[[], nn.Module] | None
) -> None:
    def task() -> Task:
        torch.manual_seed(1)
        return Task(network and network())

    _, alone, told = trained(task(), judge, epochs=5, watched=False)
    watch, seen, said = trained(task(), judge, epochs=5)
    assert told == said and all(torch.equal(a, b) for a, b in zip(alone, seen, strict=True))
    assert not any("watched no longer" in note for note in watch.notes)


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (OfNodes, {"decay": 0.45, "epochs": 40}, "optim.over_regularised"),
        (OfNodes, {"rate": 1.5e-4, "epochs": 12}, "optim.lr_too_low"),
        (OfNodes, {"epochs": 40, "decay": 1e-3}, None),
        (OfTwo, {"rate": 5e-3, "epochs": 12}, None),  # which is short, and would have come as far by going on
    ],
)
def test_what_validation_rows_bear_out_is_named(
    kind: type[Task], options: dict[str, Any], expected: str | None
) -> None:
    watch, _, _ = trained(kind(), at_once, **options)
    named = [f.id for f in watch.findings if f.is_harmful]
    assert named[:1] == ([expected] if expected else []), str(watch)

"""Loops in several hands. Programs whose fault lies in the loop have their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from .data import Split
from .nets import Score, accuracy

Watch = Callable[..., Any]


def shuffled(x: Tensor, y: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches in a new order."""
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def by_loader(
    watch: Watch,
    model: nn.Module,
    opt: Any,
    loss_fn: Any,
    d: Split,
    epochs: int = 8,
    batch: int = 32,
    score: Score = accuracy,
) -> None:
    """DataLoaders and a validation after each epoch."""
    train_loader = DataLoader(TensorDataset(d.x, d.y), batch_size=batch, shuffle=True)
    val_loader = DataLoader(TensorDataset(d.xv, d.yv), batch_size=128)
    seen = watch(model, opt, loss_fn, train=train_loader, val=val_loader, metric=score)
    for _ in range(epochs):
        model.train()
        for inputs, targets in train_loader:
            opt.zero_grad()
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            opt.step()
            seen.step(loss)
        model.eval()
        total, outputs = 0.0, []
        with torch.no_grad():
            for inputs, targets in val_loader:
                out = model(inputs)
                total += loss_fn(out, targets).item() * len(inputs)
                outputs.append(out)
        seen.validated(loss=total / len(d.xv), metric=score(torch.cat(outputs), d.yv))


def by_steps(
    watch: Watch, model: nn.Module, opt: Any, loss_fn: Any, d: Split, steps: int = 300, batch: int = 32
) -> None:
    """Random rows each step and no validation."""
    seen = watch(model, opt, loss_fn, train=(d.x, d.y))
    for _ in range(steps):
        idx = torch.randint(0, len(d.x), (batch,))
        loss = loss_fn(model(d.x[idx]), d.y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen.step(loss.item())


def by_slices(
    watch: Watch,
    model: nn.Module,
    opt: Any,
    loss_fn: Any,
    d: Split,
    epochs: int = 8,
    batch: int = 32,
    score: Score | None = None,
) -> None:
    """A permutation an epoch, sliced by hand; the validation loss on all rows at once."""
    seen = watch(model, opt, loss_fn, train=(d.x, d.y), val=(d.xv, d.yv))
    n = d.x.size(0)
    for _ in range(epochs):
        model.train()
        order = torch.randperm(n)
        for i in range(0, n, batch):
            rows = order[i : i + batch]
            model.zero_grad()
            loss = loss_fn(model(d.x[rows]), d.y[rows])
            loss.backward()
            opt.step()
            seen.step(loss)
        with torch.no_grad():
            model.eval()
            out = model(d.xv)
            seen.validated(loss=float(loss_fn(out, d.yv)), metric=None if score is None else score(out, d.yv))


def by_full(
    watch: Watch, model: nn.Module, opt: Any, loss_fn: Any, d: Split, steps: int = 200, score: Score = accuracy
) -> None:
    """All rows each step; a look at the validation rows now and then."""
    seen = watch(model, opt, loss_fn, train=(d.x, d.y), val=(d.xv, d.yv), metric=score)
    for step in range(steps):
        opt.zero_grad()
        prediction = model(d.x)
        loss = loss_fn(prediction, d.y)
        loss.backward()
        opt.step()
        seen.step(loss)
        if step % 20 == 19:
            model.eval()
            with torch.no_grad():
                z = model(d.xv)
            seen.validated(loss=loss_fn(z, d.yv).item(), metric=score(z, d.yv))
            model.train()


class ArrayDataset(Dataset[tuple[Tensor, Tensor]]):
    """Rows of NumPy arrays, made into tensors one by one."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x.numpy(), y.numpy()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(np.array(self.x[i])), torch.as_tensor(self.y[i])


def by_dataset(
    watch: Watch,
    model: nn.Module,
    opt: Any,
    loss_fn: Any,
    d: Split,
    epochs: int = 8,
    batch: int = 64,
    clip: float = 0.0,
    schedule: Any = None,
) -> None:
    """A Dataset of one's own, clipping, a schedule stepped each epoch; train loader only."""
    loader = DataLoader(ArrayDataset(d.x, d.y), batch_size=batch, shuffle=True, drop_last=True)
    seen = watch(model, opt, loss_fn, train=loader, val=ArrayDataset(d.xv, d.yv))
    for _ in range(epochs):
        for xb, yb in loader:
            loss = loss_fn(model(xb), yb)
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            opt.step()
            opt.zero_grad(set_to_none=True)
            seen.step(loss)
        if schedule is not None:
            schedule.step()

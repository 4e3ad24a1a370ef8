"""Pictures whose targets are pictures too, a number a place: whether each row's target fits another row's input better."""

from __future__ import annotations

import torch
from torch import Tensor

from dressage.findings import Finding
from dressage.subject import Rows, Subject
from dressage.subject.rows import spread

ROWS, LEAST = 2000, 60
SIDE = 16
"""Places a side that are compared: beyond it pictures are averaged."""
ALIKE = 0.6
"""Correlation of what is their own in an input and a target, beside the mean of all, from which they are of one row."""
BETTER = 0.3
"""By which it is above that of the row's own target."""
TORN = 0.5
"""Share of the rows whose input and another row's target are each other's likest, so far."""


def torn_places(subject: Subject) -> list[Finding]:
    """Targets in another order than their inputs: most inputs have their likest target elsewhere, and are far from their own.

    Two lists of files that were sorted apart give such pairs. Nothing where a target is that of a row a fixed number of places
    away, as in a film whose next picture is asked for.
    """
    train = subject.train
    if train is None or len(train) < LEAST:
        return []
    found = _likeness(train)
    if found is None:
        return []
    count, own = len(found), found.diagonal()
    others = (found.sum() - own.sum()) / (count * (count - 1))
    likest, place = found.max(1)
    mutual = found.max(0).indices[place] == torch.arange(count)
    moved = mutual & (likest > ALIKE) & (likest > own + BETTER)
    share = float(moved.double().mean())
    if share < TORN or _by_one_distance((place - torch.arange(count))[moved]):
        return []
    seen = f"of {count} training rows {share:.0%} have their likest target in another row, and are its likest input in turn "
    seen += f"(correlation over places {float(likest[moved].mean()):.2f} there, {float(own[moved].mean()):.2f} with their own); "
    seen += f"own pairs correlate by {float(own.mean()):.3f} on the mean, any two rows by {float(others):.3f}"
    rows = ", ".join(f"{int(i)}→{int(place[i])}" for i in moved.nonzero().flatten()[:5])
    return [
        Finding(
            "data.shuffled_labels",
            "warning",
            "training targets",
            f"{seen}; for example {rows}",
            "inputs and targets were put in different orders, so that nothing can be learned of a pair",
            "pair them by name: sort both lists by the same key",
            confidence=0.9,
            code="pairs = [(name, name.replace('img', 'mask')) for name in sorted(names)]",
            numbers={"share": share, "own": float(own.mean())},
        )
    ]


def _likeness(rows: Rows) -> Tensor | None:
    """`(N, N)`: size of the correlation over places of each input with each target, both without the mean of all rows."""
    chosen = spread(len(rows), ROWS)
    x, y = _maps(rows.x[chosen]), _maps(rows.y[chosen])
    if x is None or y is None or x.shape[2:] != y.shape[2:]:
        return None
    y = _own_part(y.mean(1))
    return torch.stack([(_own_part(channel) @ y.T).abs() for channel in x.unbind(1)]).amax(0)


def _maps(values: Tensor) -> Tensor | None:
    """`(N, C, H, W)` float32 with at most SIDE places a side; None for what are no pictures of finite numbers."""
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4 or values.shape[1] > 4 or min(values.shape[2:]) < 4 or values.is_complex():
        return None
    values = values.float()
    if not bool(values.isfinite().all()):
        return None
    height, width = values.shape[2:]
    return torch.nn.functional.adaptive_avg_pool2d(values, (min(SIDE, height), min(SIDE, width)))


def _own_part(values: Tensor) -> Tensor:
    """`(N, P)`: each row less the mean of all rows, less its own mean, of length 1; 0 for rows without anything of their own."""
    flat = values.flatten(1) - values.flatten(1).mean(0)
    flat = flat - flat.mean(1, keepdim=True)
    return torch.nn.functional.normalize(flat, dim=1, eps=1e-6)


def _by_one_distance(distances: Tensor) -> bool:
    """Whether most rows are apart by the same number of places."""
    return int(torch.unique(distances, return_counts=True)[1].max()) > len(distances) // 2

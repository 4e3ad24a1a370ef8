"""From a run's history to the few charts that tell how its training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dressage.evaluate.words import metric_name, number
from dressage.report.text import shown

Floats = NDArray[np.float64]
Role = Literal["faint", "train", "validation", "other"]
LOWER_IS_BETTER = ("loss", "error", "rmse", "mae", "mse", "log_loss")
MOST_CHARTS = 6


class History(Protocol):
    """What is read of a run.db: `dressage.store.reader.History` has this form."""

    @property
    def steps(self) -> NDArray[np.int64]: ...
    @property
    def columns(self) -> Mapping[str, NDArray[np.float32]]: ...
    @property
    def epochs(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def findings(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def events(self) -> Sequence[Mapping[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Series:
    """One line: `y` over `x` (steps), both `(N,)`; NaN is a gap."""

    label: str
    role: Role
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines that share their axes. `log`: whether a logarithmic axis shows them better. `mark`: a step to point out."""

    id: str
    title: str
    series: tuple[Series, ...]
    log: bool = False
    mark: tuple[float, str] | None = None


def charts(history: History, most: int = 1000) -> list[Chart]:
    """Loss, then each metric, then the learning rate; lines thinned to at most `most` points. No data, no chart."""
    best = best_epoch(history.epochs)
    mark = None
    if best is not None and (step := number(best.get("step"))) is not None:
        mark = (step, "best")
    drawn = [_loss(history, most, mark), *(_metric(history, name, most, mark) for name in metric_names(history.epochs))]
    drawn.append(_rate(history, most))
    return [chart for chart in drawn if chart is not None][:MOST_CHARTS]


def metric_names(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the metrics that epochs carry as `val_<name>` or `train_<name>`, but for the loss, as first met."""
    names: dict[str, None] = {}
    for epoch in epochs:
        for key in epoch:
            part, _, name = str(key).partition("_")
            if part in ("val", "train") and name and name not in ("loss", "dev_loss"):
                names.setdefault(name)
    return list(names)


def best_epoch(epochs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The epoch whose weights are kept: the last that improved, or the one with the lowest validation loss."""
    improved = [e for e in epochs if e.get("improved") is True]
    if improved:
        return improved[-1]
    known = [e for e in epochs if number(e.get("val_loss")) is not None]
    return min(known, key=lambda e: float(e["val_loss"])) if known else None


def thin(x: Floats, y: Floats, most: int) -> tuple[Floats, Floats]:
    """At most `most` of the points `(N,)`: the lowest and the highest of each of `most // 2` equal stretches, in order.

    No peak is lost, which an average or every n-th point would hide. NaN counts as neither; a stretch of NaN stays NaN.
    """
    n = len(y)
    if n <= max(most, 4):
        return x, y
    bins = max(2, most // 2)
    edges = np.arange(bins + 1) * n // bins
    keep: list[int] = []
    for start, stop in pairwise(edges):
        piece = y[start:stop]
        if np.isnan(piece).all():
            keep.append(int(start))
            continue
        keep.extend(sorted({int(start + np.nanargmin(piece)), int(start + np.nanargmax(piece))}))
    return x[keep], y[keep]


def _loss(history: History, most: int, mark: tuple[float, str] | None) -> Chart | None:
    lines = [_steps(history, "loss", "training, each step", "faint", most)]
    lines.append(_epochs(history, "train_loss", "training, epoch mean", "train", most))
    lines.append(_epochs(history, "val_loss", "validation", "validation", most))
    return _chart("loss", "Loss", lines, mark)


def _metric(history: History, name: str, most: int, mark: tuple[float, str] | None) -> Chart | None:
    lines = [
        _epochs(history, f"train_{name}", "training", "train", most),
        _epochs(history, f"val_{name}", "validation", "validation", most),
    ]
    title = shown(metric_name(name), 60)
    return _chart("metric-" + "".join(c for c in name if c.isalnum())[:40], title[:1].upper() + title[1:], lines, mark)


def _rate(history: History, most: int) -> Chart | None:
    line = _steps(history, "lr", "learning rate", "other", most) or _epochs(
        history, "lr", "learning rate", "other", most
    )
    return _chart("lr", "Learning rate", [line], None)


def _chart(name: str, title: str, lines: Sequence[Series | None], mark: tuple[float, str] | None) -> Chart | None:
    series = tuple(line for line in lines if line is not None)
    if not series:
        return None
    values = np.concatenate([line.y for line in series])
    known = values[np.isfinite(values)]
    # Past one and a half decades a straight axis shows the first steps and a flat line.
    log = name == "loss" and len(known) > 0 and bool((known > 0).all()) and float(known.max() / known.min()) > 30
    return Chart(name, title, series, log, mark)


def _steps(history: History, column: str, label: str, role: Role, most: int) -> Series | None:
    values = history.columns.get(column)
    if values is None or not len(values):
        return None
    y = np.asarray(values, dtype=np.float64)
    x = np.asarray(history.steps, dtype=np.float64)[: len(y)]
    return Series(label, role, *thin(x, np.where(np.isfinite(y), y, np.nan)[: len(x)], most))


def _epochs(history: History, key: str, label: str, role: Role, most: int) -> Series | None:
    points = [(number(e.get("step")), number(e.get(key))) for e in history.epochs if key in e]
    known = [(x, np.nan if y is None else y) for x, y in points if x is not None]
    if not known or all(np.isnan(y) for _, y in known):
        return None
    table = np.array(known, dtype=np.float64)
    return Series(label, role, *thin(table[:, 0], table[:, 1], most))

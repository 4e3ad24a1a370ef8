"""The sets of this half: real letters and pictures, and houses, spectra, tones, ratings, topics and discs made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import Split, cached, split

PASSAGE = 250  # letters


@cached
def houses(rows: int = 900, seed: int = 11) -> Split:
    """Living area and lot in square feet, year, rooms, distance in km, district's income in dollars: price in dollars."""
    draw = np.random.default_rng(seed)
    area, lot = draw.lognormal(7.3, 0.35, rows), draw.lognormal(8.8, 0.6, rows)
    year, rooms = draw.integers(1920, 2021, rows), draw.integers(1, 7, rows)
    far, income = draw.exponential(8.0, rows), draw.uniform(3e4, 1.2e5, rows)
    old = np.abs(year - 1965) / 45
    price = 90 * area * (1 + 0.5 * np.exp(-far / 6)) + 4e4 * old**2 + 6 * np.minimum(lot, 12000) + 0.8 * income
    price = price * (1 + 0.06 * (rooms == 3)) * np.exp(0.08 * draw.standard_normal(rows))
    return split(np.stack([area, lot, year, rooms, far, income], 1), price, seed=seed)


@cached
def spectra(rows: int = 900, bands: int = 60, kinds: int = 4, offset: float = 0.0, seed: int = 12) -> Split:
    """Broad peaks of `kinds` substances, scattered, on a baseline of `offset`: `(N, bands)`, the substance."""
    draw = np.random.default_rng(seed)
    places = np.arange(bands)[None]
    centres = draw.uniform(5, bands - 5, (kinds, 3))
    shape = np.exp(-(((places[None] - centres[:, :, None]) / 5.0) ** 2)) * draw.uniform(0.5, 1.0, (kinds, 3, 1))
    y = draw.integers(0, kinds, rows)
    mixed = shape.sum(1)[y] * draw.uniform(0.5, 1.5, (rows, 1)) + 0.6 * shape.sum(1)[draw.integers(0, kinds, rows)]
    return split(offset + mixed + 0.25 * draw.standard_normal((rows, bands)), y, seed=seed)


@cached
def topics(rows: int = 1500, length: int = 24, words: int = 400, kinds: int = 6, share: float = 0.3) -> Split:
    """Word ids `(N, T)`: a `share` of them belong to the note's topic, the others to none; the topic."""
    draw = np.random.default_rng(13)
    y = draw.integers(0, kinds, rows)
    own = draw.integers(0, 30, (rows, length)) + 1 + 30 * y[:, None]
    x = np.where(draw.random((rows, length)) < share, own, draw.integers(1, words, (rows, length)))
    return split(x, y)


@cached
def order(rows: int = 1600, length: int = 12) -> Split:
    """Whether word 1 stands before word 2; the other words of 10 mean nothing. `(N, T)`, 0 or 1."""
    draw = np.random.default_rng(14)
    x = draw.integers(3, 10, (rows, length))
    places = draw.permuted(np.tile(np.arange(length), (rows, 1)), axis=1)[:, :2]
    x[np.arange(rows), places[:, 0]], x[np.arange(rows), places[:, 1]] = 1, 2
    return split(x, (places[:, 0] < places[:, 1]).astype(np.int64))


@cached
def letters(length: int = 24, rows: int = 4000) -> Split:
    """Windows of scikit-learn's own descriptions of its sets: `(N, T)` letters, `(N, T)` the letters that follow.

    Each part has passages of its own, so that no window of one lies in another, or overlaps one that does.
    """
    from sklearn import datasets

    loads = (datasets.load_wine, datasets.load_breast_cancer, datasets.load_iris, datasets.load_linnerud)
    text = "".join(load()["DESCR"] for load in loads).lower()
    text = " ".join("".join(c if "a" <= c <= "z" else " " for c in text).split())
    ids = np.array([0 if c == " " else ord(c) - 96 for c in text])
    draw = np.random.default_rng(15)
    passages = draw.permutation(len(ids) // PASSAGE)[:, None] * PASSAGE + np.arange(PASSAGE - length)[None]
    parts = []
    for some in np.split(passages, [int(0.6 * len(passages)), int(0.8 * len(passages))]):
        count = min(some.size, rows * len(some) // len(passages))
        starts = draw.choice(some.flatten(), count, replace=False)
        windows = torch.from_numpy(ids[starts[:, None] + np.arange(length + 1)[None]]).long()
        parts += [windows[:, :-1].contiguous(), windows[:, 1:].contiguous()]
    return Split(*parts)


@cached
def ratings(users: int = 90, items: int = 70, rank: int = 4) -> Split:
    """Pairs of user and item `(N, 2)`, and how much the one likes the other `(N,)`."""
    draw = np.random.default_rng(16)
    a, b = draw.standard_normal((users, rank)), draw.standard_normal((items, rank))
    pairs = np.argwhere(draw.random((users, items)) < 0.6)
    y = (a[pairs[:, 0]] * b[pairs[:, 1]]).sum(1) / np.sqrt(rank) + 0.2 * draw.standard_normal(len(pairs))
    return split(pairs, y)


@cached
def discs(rows: int = 500, side: int = 16, radius: float = 2.5) -> Split:
    """Noisy pictures `(N, 1, side, side)` of one disc among stripes, and its mask of the same shape."""
    draw = np.random.default_rng(17)
    down, right = np.mgrid[:side, :side]
    at = draw.uniform(3, side - 3, (rows, 2, 1, 1))
    mask = (down - at[:, 0]) ** 2 + (right - at[:, 1]) ** 2 < radius**2
    stripes = np.sin(draw.uniform(0.5, 1.2, (rows, 1, 1)) * right + draw.uniform(0, 6, (rows, 1, 1)))
    x = 1.2 * mask + 0.6 * stripes + 0.5 * draw.standard_normal(mask.shape)
    return split(x[:, None].astype(np.float32), mask[:, None].astype(np.float32))


@cached
def load(rows: int = 900, hours: int = 24, seed: int = 18) -> Split:
    """A grid's load of the last `hours` in MW `(N, T, 1)`, and that of the hour after the next three `(N,)`."""
    draw = np.random.default_rng(seed)
    time = draw.integers(0, 24 * 300, (rows, 1)) + np.arange(hours + 4)[None]
    level = draw.normal(0, 2000, (rows, 1))
    day, week = np.sin(2 * np.pi * time / 24), np.sin(2 * np.pi * time / 168)
    z = 42000 + level + 6000 * day + 2500 * np.cos(4 * np.pi * time / 24) * (1 + week) + 2000 * week
    z = z + 500 * draw.standard_normal(z.shape)
    return split(z[:, :hours, None], z[:, -1], seed=seed)


@cached
def tones(rows: int = 1200, length: int = 96, kinds: int = 6, noise: float = 0.5, seed: int = 19) -> Split:
    """Chords of two tones with free phases `(N, 1, T)`, the chord."""
    draw = np.random.default_rng(seed)
    y = draw.integers(0, kinds, rows)
    low, high = 4 + 1.5 * y[:, None], 22 - 2 * ((3 * y) % kinds)[:, None]
    time, phase = np.arange(length)[None] / length, draw.uniform(0, 2 * np.pi, (2, rows, 1))
    x = np.sin(2 * np.pi * low * time + phase[0]) + 0.7 * np.sin(2 * np.pi * high * time + phase[1])
    return split((x + noise * draw.standard_normal(x.shape))[:, None], y, seed=seed)


@cached
def decibels(rows: int = 1200) -> Split:
    """The chords' spectra in decibels, `(N, 49)`, at most 0, divided by 80: between −1 and 0."""
    d = tones(rows)
    return Split(*(_decibels(t[:, 0]) if t.ndim == 3 else t for t in d))


def _decibels(wave: Tensor) -> Tensor:
    power = torch.fft.rfft(wave).abs().square()
    return (10 * torch.log10(power / power.amax(1, keepdim=True) + 1e-8)).clamp_min(-80) / 80


@cached
def spirals(rows: int = 1200, arms: int = 3, turns: float = 1.0, noise: float = 0.12) -> Split:
    """Points on spiral arms `(N, 2)`, the arm."""
    draw = np.random.default_rng(20)
    y, r = draw.integers(0, arms, rows), draw.uniform(0.1, 1, rows)
    angle = 2 * np.pi * (y / arms + turns * r) + noise * draw.standard_normal(rows)
    return split(2 * np.stack([r * np.cos(angle), r * np.sin(angle)], 1), y)


@cached
def chess(rows: int = 1500, fields: int = 4) -> Split:
    """Points on a board `(N, 2)` in [−1, 1], the colour of their field, 0 or 1."""
    x = np.random.default_rng(21).uniform(-1, 1, (rows, 2))
    at = np.floor((x + 1) / 2 * fields).astype(np.int64)
    return split(x, at.sum(1) % 2)


@cached
def churn(rows: int = 1500, share: float = 0.2, columns: int = 12, noise: float = 1.0, seed: int = 22) -> Split:
    """A customer's habits `(N, columns)`, and whether he left, 0 or 1; a `share` leaves, by a law with products."""
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, columns))
    pull = 1.2 * x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3] + 0.8 * np.abs(x[:, 4]) + noise * draw.standard_normal(rows)
    return split(x, (pull > np.quantile(pull, 1 - share)).astype(np.int64), seed=seed)


@cached
def songs(rows: int = 1000, columns: int = 12) -> Split:
    """What is heard in a song `(N, columns)`, and the year it was made in `(N,)`."""
    draw = np.random.default_rng(23)
    x = draw.standard_normal((rows, columns))
    w = draw.standard_normal(columns) / np.sqrt(columns)
    age = x @ w + 0.6 * np.tanh(x[:, 0] * x[:, 1]) + 0.4 * x[:, 2] ** 2 + 0.3 * draw.standard_normal(rows)
    return split(x, np.round(1998 + 9 * age))


@cached
def coil(rows: int = 1200, noise: float = 0.05, seed: int = 24) -> Split:
    """A coil's impedance from resistance, frequency, inductance, capacity and heat, standardised: `(N, 5)`, `(N,)`."""
    draw = np.random.default_rng(seed)
    u = draw.uniform(-1, 1, (rows, 5))
    r, w, h, c = 2 + u[:, 0], 3 + 2 * u[:, 1], 1.5 + u[:, 2], 2 + u[:, 3]
    z = np.sqrt(r**2 + (w * h - 4 / (w * c)) ** 2) + np.sin(3 * u[:, 4])
    z = (z - z.mean()) / z.std() + noise * draw.standard_normal(rows)
    return split(u * np.sqrt(3), z, seed=seed)


def column(d: Split) -> Split:
    """Targets `(N,)` as `(N, 1)`."""
    return Split(*(t[:, None] if i % 2 else t for i, t in enumerate(d)))


def floats(d: Split) -> Split:
    """Targets as floats."""
    return Split(*(t.float() if i % 2 else t for i, t in enumerate(d)))


def over(d: Split, change: Any) -> Split:
    """The inputs of all three parts changed."""
    return Split(*(t if i % 2 else change(t) for i, t in enumerate(d)))

"""Sequences made here: waves, tokens, events and walks."""

from __future__ import annotations

import numpy as np

from .data import Split, cached, split


@cached
def waves(rows: int = 1000, length: int = 32, count: int = 4, noise: float = 0.3) -> Split:
    """Sines of `count` frequencies with random phase: `(N, T, 1)`, class of the frequency."""
    draw = np.random.default_rng(4)
    y = draw.integers(0, count, rows)
    time = np.arange(length)[None] / length
    x = np.sin(2 * np.pi * ((y[:, None] + 1.5) * time + draw.random((rows, 1))))
    return split((x + noise * draw.standard_normal(x.shape))[..., None], y)


@cached
def majority(rows: int = 1200, length: int = 15, tokens: int = 3) -> Split:
    """The token that is there most often: `(N, T)` int64."""
    draw = np.random.default_rng(5)
    x = draw.integers(0, tokens, (rows, length))
    counts = np.stack([(x == k).sum(1) for k in range(tokens)], 1) + 0.1 * draw.random((rows, tokens))
    return split(x, counts.argmax(1))


@cached
def first_token(rows: int = 1200, length: int = 20, tokens: int = 8) -> Split:
    """Which token came first, to be remembered to the end: `(N, T)` int64."""
    draw = np.random.default_rng(6)
    x = draw.integers(0, tokens, (rows, length))
    return split(x, x[:, 0])


@cached
def brackets(rows: int = 1500, length: int = 12) -> Split:
    """Whether token 1 comes before token 2 for the first time: `(N, T)` int64 of 6 tokens, 0 or 1."""
    draw = np.random.default_rng(7)
    x = draw.integers(0, 6, (rows, length))
    x[:, -2:] = [1, 2]
    return split(x, ((x == 1).argmax(1) < (x == 2).argmax(1)).astype(np.int64))


@cached
def forecast(rows: int = 1000, length: int = 20, noise: float = 0.1) -> Split:
    """The next value of a sum of two waves: `(N, T, 1)`, `(N, 1)`."""
    draw = np.random.default_rng(8)
    time = np.arange(length + 1)[None] + 200 * draw.random((rows, 1))
    z = np.sin(0.4 * time) + 0.5 * np.sin(0.9 * time + 1) + noise * draw.standard_normal((rows, length + 1))
    return split(z[:, :-1, None], z[:, -1:])


@cached
def events(rows: int = 2000, length: int = 24, share: float = 0.03) -> Split:
    """A rare bump in noise: `(N, T, 1)`, 1 where there is one."""
    draw = np.random.default_rng(9)
    y = (draw.random(rows) < share).astype(np.int64)
    x = 0.6 * draw.standard_normal((rows, length))
    at = draw.integers(9, length - 9, rows)
    for shift, height in enumerate((1.2, 2.0, 1.2)):
        x[np.arange(rows), at + shift] += height * y
    return split(x[..., None], y)

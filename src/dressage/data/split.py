"""Cuts rows into train, train_dev, validation and test before anything is fitted: stratified, grouped or by time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dressage.augment.draw import key
from dressage.data.groups import deal_groups
from dressage.data.several import stratum
from dressage.data.source import PARTS, Source
from dressage.errors import DataError
from dressage.recipe.schema import Data

Rows = NDArray[np.int64]
Shares = dict[str, float]


def split(source: Source, section: Data, seed: int) -> dict[str, Tensor]:
    """Rows (int64, ascending) of each part that is not empty; keyed by `seed`, no generator is touched.

    Parts that the source gives are kept; what they lack is cut from the training rows, of which `section.subset` are then
    used; with `section.bootstrap` one may stand there several times. Raises DataError when a part or a class cannot be served.
    """
    parts = whole_parts(source, section, seed)
    if section.bootstrap:
        parts["train"] = resampled(parts["train"], seed)
    return parts


def resampled(rows: Tensor, seed: int) -> Tensor:
    """As many of the rows, drawn with replacement and ascending: 1 − 1/e = 63 % of them are there (bootstrap, Breiman 1996)."""
    generator = torch.Generator().manual_seed(key(seed, "bootstrap"))
    return rows[torch.randint(len(rows), (len(rows),), generator=generator)].sort().values


def whole_parts(source: Source, section: Data, seed: int) -> dict[str, Tensor]:
    """The parts before anything is drawn from them: no row is in two, none twice in one."""
    seed = split_seed(section, seed)
    given = {part: rows.numpy().astype(np.int64) for part, rows in source.given.items() if len(rows)}
    _check_given(source, given)
    pool = np.setdiff1d(
        np.arange(source.rows), np.concatenate([[], *(r for p, r in given.items() if p != "train")]).astype(np.int64)
    )
    shares = _shares(section, given)
    _check_pool(source, pool, shares)
    cut = {part: np.sort(rows) for part, rows in {**given, **_cut(source, section, pool, shares, seed)}.items()}
    parts = {part: torch.from_numpy(cut[part]) for part in PARTS if part in cut and len(cut[part])}
    if section.subset:
        parts["train"] = subset(source, parts["train"], section.subset, seed)
    return parts


def split_seed(section: Data, seed: int) -> int:
    """The key of the split of a run with this seed."""
    return seed if section.split_seed < 0 else section.split_seed


def subset(source: Source, rows: Tensor, most: int, seed: int) -> Tensor:
    """At most so many of the rows (int64, ascending), of each class its share and one at least; keyed by `seed`.

    Raises DataError for fewer rows than classes.
    """
    if len(rows) <= most:
        return rows
    order = keyed_order(rows.numpy(), seed)
    strata = _strata(source)[order]
    found, counts = np.unique(strata, return_counts=True)
    if most < len(found):
        asked = f"{most} of the training rows, which have {len(found)} classes"
        raise DataError.of(source.name, asked, "expected a row of each", "raise data.subset")
    taken = np.array(allot(most, (counts / len(rows)).tolist()))
    for lacking in np.flatnonzero(taken == 0):
        taken[taken.argmax()] -= 1
        taken[lacking] = 1
    chosen = [order[strata == c][:n] for c, n in zip(found, taken, strict=True)]
    return torch.from_numpy(np.sort(np.concatenate(chosen)))


def keyed_order(rows: Rows, seed: int) -> Rows:
    """`rows` shuffled by a hash of (seed, row), so that rows keep their place when others come or go.

    The hash is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    """
    mask = (1 << 64) - 1
    z = rows.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(
        (seed * 0xD1342543DE82EF95 + 0x5851F42D4C957F2D) & mask
    )
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return rows[np.argsort(z ^ (z >> np.uint64(31)), kind="stable")]


def allot(rows: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `rows`, each within one of its share: largest remainder (Hamilton)."""
    exact = [rows * share for share in shares]
    counts = [int(np.floor(e + 1e-9)) for e in exact]
    order = sorted(range(len(shares)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: rows - sum(counts)]:
        counts[i] += 1
    return counts


def _shares(section: Data, given: dict[str, Rows]) -> Shares:
    """The share of the pool that each part to be cut gets; the training part the rest."""
    wanted = {"validation": section.validation, "test": section.test}
    cut = {part: share for part, share in wanted.items() if part not in given and share > 0}
    rest = 1 - sum(cut.values())
    if rest <= 0:
        asked = f"validation {section.validation} and test {section.test} leave nothing to train on"
        raise DataError.of("data", asked, "expected a sum below 1", "lower data.validation or data.test")
    dev = section.train_dev if "train_dev" not in given else 0.0
    return {"train": rest * (1 - dev), **({"train_dev": rest * dev} if dev else {}), **cut}


def _check_given(source: Source, given: dict[str, Rows]) -> None:
    everything = np.concatenate([[], *given.values()]).astype(np.int64)
    if len(np.unique(everything)) != len(everything):
        raise DataError.of(
            source.name, "a row is in two of the given parts", "expected every row in one part", "correct the parts"
        )


def _check_pool(source: Source, pool: Rows, shares: Shares) -> None:
    if len(pool) < len(shares):
        found = f"{len(pool)} rows to cut {len(shares)} parts from ({', '.join(shares)})"
        raise DataError.of(
            source.name,
            found,
            "expected at least one row for each part",
            "give more rows, or set data.validation or data.test to 0",
        )
    if source.task != "classification":
        return
    y = source.y.numpy()
    counts = np.bincount(y, minlength=len(source.classes))
    present = [name for name, count in zip(source.classes, counts, strict=False) if count]
    if len(present) < 2:
        found = f"one class only: '{present[0][:80]}'" if present else "no class at all"
        raise DataError.of(source.name, found, "expected at least two classes", "add rows of another class")
    lone = [source.classes[c] for c in np.flatnonzero(counts == 1).tolist()]
    if lone:
        listed = ", ".join(f"'{name[:60]}'" for name in lone[:5]) + (
            f" and {len(lone) - 5} more" if len(lone) > 5 else ""
        )
        found = f"the class {listed} has one row only" if len(lone) == 1 else f"the classes {listed} have one row each"
        raise DataError.of(
            source.name,
            found,
            "expected at least 2 rows of each class",
            "add rows of it, join it with another class, or leave its row out",
        )
    least = len(np.unique(y[pool])) + len(shares) - 1
    if len(pool) < least:
        found = f"{len(pool)} rows to cut {len(shares)} parts from ({', '.join(shares)})"
        expected = f"expected at least {least}: each class in training and a row for each other part"
        raise DataError.of(source.name, found, expected, "give more rows")


def _cut(source: Source, section: Data, pool: Rows, shares: Shares, seed: int) -> dict[str, Rows]:
    if section.time and source.time is not None:
        return _by_time(pool, source.time.numpy(), shares)
    order = keyed_order(pool, seed)
    classes = _strata(source)
    if section.group and source.group is not None:
        dealt = deal_groups(source.group.numpy()[order], classes[order], list(shares.values()))
        if dealt is None:
            found = f"{len(np.unique(source.group.numpy()[pool]))} groups for {len(shares)} parts"
            raise DataError.of(
                source.name,
                found,
                "expected at least one group for each part",
                "group by another column, or ask for fewer parts",
            )
        return {part: order[dealt == i] for i, part in enumerate(shares)}
    return _stratified(order, classes, shares)


def _strata(source: Source) -> Rows:
    """The class of each row, which the parts are to hold in equal shares; of several targets the first that has classes."""
    if source.task == "classification":
        return source.y.numpy()
    found = stratum(source.y, source.heads)
    return np.zeros(source.rows, np.int64) if found is None else found.numpy()


def _stratified(order: Rows, classes: Rows, shares: Shares) -> dict[str, Rows]:
    """Deals the rows of each class, in keyed order, to the parts."""
    found, counts = np.unique(classes[order], return_counts=True)
    table = deal_counts(counts, list(shares.values()))
    cut: dict[str, list[Rows]] = {part: [] for part in shares}
    by_class = order[np.argsort(classes[order], kind="stable")]
    start = 0
    for c in range(len(found)):
        for part, count in zip(shares, table[c], strict=True):
            cut[part].append(by_class[start : start + count])
            start += count
    return {part: np.concatenate(rows) for part, rows in cut.items()}


def deal_counts(counts: Rows, shares: Sequence[float]) -> Rows:
    """`(C, P)` rows of each class in each part, each within one of its share; they sum to `counts (C,)` and to `allot`.

    Leftovers of a class go to the parts that lack most (Gale and Ryser 1957). Then every class of two rows or more gets
    one in the first part, and in the others as far as it has enough.
    """
    exact = counts[:, None] * np.asarray(shares)[None, :]
    table: Rows = np.floor(exact + 1e-9).astype(np.int64)
    lacking = np.array(allot(int(counts.sum()), shares)) - table.sum(0)
    left = counts - table.sum(1)
    for c in np.argsort(-left, kind="stable").tolist():
        parts = sorted(range(len(shares)), key=lambda p: (-lacking[p], table[c, p] - exact[c, p], p))[: left[c]]
        table[c, parts] += 1
        lacking[parts] -= 1
    for row in table:
        _one_in_each(row)
    for p in np.flatnonzero(table.sum(0) == 0):
        spare = (table > 1) | ((table > 0) & (table.sum(0) > 1))
        spare[:, 0] = table[:, 0] > 1
        c, richest = np.unravel_index(np.where(spare, table, -1).argmax(), table.shape)
        table[c, richest] -= 1
        table[c, p] += 1
    return table


def _one_in_each(row: Rows) -> None:
    """Moves rows of a class from its richest part to those that have none, first parts first."""
    for p in range(len(row)):
        if row[p] == 0 and row.max() > 1:
            row[row.argmax()] -= 1
            row[p] += 1
    if row[0] == 0 and row.sum() > 1:
        row[row.argmax()] -= 1
        row[0] += 1


def _by_time(pool: Rows, time: NDArray[np.float64], shares: Shares) -> dict[str, Rows]:
    """Train, train_dev, validation, test in the order of time; cuts move to the nearest change of time."""
    order = pool[np.argsort(time[pool], kind="stable")]
    names = [part for part in PARTS if part in shares]
    sizes = deal_counts(np.array([len(order)]), [shares[part] for part in names])[0]
    cuts = np.cumsum(sizes)[:-1].tolist()
    changes = np.flatnonzero(np.diff(time[order]) != 0) + 1
    moved = [int(changes[np.abs(changes - cut).argmin()]) for cut in cuts] if len(changes) else cuts
    return dict(zip(names, np.split(order, moved if len(set(moved)) == len(cuts) else cuts), strict=True))

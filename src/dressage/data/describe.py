"""What the data is, what was assumed and how it was cut: rows of one table for people, and the same for data.json."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from dressage.data.groups import shared_groups
from dressage.data.source import PARTS, Head, Source
from dressage.errors import DataError

SHOWN = 40  # classes and columns that the table names; data.json has all


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: all fields are text from the data, to be escaped where it is shown."""

    section: Literal["data", "column", "class", "part", "assumed", "warning"]
    name: str
    what: str
    note: str = ""


def describe(source: Source, parts: Mapping[str, Tensor]) -> list[Row]:
    """The lines of the one table that is printed before a training; `parts` as `split` gives them."""
    if isinstance(source.x, Tensor):
        sample = "samples of shape " + "×".join(map(str, source.x.shape[1:]))
    else:
        sample = f"{source.x.num_columns} features"
    rows = [
        Row(
            "data",
            source.name,
            f"{source.rows} rows, {sample}",
            f"{source.task} of {source.target}" if source.target else source.task,
        )
    ]
    for column in source.columns[:SHOWN]:
        missing = f", {column.missing} missing" if column.missing else ""
        rows.append(Row("column", column.name, f"{column.kind}{missing}: {column.summary}", column.note))
    rows += _more("column", len(source.columns))
    counts = class_counts(source, parts)
    for name in source.classes[:SHOWN]:
        rows.append(Row("class", name, ", ".join(f"{part} {count}" for part, count in counts[name].items())))
    rows += _more("class", len(source.classes))
    rows += [Row("class", head.name, _head(head)) for head in source.heads]
    for part in PARTS:
        if part in parts:
            share = 100 * len(parts[part]) / max(1, source.rows)
            rows.append(
                Row(
                    "part",
                    part,
                    f"{len(parts[part])} rows ({share:.0f} %)",
                    "given by the data" if part in source.given else "",
                )
            )
    rows += [Row("assumed", name, value) for name, value in source.assumed.items()]
    return rows + [Row("warning", "", text) for text in warnings(source, parts)]


def to_json(source: Source, parts: Mapping[str, Tensor]) -> dict[str, Any]:
    """The same, whole and JSON-able; each part also as a bitmap of the rows (see `parts_from_json`)."""
    return {
        "name": source.name,
        "kind": source.kind,
        "task": source.task,
        "target": source.target,
        "rows": source.rows,
        "fingerprint": source.fingerprint,
        "columns": [asdict(column) for column in source.columns],
        "classes": list(source.classes),
        **({"heads": [asdict(head) for head in source.heads]} if source.heads else {}),
        "counts": list(class_counts(source, parts).values()),
        "parts": {part: _stored(rows, source.rows) for part, rows in parts.items()},
        "assumed": dict(source.assumed),
        "warnings": warnings(source, parts),
    }


def parts_from_json(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The rows (int64, ascending, each once) of each part stored by `to_json`. Raises DataError when sizes do not fit."""
    parts = {}
    for part, stored in state["parts"].items():
        bits = np.unpackbits(np.frombuffer(base64.b64decode(stored["bits"]), np.uint8), count=state["rows"])
        parts[part] = torch.from_numpy(np.flatnonzero(bits))
        wanted = stored.get("distinct", stored["size"])
        if len(parts[part]) != wanted:
            raise DataError.of(
                "data.json",
                f"part {part} has {len(parts[part])} rows",
                f"expected {wanted}",
                "the file is damaged: train again",
            )
    return parts


def class_counts(source: Source, parts: Mapping[str, Tensor]) -> dict[str, dict[str, int]]:
    """Class -> part -> number of rows; empty in a regression."""
    if source.task != "classification":
        return {}
    counts = {
        part: torch.bincount(source.y[rows], minlength=len(source.classes)).tolist() for part, rows in parts.items()
    }
    return {name: {part: counts[part][c] for part in PARTS if part in counts} for c, name in enumerate(source.classes)}


def warnings(source: Source, parts: Mapping[str, Tensor]) -> list[str]:
    """The source's own, groups that parts share, and classes that a part lacks."""
    told = [*source.warnings, *_shared(source, parts)]
    counts = class_counts(source, parts)
    for part in PARTS:
        absent = [name[:60] for name, count in counts.items() if part in parts and not count[part]]
        if absent:
            listed = ", ".join(f"'{name}'" for name in absent[:5]) + (
                f" and {len(absent) - 5} more" if len(absent) > 5 else ""
            )
            told.append(f"no row of class {listed} in {part}" + ("; it cannot be learned" if part == "train" else ""))
    return told


def _shared(source: Source, parts: Mapping[str, Tensor]) -> list[str]:
    """Groups that lie in two parts, as those that the data itself gives may have them."""
    if source.group is None:
        return []
    group, told = source.group.numpy(), []
    column = next((f" of '{column.name[:60]}'" for column in source.columns if column.kind == "group"), "")
    for one, other in combinations([part for part in PARTS if part in parts], 2):
        rows = shared_groups(group, parts[one].numpy(), parts[other].numpy())
        if rows:
            who = f"{len(rows)} groups{column} have" if len(rows) > 1 else f"1 group{column} has"
            example = " and ".join(source.ids[row][:60] if source.ids is not None else f"row {row}" for row in rows[0])
            told.append(f"{who} rows in {one} and in {other}, so the score on {other} may be too good: e.g. {example}")
    return told


def _head(head: Head) -> str:
    """What one of several targets is."""
    return f"{len(head.classes)} classes: {', '.join(head.classes[:10])}" if head.classes else "a number"


def _more(section: Literal["column", "class"], count: int) -> list[Row]:
    return [Row(section, "…", f"and {count - SHOWN} more")] if count > SHOWN else []


def _stored(rows: Tensor, total: int) -> dict[str, object]:
    """How many rows a part has, which; and where some were drawn twice, how many there are."""
    bits = np.zeros(total, np.uint8)
    bits[rows.numpy()] = 1
    distinct = int(np.count_nonzero(bits))
    also = {"distinct": distinct} if distinct < len(rows) else {}
    return {"size": len(rows), **also, "bits": base64.b64encode(np.packbits(bits).tobytes()).decode()}

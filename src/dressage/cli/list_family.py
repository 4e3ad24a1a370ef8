"""`dressage list FAMILY`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

from dressage.catalogue import Catalogue, Entry
from dressage.causes import CAUSES
from dressage.cli import list_causes
from dressage.cli.output import Output, cell, table
from dressage.cli.values import SWITCHED, Switched
from dressage.errors import UsageError, nearest

# family -> (module that holds its catalogue, where a recipe names it)
FAMILIES = {
    "model": ("dressage.models", "model.name"),
    "pool": ("dressage.layers.pooling", "convnet(pool=…)"),
    "activation": ("dressage.layers.activations", "model.activation"),
    "norm": ("dressage.layers.norms", "model.norm"),
    "init": ("dressage.layers.init", "model.init"),
    "loss": ("dressage.objective", "loss.name"),
    "regularize": ("dressage.regularize", "regularize.techniques"),
    "optim": ("dressage.optim", "optim.name"),
    "schedule": ("dressage.optim.schedules", "schedule.name"),
    "surface": ("dressage.optim.surfaces", "plot-optim --surface"),
    "average": ("dressage.optim.averages", "average"),
    "augment": ("dressage.augment", "augment"),
    "preprocess": ("dressage.data.preprocess", "data.preprocess"),
    "transfer": ("dressage.optim.thaw", "transfer.layers"),
    "views": ("dressage.augment.views", "evaluate.views"),
    "members": ("dressage.ensemble.ways", "ensemble --by"),
    "combine": ("dressage.ensemble.rules", "ensemble --combine"),
    "data": ("dressage.cli.sets", "train DATA"),
}
OTHER_NAMES = {
    "optimizers": "optim",
    "optimizer": "optim",
    "losses": "loss",
    "regularization": "regularize",
    "regularizers": "regularize",
    "penalties": "regularize",
    "inits": "init",
    "augmentations": "augment",
    "sets": "data",
    "ensemble": "combine",
    "ensembles": "combine",
}


NOTES = r"\b(?:L6|C784|R5|CMU3|DR10)\b"


def list_family(family: str | None = None, /, *, output: Output | None = None) -> None:
    """The techniques of a family: what each does, its options, its formula and its source.

    For example:
      dressage list
      dressage list optim
      dressage list activations --json

    Parameters
    ----------
    family
        model, pool, activation, norm, init, loss, regularize, optim, schedule, surface, average, augment, preprocess, transfer,
        views, members, combine, data or causes; without it all families.
    """
    output = output or Output()
    if family is not None and family.lower() in list_causes.NAMES:
        list_causes.list_causes(output)
        return
    if family is None:
        counts = {name: len(catalogue_of(name)) for name in FAMILIES}
        rows = [(name, counts[name], where, ", ".join(catalogue_of(name))) for name, (_, where) in FAMILIES.items()]
        rows.append(("causes", len(CAUSES), "findings", "what can be wrong with a training, by id"))
        output.result({"families": counts}, table(["family", "entries", "named at", "what there is"], rows, output))
        return
    entries, name = list(catalogue_of(family).values()), _canonical(family)
    values = SWITCHED.get(name, ())
    if output.json:
        found = {"entries": [_as_dict(entry) for entry in entries], "values": [asdict(value) for value in values]}
        output.result({"family": name, **found}, [])
    else:
        output.result({}, _lines(entries, values, output))


def catalogue_of(family: str) -> Catalogue[Any]:
    """The catalogue of a family, by its name in either number. Raises UsageError with the nearest name."""
    name = _canonical(family)
    if name not in FAMILIES:
        raise UsageError.of(
            "list", f"there is no family '{family}'", nearest(family, [*FAMILIES, "causes"]), "see `dressage list`"
        )
    found: Catalogue[Any] = import_module(FAMILIES[name][0]).catalogue
    return found


def _canonical(family: str) -> str:
    name = OTHER_NAMES.get(family.lower(), family.lower())
    return name if name in FAMILIES or name.removesuffix("s") not in FAMILIES else name.removesuffix("s")


def _as_dict(entry: Entry[Any]) -> dict[str, object]:
    options = {name: None if p.default is p.empty else p.default for name, p in entry.options.items()}
    return {
        "name": entry.name,
        "summary": entry.summary,
        "formula": entry.formula,
        "source": entry.source,
        "options": options,
        **({"facts": dict(entry.facts)} if entry.facts else {}),
    }


def _lines(entries: Sequence[Entry[Any]], values: Sequence[Switched], output: Output) -> Iterator[str]:
    for entry in entries:
        given = ", ".join(f"{name}={p.default!r}" for name, p in entry.options.items() if p.default is not p.empty)
        yield output.bold(entry.name) + (f"({given})" if given else "") + f"  {cell(entry.summary, 200)}"
        known = ", ".join(f"{name}: {text}" for name, text in entry.facts.items())
        yield from _told({"formula": entry.formula, "known": known, "source": entry.source})
    for value in values:
        yield f"{output.bold(value.written)}  {cell(value.summary, 200)}"
        yield from _told({"formula": value.formula, "source": value.source})
    sources = [entry.source for entry in entries] + [value.source for value in values]
    if notes := sorted({word for source in sources for word in re.findall(NOTES, source)}):
        yield f"({', '.join(notes)}: lecture notes on deep learning, from which dressage was begun)"


def _told(facts: Mapping[str, str]) -> Iterator[str]:
    return (f"    {label:<8} {cell(text, 300)}" for label, text in facts.items() if text)

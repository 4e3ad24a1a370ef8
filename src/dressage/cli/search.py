"""`dressage search DATA`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, short, table
from dressage.errors import UsageError
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from dressage.models.foreign import Made
    from dressage.search import Search
    from dressage.search.trial import Result

BEST = 10
"""Trials that are shown at the end."""
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@Parameter(name="*")
@dataclass(frozen=True)
class Asked:
    """What is searched, how, and with what means."""

    space: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None
    """PATH=RANGE of each setting: log:A:B, uniform:A:B, integer:A:B or choice:A:B:C; rate, decay and dropout without it."""
    sampler: str = "gp"
    """gp, sobol, random, grid or optuna."""
    trials: int | None = None
    """Trials of the first of three stages, of which the others have a third and a sixth; 24 where nothing is said."""
    epochs: int | None = None
    """Epochs of a trial of the first stage; a ninth of a whole training where nothing is said, then a third, then all."""
    subset: int | None = None
    """Training rows of the first two stages; 0: all; left out: 10,000 where there are more than twice as many."""
    stages: str | None = None
    """All stages, TRIALSxEPOCHS or TRIALSxEPOCHS@ROWS between commas, in place of the three above."""
    halving: str | None = None
    """successive: the better third goes on at each rung; hyperband: brackets of it; none. Successive where stages are named."""
    finalists: int = 3
    """Best trials of the last stage, which are repeated."""
    repeats: int = 3
    """Trainings of each with other seeds, from which the noise is known."""
    budget: str = ""
    """Time after which no trial is begun but for the first four of each stage, e.g. 90s, 20m or 1.5h."""
    jobs: int = 0
    """Processes that train at once; 0: as many as fit and pay for their start."""
    on: str = ""
    """ray or ray://HOST:PORT: a cluster that trains in their place; all nodes have to see the folder and the data."""
    out: Path | None = None
    """Folder of the search; without it a free name below searches/. One that lies there already is gone on with."""


@with_recipe
def search(
    data: str,
    /,
    *,
    asked: Asked | None = None,
    model: str | None = None,
    recipe: Recipe,
    output: Output | None = None,
) -> None:
    """Search for settings: many short trainings, then fewer long ones in the ranges that were good, then the best again and again.

    Every trial is a run in the search's folder. A search that is stopped goes on with `dressage resume FOLDER`.

    For example:
      dressage search digits --space optim.lr=log:1e-4:1e-1 regularize.weight_decay=log:1e-4:1
      dressage search flowers/ --trials 50 --epochs 3 --subset 5000 --budget 20m
      dressage search churn.csv --target churn --stages 60x5,20x40 --sampler sobol --out searches/churn

    Parameters
    ----------
    data
        As for `dressage train`: a folder, a file or a named set.
    model
        FILE.py:Name, a network of your own: an nn.Module class, or a function that makes one. The file is run.
    """
    from dressage.cli.load import load_network
    from dressage.cli.search_progress import SearchProgress
    from dressage.search import search as run_search

    output, given = output or Output(), vars(asked or Asked())
    given = {**given, "recipe": recipe, "budget": seconds_of(given["budget"]), "model": load_network(model, output)}
    with SearchProgress(output) as progress:
        found = run_search(data, **given, on_event=progress, progress=progress.opening)
    _result(found, output)


def is_one(folder: Path) -> bool:
    """Whether a search lies there."""
    return (folder / "search.json").is_file()


def go_on(folder: Path, data: str | None, network: Made | None, on: str, output: Output) -> None:
    """Goes on with a search that was stopped."""
    from dressage.cli.search_progress import SearchProgress
    from dressage.search import go_on as resume

    with SearchProgress(output) as progress:
        found = resume(folder, data, model=network, on=on, on_event=progress, progress=progress.opening)
    _result(found, output)


def show(folder: Path, output: Output) -> None:
    """A search as far as it has come."""
    from dressage.search import load_search

    found = load_search(folder)
    _result(found, output, [line for stage in found.stages for line in stage.told])


def seconds_of(text: str) -> float:
    """`20m` as 1200. Raises UsageError."""
    if not text:
        return 0.0
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(s|m|h|)", text.strip(), re.ASCII)
    if match is None or float(match[1]) == 0:
        raise UsageError.of("--budget", f"{text[:40]!r} given", "expected a time above 0", "e.g. 90s, 20m or 1.5h")
    return float(match[1]) * UNITS[match[2]]


def _result(found: Search, output: Output, decided: Iterable[str] = ()) -> None:
    """What was found; `decided`: after each stage, where it was not told on the way."""
    output.result(as_dict(found), _lines(found, output, decided))


def as_dict(found: Search) -> dict[str, Any]:
    """What scripts read: every trial, what was decided, and the best with its interval."""
    best, verdict = found.best, found.verdict
    return {
        "search": str(found.folder),
        "status": found.status,
        "metric": found.metric,
        "stages": [{"stage": str(s.stage), "told": list(s.told)} for s in found.stages],
        "trials": [_trial(r) for r in found.results],
        "best": None if best is None else _trial(best),
        "mean": None if verdict is None else verdict.best.mean,
        "low": None if verdict is None else verdict.low,
        "high": None if verdict is None else verdict.high,
        "noise": None if verdict is None else verdict.noise,
        "alike": [] if verdict is None else list(verdict.alike),
        "optimism": None if verdict is None else verdict.optimism,
        "recipe": str(found.best_recipe) if found.best_recipe.is_file() else None,
        "report": str(found.folder / "report.html"),
        "command": found.command,
    }


def _trial(r: Result) -> dict[str, Any]:
    facts = {"number": r.trial.number, "stage": r.trial.stage, "edit": dict(r.trial.edit), "state": r.state}
    return {
        **facts,
        "epoch": r.epoch,
        "score": r.score,
        "cost": r.cost,
        "seconds": r.seconds,
        "reason": r.reason,
        "run": r.folder,
    }


def _lines(found: Search, output: Output, decided: Iterable[str]) -> Iterator[str]:
    from dressage.evaluate.words import metric_name
    from dressage.search.judge import told
    from dressage.search.trial import ranked

    results = found.results
    yield output.bold(f"{short(found.folder)}  {found.status}, {len(results)} trials")
    shown = ranked(found.stages[-1].results)[:BEST] if found.stages else []
    paths = list(dict.fromkeys(path for r in shown for path in r.trial.edit))
    head = ["trial", *paths, metric_name(found.metric), "cost", "epochs"]
    rows = [[r.trial.number, *(cell(r.trial.edit.get(p, "")) for p in paths), r.score, r.cost, r.epoch] for r in shown]
    if rows:
        yield from table(head, rows, output)
    yield from (cell(line, 400) for line in decided)
    if found.verdict is not None:
        yield from (cell(line, 400) for line in told(found.verdict))
    elif found.status == "finished":
        yield "No trial counts: all failed or were stopped."
    if (found.folder / "report.html").is_file():
        yield f"report: {short(found.folder / 'report.html')}"
    if found.status != "finished":
        yield f"next: dressage resume {short(found.folder)}"
    elif found.best is not None:
        yield f"next: {found.command}"

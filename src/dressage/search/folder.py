"""The folder of a search: what was asked, a run folder a trial with what came of it, and how far the search has come.

    search.json   what was asked                      trials/0007/              the run of trial 7
    recipe.toml   the recipe that is varied           trials/0007/result.json   what came of it, written last
    state.json    how it stands, and the seconds      best.toml, report.html    what was found

There is no other record: proposals and decisions follow from what was asked and the results, and are made again from them.
"""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from dressage.errors import DressageError, RunError
from dressage.files import TEMPORARY, read_json, sync_folder, write_atomic, write_json, writing
from dressage.recipe import Recipe, load_recipe
from dressage.search.asked import Asked, from_json
from dressage.search.trial import Moment, Result, State, Trial
from dressage.store.folder import RunFolder, numbered
from dressage.store.lock import held, is_held, shared
from dressage.version import __version__

FORMAT = 1
"""Version of the layout, in search.json; a reader refuses a newer one."""
ASKED, RECIPE, STATE, BEST = "search.json", "recipe.toml", "state.json", "best.toml"
TRIALS, RESULT = "trials", "result.json"
ORPHANS = 10.0
"""Seconds that the workers of a search that was killed are waited for: they end as soon as they notice."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a search stands."""

    status: str = "running"
    """running, interrupted or finished."""
    seconds: float = 0.0
    """Of trials, for a budget."""
    cut: Mapping[str, list[int]] = field(default_factory=dict)
    """Where the budget ended a batch: the trials that were carried out, by the batch's name."""
    groups: Mapping[str, list[list[int]]] = field(default_factory=dict)
    """Trials of a batch that are carried out together, by its name."""


@dataclass(frozen=True, slots=True)
class SearchFolder:
    """Where everything about one search lies."""

    path: Path

    @classmethod
    def create(cls, out: Path | None, asked: Asked, recipe: str) -> SearchFolder:
        """Makes the folder of a new search, whole or not at all; `searches/<name>-<n>` without `out`. Raises UsageError."""
        if out is not None:
            RunFolder.require_free(out)
        place = cls(numbered(Path("searches"), asked.name) if out is None else out)
        made = cls(place.path.parent / f"{TEMPORARY}{secrets.token_hex(6)}")
        try:
            with writing(place.path, len(recipe)):
                (made.path / TRIALS).mkdir(parents=True)
                write_atomic(made.path / RECIPE, recipe)
                write_json(made.path / ASKED, {"format": FORMAT, "dressage": __version__, **asked.to_json()})
                made.path.rename(place.path)  # over an empty folder too
                sync_folder(place.path.parent)
        except BaseException:
            shutil.rmtree(made.path, ignore_errors=True)
            with suppress(OSError):
                place.path.rmdir()
            raise
        return place

    @classmethod
    def open(cls, path: Path) -> SearchFolder:
        """An existing search. Raises RunError."""
        if not (path / ASKED).is_file():
            found = "is no folder of a search" if path.exists() else "does not exist"
            raise RunError.of(path, found, f"expected one with {ASKED}", "give the folder that `dressage search` named")
        return cls(path)

    @classmethod
    def is_one(cls, path: Path) -> bool:
        """Whether a search lies there."""
        return (path / ASKED).is_file()

    def asked(self) -> Asked:
        """What was asked. Raises RunError: damaged, of a newer format."""
        found = read_json(self.path / ASKED)
        if not isinstance(found.get("format"), int) or found["format"] > FORMAT:
            expected = f"this is dressage {__version__}, which reads up to format {FORMAT}"
            raise RunError.of(self.path, f"is of format {found.get('format')!r}", expected, "update dressage")
        return from_json(found, self.path / ASKED)

    def whole(self) -> Recipe:
        """The recipe that is varied, whole."""
        return load_recipe(self.path / RECIPE)

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Holds it for one search, after the workers of one that was killed have ended. Raises RunError with the other's number."""
        with held(self.path / ".lock", "this search"):
            with held(self.path / ".workers", "trials of this search", ORPHANS):
                for left in self.path.glob(f"{TEMPORARY}*"):
                    left.unlink(missing_ok=True)
            yield

    @contextmanager
    def working(self) -> Iterator[None]:
        """Held by each process that carries out trials."""
        with shared(self.path / ".workers", ORPHANS):
            yield

    def standing(self) -> Standing:
        """How it stands; one that says running and that nobody holds was killed."""
        if not (self.path / STATE).is_file():
            return Standing("interrupted")
        found = read_json(self.path / STATE)
        cut = found.get("cut")
        try:
            known = {str(name): [int(n) for n in numbers] for name, numbers in dict(cut or {}).items()}
            groups = {str(name): _groups(given) for name, given in dict(found.get("groups") or {}).items()}
            standing = Standing(str(found["status"]), float(found["seconds"]), known, groups)
        except (KeyError, TypeError, ValueError):
            raise _damaged(self.path / STATE) from None
        if standing.status == "running" and not is_held(self.path / ".lock"):
            return replace(standing, status="interrupted")
        return standing

    def stand(self, standing: Standing) -> None:
        """Keeps how it stands."""
        write_json(self.path / STATE, asdict(standing))

    def trial(self, number: int) -> Path:
        """The folder of a trial's run."""
        return self.path / TRIALS / f"{number:04d}"

    def result(self, trial: Trial) -> Result | None:
        """What came of a trial so far; None: nothing yet. Raises RunError: damaged, or of another trial."""
        file = self.trial(trial.number) / RESULT
        if not file.is_file():
            return None
        found = _result(trial, read_json(file), file)
        if found is None:
            raise RunError.of(
                file, "is of another trial", f"expected that of {_asked_of(trial)}", "delete the trial's folder"
            )
        return found

    def keep(self, result: Result) -> None:
        """Writes what came of a trial, whole or not at all."""
        folder = self.trial(result.trial.number)
        folder.mkdir(parents=True, exist_ok=True)
        told = {name: value for name, value in asdict(result).items() if name not in ("trial", "curve", "folder")}
        write_json(folder / RESULT, {**_asked_of(result.trial), **told, "curve": [list(m) for m in result.curve]})


def _groups(given: Iterable[Iterable[int]]) -> list[list[int]]:
    return [[int(number) for number in group] for group in given]


def _asked_of(trial: Trial) -> dict[str, object]:
    return {**asdict(trial), "edit": dict(trial.edit)}


def _result(trial: Trial, found: Mapping[str, Any], file: Path) -> Result | None:
    """None where it is of another trial. Raises RunError."""
    wanted = _asked_of(trial)
    if any(found.get(name) != value for name, value in wanted.items()):
        return None
    try:
        curve = tuple(Moment(int(e), float(t), float(c), float(s)) for e, t, c, s in found["curve"])
        numbers = [float(found[name]) for name in ("score", "cost", "seconds")]
        state, epoch, reason = found["state"], int(found["epoch"]), str(found["reason"])
    except (KeyError, TypeError, ValueError):
        raise _damaged(file) from None
    if state not in get_args(State) or not math.isfinite(numbers[2]) or not 0 <= epoch <= trial.epochs:
        raise _damaged(file)
    folder = str(file.parent)
    return Result(trial, state, epoch, numbers[0], numbers[1], curve, numbers[2], reason, folder)


def _damaged(file: Path) -> DressageError:
    repair = "delete it: what it says is found again, or its trial run again"
    return RunError.of(file, "is damaged", "expected what a search wrote", repair)

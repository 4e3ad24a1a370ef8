"""The folder of a run: made new, checked when it is opened, held by one writer at a time, with how the run ended."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

from dressage.errors import DressageError, RunError, UsageError
from dressage.files import TEMPORARY, cannot_write, inside, read_json, write_json
from dressage.store.database import Recorder
from dressage.store.lock import held, is_held
from dressage.version import __version__

FORMAT = 1
"""Version of the folder's layout, in status.json; a reader refuses a newer one."""
State = Literal["running", "finished", "interrupted", "diverged", "failed"]
ENSEMBLE = "ensemble.json"
"""What makes a folder that of an ensemble, whose members are runs."""
_REQUIRED = ("status.json", "recipe.toml", "data.json")
_STATUS_LIMIT = 2**20


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything about one run lies. Made by `create`, `create_below` and `open`."""

    path: Path

    @classmethod
    def require_free(cls, path: Path) -> None:
        """Raises UsageError unless a run folder can be made here: nothing or an empty folder, where one may write."""
        try:
            if path.is_symlink() and not path.exists():
                raise _taken(path, "is a link to nothing")
            if path.exists() and not path.is_dir():
                raise _taken(path, "is a file")
            if path.exists() and any(path.iterdir()):
                complete = all((path / name).is_file() for name in _REQUIRED)
                complete |= (path / ENSEMBLE).is_file()
                resume = f", or go on with it: dressage resume {path}" if complete else ""
                if not complete and (path / "status.json").is_file():
                    resume = ", or delete it: a training was killed here before its first step"
                raise _taken(path, "exists and is not empty", resume)
            nearest = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
            if not nearest.is_dir():
                raise _taken(nearest, "is a file")
            if not os.access(nearest, os.W_OK | os.X_OK):
                raise cannot_write(nearest, 0, PermissionError(13, "Permission denied"))
            os.lstat(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise cannot_write(path, 0, error if isinstance(error, OSError) else OSError(str(error))) from error

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Makes the folder of a new run, with its parents. Raises UsageError as `require_free`, leaving nothing."""
        cls.require_free(path)
        made = [place for place in (path, *path.parents) if not place.exists()]
        return cls._begin(path, made)

    @classmethod
    def _begin(cls, path: Path, made: list[Path]) -> RunFolder:
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / ".lock").touch(exist_ok=False)  # of two that start at once, one wins
            write_json(path / "status.json", _status("running", {"step": 0}))
        except FileExistsError:
            raise _taken(path, "was taken at this moment by another run") from None
        except (OSError, DressageError) as error:
            for name in (".lock", "status.json"):
                with suppress(OSError):
                    (path / name).unlink()
            for place in made:
                with suppress(OSError):
                    place.rmdir()
            raise cannot_write(path, 0, error) if isinstance(error, OSError) else error from error
        return cls(path)

    @classmethod
    def create_below(cls, root: Path, name: str) -> RunFolder:
        """Makes `root/<name>-<n>` with the next free n; the name is brought to letters, digits, `_`, `.` and `-`."""
        path = numbered(root, name)
        return cls._begin(path, [path])

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run. Raises RunError: no run folder (with what is missing), damaged, of a newer format."""
        repair = "give the folder that `dressage train` named in its last line"
        if not path.is_dir():
            found = "is a file" if path.exists() else "does not exist"
            raise RunError.of(path, found, "expected the folder of a run", repair)
        missing = [name for name in _REQUIRED if not (path / name).is_file()]
        if len(missing) == len(_REQUIRED):
            if any(path.glob("*/status.json")):
                repair = f"give one of those that `dressage runs {path}` names"
            raise RunError.of(path, "is no run folder", f"expected one with {', '.join(_REQUIRED)}", repair)
        if (path / ENSEMBLE).is_file():
            found, expected = "is an ensemble", "expected the folder of one run"
            repair = f"give one of its members, {path}/members/0, or use `dressage evaluate {path}`"
            raise RunError.of(path, found, expected, repair)
        if missing:
            found = f"is an incomplete run folder without {', '.join(missing)}"
            repair = (
                "its training was killed before the first step: delete it and train again"
                if ("recipe.toml" in missing and not (path / "checkpoints").exists())
                else "copy it again, or repeat the run"
            )
            raise RunError.of(path, found, "expected all that a run begins with", repair)
        status = read_json(path / "status.json", _STATUS_LIMIT)
        version = status.get("format")
        if not isinstance(version, int) or version > FORMAT:
            expected = f"this is dressage {__version__}, which reads up to format {FORMAT}"
            raise RunError.of(path, f"is of format {version!r}", expected, "update dressage: pip install -U dressage")
        return cls(path)

    @contextmanager
    def discarded_on_error(self) -> Iterator[None]:
        """While a new run is being laid down: should that fail or be stopped, nothing of it stays."""
        try:
            yield
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def is_finished(self) -> bool:
        """Whether the run has come to its end and was judged."""
        return self.status()["status"] == "finished" and (self.path / "evaluation.json").is_file()

    def file(self, name: str) -> Path:
        """The path of a file of the run. Raises RunError for a name that leads out of the folder."""
        return inside(self.path, name)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the run for one writer. Raises RunError, with the other's process number, where there is one."""
        with held(self.path / ".lock", "this run"):
            for left in self.path.glob(f"{TEMPORARY}*"):
                left.unlink(missing_ok=True)
            yield

    def set_status(self, status: State, *, step: int = 0, **facts: object) -> None:
        """Keeps how the run stands in status.json and, as an event, in run.db. Raises UsageError where it cannot."""
        self.mark(status, step=step, **facts)
        self._record(lambda recorder: recorder.event(status, step, facts))

    def mark(self, status: State, *, step: int = 0, **facts: object) -> None:
        """Keeps how the run stands in status.json alone."""
        if status not in get_args(State):
            raise ValueError(f"{status} is none of {get_args(State)}")
        begun = self._stored().get("begun")
        write_json(self.path / "status.json", _status(status, {"step": step, **facts}, begun))

    def status(self) -> dict[str, Any]:
        """`status`, `step`, `begun`, `time` and the facts; a run that says running and has no writer is interrupted.

        Raises RunError where status.json is missing or damaged.
        """
        status = read_json(self.path / "status.json", _STATUS_LIMIT)
        if status.get("status") == "running" and not self.is_held():
            return {**status, "status": "interrupted", "killed": True}
        return status

    def is_held(self) -> bool:
        """Whether a writer holds the run at this moment."""
        return is_held(self.path / ".lock")

    def note(self, text: str, *, step: int = 0) -> None:
        """Keeps a sentence about the run, as an event of kind `note`."""
        self._record(lambda recorder: recorder.event("note", step, {"text": text}))

    def add_finding(self, finding: Mapping[str, object]) -> None:
        """Keeps a finding while no recorder is open."""
        self._record(lambda recorder: recorder.finding(finding))

    def set_findings(self, findings: Sequence[Mapping[str, object]]) -> None:
        """Keeps the findings as they stand at the end, in place of those on the way."""
        self._record(lambda recorder: recorder.findings(findings))

    def _record(self, say: Callable[[Recorder], None]) -> None:
        with Recorder(self.path) as recorder:
            say(recorder)

    def _stored(self) -> dict[str, Any]:
        with suppress(DressageError):
            return read_json(self.path / "status.json", _STATUS_LIMIT)
        return {}


def numbered(root: Path, name: str) -> Path:
    """Makes the empty folder `root/<name>-<n>` with the next free n. Raises UsageError where it cannot."""
    safe = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip(".-")[:60].strip(".-") or "run"
    try:
        root.mkdir(parents=True, exist_ok=True)
        taken = [int(m[1]) for p in root.iterdir() if (m := re.fullmatch(rf"{re.escape(safe)}-(\d{{1,9}})", p.name))]
    except OSError as error:
        raise cannot_write(root, 0, error) from error
    for number in count(max(taken, default=0) + 1):
        try:
            (root / f"{safe}-{number}").mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise cannot_write(root / f"{safe}-{number}", 0, error) from error
        return root / f"{safe}-{number}"
    raise AssertionError("numbers do not end")


def list_runs(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The run folders in `folder`, the newest first, each with its `status()`; a damaged one with its `error` alone.

    Raises RunError where `folder` is no folder.
    """
    try:
        below = [path for path in folder.iterdir() if (path / "status.json").is_file() and not path.is_symlink()]
    except OSError as error:
        found = f"cannot be listed ({error.strerror})"
        raise RunError.of(folder, found, "expected a folder of runs", "train first, or give another folder") from None
    runs = []
    for path in below:
        try:
            runs.append((path, RunFolder(path).status()))
        except DressageError as error:
            runs.append((path, {"status": "damaged", "error": str(error)}))
    return sorted(runs, key=lambda run: (str(run[1].get("begun", "")), run[0].name), reverse=True)


def _status(status: State, facts: Mapping[str, object], begun: object = None) -> dict[str, object]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    fixed = {"format": FORMAT, "dressage": __version__, "status": status, "begun": begun or now, "time": now}
    return {**facts, **fixed}


def _taken(path: Path, found: str, more: str = "") -> DressageError:
    return UsageError.of(path, found, "expected a new or empty folder", f"choose another place with --out{more}")

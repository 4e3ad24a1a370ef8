"""The folder of a tuning: what was asked, a file for each step that is done, and the searches that the steps carried out.

tune.json      what was asked          coarse/, fine-1/, …, final/   searches, which `dressage show` reads
01-first-loss.json, 02-…               best.toml                     the recipe that won
clock.json     seconds so far          run/                          a training with it, where the time allowed one
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dressage.errors import RunError, UsageError, printable
from dressage.files import read_json, write_json
from dressage.recipe import Recipe, as_recipe
from dressage.resolve import name_problems
from dressage.search.tune.steps import Step, from_json
from dressage.store.folder import RunFolder, numbered
from dressage.store.lock import held
from dressage.version import __version__

FORMAT = 1
ASKED, CLOCK, BEST = "tune.json", "clock.json", "best.toml"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: all that the course follows from, beside the clock."""

    name: str
    data: str | None
    """Path or name that the data was given as; None: it came from Python."""
    fingerprint: str
    own_model: bool
    recipe: Mapping[str, Any]
    """What was written, nested."""
    budget: float
    """Seconds for everything."""
    trains: bool
    """Whether the best recipe is trained in the end, if there is time."""

    @property
    def written(self) -> Recipe:
        """The recipe as it was written."""
        return as_recipe(self.recipe, also=name_problems)


@dataclass(frozen=True, slots=True)
class TuneFolder:
    """Where everything about one tuning lies."""

    path: Path

    @classmethod
    def is_one(cls, path: Path) -> bool:
        """Whether a tuning lies there."""
        return (path / ASKED).is_file()

    @classmethod
    def open(cls, path: Path) -> TuneFolder:
        """An existing tuning. Raises RunError."""
        if not cls.is_one(path):
            found = "is no folder of a tuning" if path.exists() else "does not exist"
            raise RunError.of(path, found, f"expected one with {ASKED}", "give the folder that `dressage tune` named")
        return cls(path)

    @classmethod
    def placed(cls, asked: Asked, out: Path | None) -> TuneFolder:
        """Made new, or that of the same tuning, which is gone on with. Raises UsageError where it is of another."""
        if out is not None and cls.is_one(out):
            place = cls(out)
            then, now = asdict(place.asked()), asdict(asked)
            other = [f"{n} {printable(now[n], 80)}, was {printable(then[n], 80)}" for n in now if now[n] != then[n]]
            if other:
                repair = "choose another place with --out, or go on with it by `dressage resume`"
                raise UsageError.of(
                    out, f"holds another tuning ({'; '.join(other[:3])})", "expected a new folder", repair
                )
            return place
        if out is None:
            place = cls(numbered(Path("tunings"), asked.name))
        else:
            RunFolder.require_free(out)
            out.mkdir(parents=True, exist_ok=True)
            place = cls(out)
        write_json(place.path / ASKED, {"format": FORMAT, "dressage": __version__, **asdict(asked)})
        return place

    def asked(self) -> Asked:
        """What was asked. Raises RunError: damaged, of a newer format."""
        found = read_json(self.path / ASKED)
        if not isinstance(found.get("format"), int) or found["format"] > FORMAT:
            expected = f"this is dressage {__version__}, which reads up to format {FORMAT}"
            raise RunError.of(self.path, f"is of format {found.get('format')!r}", expected, "update dressage")
        kinds: dict[str, type | tuple[type, ...]] = {"name": str, "data": (str, type(None)), "fingerprint": str}
        kinds |= {"own_model": bool, "recipe": dict, "budget": (int, float), "trains": bool}
        wrong = [name for name, kind in kinds.items() if name not in found or not isinstance(found[name], kind)]
        if wrong:
            raise RunError.of(
                self.path / ASKED, f"has no usable {wrong[0]}", "expected what a tuning wrote", "copy it again"
            )
        return Asked(**{name: found[name] for name in kinds})

    @contextmanager
    def tuning(self) -> Iterator[None]:
        """Holds it for one tuning. Raises RunError with the other's number."""
        with held(self.path / ".lock", "this tuning"):
            yield

    def step(self, name: str) -> Step | None:
        """A step that is done. Raises RunError where its file is damaged."""
        file = self.path / f"{name}.json"
        return from_json(read_json(file), file) if file.is_file() else None

    def keep(self, name: str, step: Step) -> None:
        """Writes a step, whole or not at all."""
        write_json(self.path / f"{name}.json", step.to_json())

    def plan(self, name: str) -> Mapping[str, Any] | None:
        """What was planned for a search that is not over: it is gone on with as it was begun."""
        file = self.path / f"{name}.plan.json"
        return read_json(file) if file.is_file() else None

    def keep_plan(self, name: str, plan: Mapping[str, Any]) -> None:
        """Writes it before the search begins."""
        write_json(self.path / f"{name}.plan.json", plan)

    def steps(self) -> list[Step]:
        """The steps that are done, in order."""
        names = sorted(p.stem for p in self.path.glob("[0-9][0-9]-*.json") if not p.stem.endswith(".plan"))
        return [step for name in names if (step := self.step(name)) is not None]

    @property
    def seconds(self) -> float:
        """Spent so far, in all sittings."""
        file = self.path / CLOCK
        found = read_json(file).get("seconds", 0.0) if file.is_file() else 0.0
        return float(found) if isinstance(found, int | float) and 0 <= found < 1e9 else 0.0

    def keep_seconds(self, seconds: float) -> None:
        """Writes them."""
        write_json(self.path / CLOCK, {"seconds": seconds})

"""What a search was asked for: all that its proposals and decisions follow from, beside the results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from dressage.data.split import split_seed
from dressage.errors import RecipeError, RunError, nearest
from dressage.recipe import Recipe, as_recipe
from dressage.remedies import edited
from dressage.resolve import name_problems
from dressage.search.rungs import Rung, halving, shared
from dressage.search.space import Space, as_space
from dressage.search.trial import Trial

Halving = Literal["none", "successive", "hyperband"]
HALVINGS: tuple[str, ...] = get_args(Halving)
FIRST = 2
"""Epochs of a rung at least where an epoch has few steps: after one, a warm-up has hardly ended."""
STEPS = 50
"""Steps of an epoch after which it tells enough of a trial: then one is a rung. Of 192 trials of ten epochs with 100 steps each,
the twelve best were among the best sixteen after one epoch (`experiments/searches.py`)."""
MOST = 100_000
"""Trials, and epochs, of a stage."""
_STAGE = re.compile(r"(\d{1,9})x(\d{1,9})(?:@(\d{1,12}))?", re.ASCII)
TRIED = {"train.refit": False, "watch.diagnose": False}
"""Of every trial: it is held against others by its validation part, and judged by nobody."""


@dataclass(frozen=True, slots=True)
class Stage:
    """So many trials of so many epochs at most, on so many training rows; 0 rows: all."""

    trials: int
    epochs: int
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.trials}x{self.epochs}" + f"@{self.rows}" * bool(self.rows)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, as search.json has it."""

    name: str
    data: str | None
    """Path or name that the data was given as; None: it came from Python."""
    fingerprint: str
    metric: str
    """What the score is: accuracy, r2, or −loss of several targets."""
    own_model: bool
    recipe: Mapping[str, Any]
    """What was written, nested."""
    form: Mapping[str, Any]
    """Number format, layout and threads of every trial, by path."""
    space: tuple[str, ...]
    sampler: str
    stages: tuple[str, ...]
    halving: Halving
    finalists: int
    """Trials that come to the end of each stage at least; those of the last are repeated."""
    repeats: int
    """Runs of each with other seeds."""
    budget: float
    """Seconds of trials, beyond which none is begun; 0: as long as it takes."""
    first: tuple[Mapping[str, Any], ...] = ()
    """Edits that the first stage tries before it draws any."""
    shortest: tuple[int, ...] = ()
    """Epochs of the shortest rung of each stage; FIRST where nothing is said."""
    is_joined: bool = False
    """Whether trials are held against those of earlier stages too; not so in searches that began before there was this."""

    @property
    def written(self) -> Recipe:
        """The recipe as it was written."""
        return as_recipe(self.recipe, also=name_problems)

    @property
    def seed(self) -> int:
        """Key of what is proposed, and seed of the trials."""
        return self.written.seed

    @property
    def ranges(self) -> Space:
        """What is searched at first."""
        return as_space(self.space)

    @property
    def plan(self) -> list[Stage]:
        """The stages."""
        return as_stages(self.stages)

    def to_json(self) -> dict[str, Any]:
        """As `from_json` takes it."""
        lists = {name: list(getattr(self, name)) for name in ("space", "stages", "first", "shortest")}
        return {**asdict(self), **lists}


def from_json(found: Mapping[str, Any], where: object) -> Asked:
    """What search.json holds. Raises RunError for anything that no search writes."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "name": str,
        "fingerprint": str,
        "metric": str,
        "own_model": bool,
        "recipe": dict,
    }
    kinds |= {"form": dict, "space": list, "sampler": str, "stages": list, "halving": str, "finalists": int}
    kinds |= {"repeats": int, "budget": (int, float), "data": (str, type(None))}
    wrong = [name for name, kind in kinds.items() if name not in found or not isinstance(found[name], kind)]
    lists = [item for name in ("space", "stages") if name not in wrong for item in found[name]]
    if wrong or not all(isinstance(item, str) for item in lists):
        raise RunError.of(
            where, f"has no usable {wrong[0] if wrong else 'list'}", "expected what a search wrote", "copy it again"
        )
    first = found.get("first", [])
    if not isinstance(first, list) or not all(isinstance(edit, dict) for edit in first):
        raise RunError.of(where, "has no usable first", "expected what a search wrote", "copy it again")
    shortest = found.get("shortest", [])
    if not isinstance(shortest, list) or not all(epochs in (1, FIRST) for epochs in shortest):
        raise RunError.of(where, "has no usable shortest", "expected what a search wrote", "copy it again")
    taken: dict[str, Any] = {
        "first": tuple(first),
        "shortest": tuple(shortest),
        "is_joined": found.get("is_joined") is True,
    }
    taken |= {name: tuple(found[name]) if kind is list else found[name] for name, kind in kinds.items()}
    asked = Asked(**taken)
    as_stages(asked.stages)
    check_halving(asked.halving)
    return asked


def as_stages(given: Iterable[str | Stage] | str) -> list[Stage]:
    """Stages of texts, `100x5@10000`: 100 trials of 5 epochs on 10,000 training rows. Raises RecipeError."""
    parts = given.split(",") if isinstance(given, str) else list(given)
    stages = [part if isinstance(part, Stage) else _stage(str(part).strip()) for part in parts]
    if not stages:
        raise RecipeError.of("stages", "none given", "expected TRIALSxEPOCHS@ROWS", "e.g. --stages 100x5@10000,20x20")
    for stage in stages:
        for name, value, least in (("trials", stage.trials, 1), ("epochs", stage.epochs, 1), ("rows", stage.rows, 0)):
            if not least <= value <= (MOST if name != "rows" else 10**12):
                raise RecipeError.of(
                    f"stages {stage}", f"{value} {name}", f"expected {least} to {MOST:,}", "e.g. 100x5@10000"
                )
    return stages


def check_halving(name: str) -> None:
    """Raises RecipeError unless it is one."""
    if name not in HALVINGS:
        raise RecipeError.of(
            f"halving {name[:60]!r}", "no such way", nearest(name, HALVINGS), "e.g. --halving successive"
        )


def joins(asked: Asked, number: int) -> bool:
    """Whether the trials of the stage before go on in stage `number`: they have its epochs and its rows.

    So nothing is trained twice, and a trial of any stage goes on as soon as it is among the best third of all at its rung.
    """
    if not asked.is_joined or not number or asked.halving == "hyperband":
        return False
    before, stage = asked.plan[number - 1], asked.plan[number]
    return (before.epochs, before.rows) == (stage.epochs, stage.rows)


def joined(asked: Asked, number: int) -> int:
    """Trials of earlier stages that go on in stage `number`."""
    return asked.plan[number - 1].trials + joined(asked, number - 1) if joins(asked, number) else 0


def brackets(asked: Asked, number: int, trials: int) -> list[list[Rung]]:
    """The rungs of so many trials of stage `number`, by bracket; as many as are repeated in the end come to its last one.

    Ranges narrow by them, and where several train as one computation they take hardly longer than one by itself.
    """
    epochs = asked.plan[number].epochs
    if asked.halving == "hyperband":
        return shared(trials, epochs)
    first = asked.shortest[number] if number < len(asked.shortest) else FIRST
    rungs = halving(trials, epochs, first=first) if asked.halving == "successive" else [Rung(trials, epochs)]
    # A search that began before `shortest` was written goes on by the rungs it began with.
    is_last = number == len(asked.plan) - 1
    least = min(asked.finalists if asked.shortest or is_last else 1, trials)
    return [[Rung(max(rung.trials, least), rung.epochs) for rung in rungs]]


def shortest_rungs(plan: Iterable[Stage], rows: int, batch: int) -> tuple[int, ...]:
    """Epochs of the shortest rung of each stage; `rows`: all training rows, `batch`: of a step."""
    steps = (min(stage.rows or rows, rows) / batch for stage in plan)
    return tuple(1 if count >= STEPS else FIRST for count in steps)


def planned(asked: Asked, rows: int) -> list[float]:
    """Rows times epochs of each stage, and of the repeats in the end, if no trial stops early; `rows`: all training rows."""
    samples = []
    for number, stage in enumerate(asked.plan):
        known = joined(asked, number)
        epochs = _epochs(asked, number, known + stage.trials) - (_epochs(asked, number, known) if known else 0)
        samples.append(float(max(0, epochs) * min(stage.rows or rows, rows)))
    final = asked.plan[-1]
    repeats = min(asked.finalists, final.trials) * asked.repeats * final.epochs
    return [*samples, float(repeats * min(final.rows or rows, rows))]


def _epochs(asked: Asked, number: int, trials: int) -> int:
    """Of so many trials together, if none stops early."""
    epochs = 0
    for bracket in brackets(asked, number, trials):
        before = [0, *(rung.epochs for rung in bracket)]
        epochs += sum(rung.trials * (rung.epochs - start) for rung, start in zip(bracket, before, strict=False))
    return epochs


def trial_recipe(asked: Asked, trial: Trial, rows: int) -> Recipe:
    """What is written for a trial: what was asked for, its edit, and the split of the search whatever its own seed."""
    written = asked.written
    fixed = {
        "seed": trial.seed,
        "train.epochs": trial.epochs,
        "data.split_seed": split_seed(written.data, written.seed),
        **TRIED,
    }
    return edited(edited(written, trial.edit), fixed | ({"data.subset": rows} if rows else {}))


def _stage(text: str) -> Stage:
    match = _STAGE.fullmatch(text)
    if match is None:
        raise RecipeError.of(
            "stages", f"{text[:60]!r} given", "expected TRIALSxEPOCHS or TRIALSxEPOCHS@ROWS", "e.g. 100x5@10000"
        )
    return Stage(int(match[1]), int(match[2]), int(match[3] or 0))

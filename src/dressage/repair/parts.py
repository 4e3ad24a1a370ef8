"""The trainings that a repair is made of: each is begun, or gone on with where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from dressage.errors import Diverged, Interrupted
from dressage.fit import Event, ExamineEvent, NoticeEvent
from dressage.ground import Ground
from dressage.jobfile import read_job
from dressage.models.foreign import Made
from dressage.prepare import ShowProgress
from dressage.recipe import Recipe
from dressage.remedies import edited
from dressage.repair.going_on import Good, lay_down
from dressage.resolve import given_paths, value_at
from dressage.run import Run, load
from dressage.store.folder import RunFolder
from dressage.train import resume, train


@dataclass(frozen=True, slots=True)
class Asked:
    """What a repair was called with."""

    data: object
    y: object
    written: Recipe
    made: Made | None
    on_event: Callable[[Event], None] | None
    progress: ShowProgress | None

    def train(self, written: Recipe, place: Path | str | None) -> Run:
        """A training from its first weights."""
        told = {"on_event": self.on_event, "progress": self.progress}
        return train(self.data, y=self.y, recipe=written, model=self.made, out=place, **told)  # type: ignore[arg-type]

    def resume(self, place: Path) -> Run:
        """A training from where it stands; one that is over is as it is."""
        told = {"on_event": self.on_event, "progress": self.progress}
        return resume(place, self.data, y=self.y, model=self.made, **told)  # type: ignore[arg-type]

    def say(self, text: str) -> None:
        """Says what is done next, and why."""
        if self.on_event is not None:
            self.on_event(NoticeEvent(text))

    def tell(self, what: str, done: int, total: int) -> None:
        """Says what is being tried."""
        if self.on_event is not None:
            self.on_event(ExamineEvent(what, done, total))


def first_training(asked: Asked, out: Path | str | None) -> tuple[Run, Diverged | None]:
    """The training as it was asked for, or as far as it has come; and the error with which it ended, if it did."""
    try:
        if out is not None and _is_of(Path(out), asked.written):
            return asked.resume(Path(out)), None
        return asked.train(asked.written, out), None
    except Diverged as error:
        return load(Path(str(error.where)), model=asked.made), error


def second_training(asked: Asked, ground: Ground, first: Run, edit: Mapping[str, object], good: Good | None) -> Run:
    """The training with an edit, from the last good state of the first or from its first weights; or as far as it has come."""
    written = edited(asked.written, edit)
    place = _place(first.folder, written)
    if place.exists():
        return asked.resume(place)
    if good is None:
        return asked.train(written, place)
    folder = RunFolder.create(place)
    with folder.writing(), folder.discarded_on_error():
        lay_down(
            folder, replace(ground, form={}).job(written), asked.data, first, good, own_model=asked.made is not None
        )
    return asked.resume(place)


@contextmanager
def told_how_to_go_on(place: Path | str | None) -> Iterator[None]:
    """A repair that is interrupted says how it is gone on with."""
    try:
        yield
    except Interrupted as error:
        where = place or error.where
        how = f"the same command with --out {where} goes on"
        raise Interrupted.of(where, "the repair was stopped", "what was trained is saved", how) from error


def _place(first: Path, written: Recipe) -> Path:
    """Beside the first folder: that of the same training if it was begun, else one that is free."""
    names = (f"{first.name}-repaired{f'-{number}' if number > 1 else ''}" for number in count(1))
    places = (first.with_name(name) for name in names)
    return next(place for place in places if not place.exists() or _is_of(place, written))


def _is_of(folder: Path, written: Recipe) -> bool:
    """Whether the folder is that of a run for which the same was written."""
    if not (folder / "recipe.toml").is_file():
        return False
    reasons = read_job(folder).reasons
    given = {path: told["value"] for path, told in reasons.items() if told["origin"] == "given"}
    return given == {path: value_at(written, path) for path in given_paths(written)}

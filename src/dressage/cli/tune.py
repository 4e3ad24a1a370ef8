"""`dressage tune DATA`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, duration, short
from dressage.cli.search import seconds_of
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from types import TracebackType

    from dressage.models.foreign import Made
    from dressage.search.tune import Step, Tuned

STOPPED = 1  # exit code where a step stopped the tuning


@with_recipe
def tune(
    data: str,
    /,
    *,
    budget: str = "10m",
    train: Annotated[bool, Parameter(negative="--no-train")] = True,
    jobs: int = 0,
    out: Path | None = None,
    model: str | None = None,
    recipe: Recipe,
    output: Output | None = None,
) -> int:
    """Tune a training in seven steps, each of which says what it saw and what it decided.

    First loss; a small sample; a rate that lowers the loss; coarse trials of rate and decay; finer and longer ones; the curves;
    go on or stop. What comes out is held against the recipe as it was. Exit code 0: done, 1: a step found that nothing is to be
    tuned yet. A tuning that is stopped goes on with `dressage resume FOLDER`.

    For example:
      dressage tune digits --budget 2m
      dressage tune churn.csv --target churn --budget 20m --out tunings/churn
      dressage tune flowers/ --optim.name momentum --no-train --json

    Parameters
    ----------
    data
        As for `dressage train`: a folder, a file or a named set.
    budget
        Time for everything, e.g. 90s, 20m or 1.5h; the last training included, where it fits.
    train
        Train the best recipe in the end.
    jobs
        Processes that train at once; 0: as many as fit, one where the budget is short.
    out
        Folder of the tuning; without it a free name below tunings/. One that lies there already is gone on with.
    model
        FILE.py:Name, a network of your own: an nn.Module class, or a function that makes one. The file is run.
    """
    from dressage.cli.load import load_network
    from dressage.search.tune import tune as run_tuning

    output = output or Output()
    asked: dict[str, Any] = {"recipe": recipe, "budget": seconds_of(budget or "10m"), "trains": train, "jobs": jobs}
    network = load_network(model, output)
    with TuneProgress(output) as progress:
        found = run_tuning(data, **asked, model=network, out=out, **progress.heard)
    return _result(found, output, shown=True)


class TuneProgress:
    """Consumes the events of one tuning: steps are printed as they are done, searches and trainings as by themselves."""

    def __init__(self, output: Output) -> None:
        from dressage.cli.progress import Progress
        from dressage.cli.search_progress import SearchProgress

        self._output = output
        self._search, self._training = SearchProgress(output), Progress(output)
        self.heard: dict[str, Any] = {
            "on_event": self,
            "on_training": self._training,
            "progress": self._training.opening,
        }

    def __enter__(self) -> TuneProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._search.__exit__(kind, error, trace)
        self._training.__exit__(kind, error, trace)

    def __call__(self, event: object) -> None:
        from dressage.search.events import ToldEvent
        from dressage.search.tune import StepEvent

        if isinstance(event, ToldEvent):
            return  # the step that follows says what was found and decided
        if not isinstance(event, StepEvent):
            self._search(event)
            return
        self.__exit__(None, None, None)
        if not self._output.json:
            print("\n".join(step_lines(event.step, self._output)), flush=True)


def step_lines(step: Step, output: Output) -> Iterator[str]:
    """A step as it is printed."""
    head, *rest = step.lines()
    yield output.bold(f"{head}  ({duration(step.seconds)})")
    yield from (cell(line, 600) for line in rest)


def is_one(folder: Path) -> bool:
    """Whether a tuning lies there."""
    return (folder / "tune.json").is_file()


def go_on(folder: Path, data: str | None, network: Made | None, output: Output) -> None:
    """Goes on with a tuning that was stopped."""
    from dressage.search.tune import go_on as resume

    with TuneProgress(output) as progress:
        found = resume(folder, data, model=network, **progress.heard)
    _result(found, output, shown=True)


def show(folder: Path, output: Output) -> None:
    """A tuning as far as it has come."""
    from dressage.search.tune import load_tuned

    _result(load_tuned(folder), output, shown=False)


def as_dict(found: Tuned) -> dict[str, Any]:
    """What scripts read: every step, and what was kept."""
    from dressage.cli.result import as_dict as run_as_dict

    return {
        "tuning": str(found.folder),
        "steps": [step.to_json() for step in found.steps],
        "edit": None if found.edit is None else dict(found.edit),
        "why": found.why,
        "seconds": found.seconds,
        "command": found.command,
        "recipe": str(found.best_recipe) if found.best_recipe.is_file() else None,
        "run": None if found.run is None else run_as_dict(found.run),
    }


def _result(found: Tuned, output: Output, *, shown: bool) -> int:
    output.result(as_dict(found), _lines(found, output, shown))
    return 0 if found.edit is not None else STOPPED


def _lines(found: Tuned, output: Output, shown: bool) -> Iterator[str]:
    from dressage.cli.result import lines
    from dressage.search.tune.words import edit_text

    if not shown:
        yield output.bold(short(found.folder))
        yield from (line for step in found.steps for line in step_lines(step, output))
    yield ""
    yield f"{short(found.folder)}  {duration(found.seconds)}  {cell(found.why, 400)}"
    if found.edit:
        yield f"changed: {cell(edit_text(found.edit), 400)}"
    if found.run is not None and found.run.status == "finished":
        yield from lines(found.run, output)
    elif found.best_recipe.is_file():
        yield f"next: {cell(found.command, 400)}"

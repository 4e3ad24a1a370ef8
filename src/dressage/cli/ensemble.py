"""`dressage ensemble RUN RUN …` and `dressage ensemble DATA`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, short, table
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from dressage.ensemble import Ensemble
    from dressage.models.foreign import Made


@with_recipe
def ensemble(
    *what: str,
    members: int | None = None,
    by: str | None = None,
    combine: str = "mean",
    data: str | None = None,
    out: Path | None = None,
    model: str | None = None,
    recipe: Recipe,
    output: Output | None = None,
) -> None:
    """Several networks that answer as one: of runs that were trained, or trained here. predict and evaluate take it like a run.

    For example:
      dressage ensemble digits --members 5 --out ensembles/digits
      dressage ensemble digits --by bagging --combine vote
      dressage ensemble runs/a runs/b runs/c --combine greedy

    Parameters
    ----------
    what
        Folders of finished runs of the same data (one, if it kept snapshots); or one set of data, as `dressage train` takes it.
    members
        How many networks, of data; 5 where nothing is said.
    by
        How the members come about, of data: seeds, bagging or snapshots (see `dressage list members`).
    combine
        How their answers become one: mean, logits, vote, greedy or soup (see `dressage list combine`).
    data
        Where the data of the runs is now, if it has been moved.
    out
        Folder of the ensemble; without it a free name below ensembles/. One of the same that lies there is gone on with.
    model
        FILE.py:Name, for networks of your own.
    """
    from dressage.cli.load import load_network
    from dressage.cli.progress import Progress
    from dressage.ensemble import ensemble as make
    from dressage.errors import UsageError

    output = output or Output()
    if not what:
        expected = "expected runs, or one set of data"
        raise UsageError.of("dressage ensemble", "nothing to combine", expected, "e.g. dressage ensemble digits")
    with Progress(output) as progress:
        made = make(
            what[0] if len(what) == 1 else list(what),
            data=data,
            members=members,
            by=by,
            combine=combine,
            recipe=recipe if recipe.model_fields_set else None,
            model=load_network(model, output),
            out=out,
            on_event=progress,
            progress=progress.opening,
            tell=output.note,
        )
    show(made, output)


def is_one(folder: Path) -> bool:
    """Whether there is an ensemble in this folder."""
    return (folder / "ensemble.json").is_file()


def go_on(folder: Path, data: str | None, model: Made | None, output: Output) -> None:
    """Trains the members that are missing, and shows what came out."""
    from dressage.cli.progress import Progress
    from dressage.ensemble import resume

    with Progress(output) as progress:
        settings: dict[str, Any] = {"model": model, "on_event": progress, "progress": progress.opening}
        made = resume(folder, data, **settings, tell=output.note)
    show(made, output)


def show(made: Ensemble, output: Output) -> None:
    """What an ensemble is worth, as text or as one JSON object."""
    facts: dict[str, Any] = {name: value for name, value in made.facts.items() if name not in ("format", "asked")}
    scores = {part: found["metrics"] for part, found in made.evaluation.items()}
    output.result({"ensemble": str(made.folder), "status": made.status, "scores": scores, **facts}, lines(made, output))


def lines(made: Ensemble, output: Output) -> Iterator[str]:
    """The same for people."""
    from dressage.ensemble.page import NAME
    from dressage.ensemble.words import against_best, between
    from dressage.evaluate import sentence

    facts = made.facts
    yield from (cell(text, 400) for text in facts["told"])
    yield from member_table(facts, output)
    yield from map(between, facts["lines"])
    for part in ("validation", "out_of_bag", "test"):
        if part in made.evaluation:
            text = cell(sentence(made.evaluation[part]).replace("out_of_bag", "out-of-bag"), 300)
            yield output.bold(text) if part == "test" else text
    yield from against_best(facts)
    if (made.folder / NAME).is_file():
        yield f"report: {short(made.folder / NAME)}"
    yield f"next: dressage predict {short(made.folder)} NEW_DATA"


def member_table(facts: dict[str, Any], output: Output) -> list[str]:
    """A line a member: what it counts, its score and loss on each part."""
    parts = [part for part in ("validation", "test") if part in facts["of"][0]["scores"]]
    head = ["member", "weight", *(f"{part} {what}" for part in parts for what in ("score", "loss"))]
    rows = [
        [cell(m["name"], 60), m["weight"], *(m["scores"][part][what] for part in parts for what in ("score", "loss"))]
        for m in facts["of"]
    ]
    return table(head, rows, output)

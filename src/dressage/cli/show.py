"""`dressage show RUN`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.output import Output, cell, short, sparkline, table


def show(run: Path, /, *, output: Output | None = None) -> None:
    """One run: its scores, its curves as small pictures, and its recipe with the reason of each value; or a search, or a tuning.

    For example:
      dressage show runs/flowers

    Parameters
    ----------
    run
        Folder of the run.
    """
    from dressage.cli import search as searches
    from dressage.cli import tune as tunings
    from dressage.cli.result import as_dict, lines
    from dressage.run import load

    output = output or Output()
    if searches.is_one(run):
        searches.show(run, output)
        return
    if tunings.is_one(run):
        tunings.show(run, output)
        return
    trained = load(run)
    if output.json:
        output.result({**as_dict(trained), "recipe": trained.recipe.model_dump()}, [])
        return
    text = [output.bold(f"{short(trained.folder)}  {trained.status}"), *lines(trained, output), ""]
    epochs = trained.history.epochs
    names = [name for name in (epochs[-1] if epochs else {}) if name not in ("epoch", "step", "seconds", "improved")]
    curves = {name: [float(e[name]) for e in epochs if isinstance(e.get(name), int | float)] for name in names}
    rows = [(name.replace("_", " "), v[0], v[-1], min(v), max(v), sparkline(v)) for name, v in curves.items() if v]
    text += table([f"{len(epochs)} epochs", "first", "last", "lowest", "highest", ""], rows, output) if rows else []
    text += ["", cell_lines((trained.folder / "recipe.toml").read_text(encoding="utf-8"))]
    output.result({}, text)


def cell_lines(text: str) -> str:
    """A text of several lines with nothing in it that could steer the terminal."""
    return "\n".join(cell(line, 400) for line in text.rstrip().split("\n"))

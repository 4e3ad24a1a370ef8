"""`dressage resume RUN`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.output import Output


def resume(
    run: Path, data: str | None = None, /, *, model: str | None = None, on: str = "", output: Output | None = None
) -> None:
    """Go on with a run, an ensemble, a search or a tuning that was stopped, bit for bit as if it never had been.

    For example:
      dressage resume runs/flowers

    Parameters
    ----------
    run
        Folder of the run.
    data
        Where the data is now, if it has been moved. Changed data is refused.
    model
        FILE.py:Name, for a run that was trained with a network of your own.
    on
        Of a search: ray or ray://HOST:PORT, a cluster that goes on with it.
    """
    from dressage import resume as go_on
    from dressage.cli import ensemble as ensembles
    from dressage.cli import search as searches
    from dressage.cli import tune as tunings
    from dressage.cli.load import load_network, load_run
    from dressage.cli.progress import Progress
    from dressage.cli.result import show_result

    output = output or Output()
    network = load_network(model, output)
    if searches.is_one(run):
        searches.go_on(run, data, network, on, output)
        return
    if tunings.is_one(run):
        tunings.go_on(run, data, network, output)
        return
    if ensembles.is_one(run):
        ensembles.go_on(run, data, network, output)
        return
    if load_run(run, None, output).status == "finished":
        output.note("finished already: nothing is left to train")
    with Progress(output) as progress:
        finished = go_on(run, data, model=network, on_event=progress, progress=progress.opening)
    show_result(finished, output)

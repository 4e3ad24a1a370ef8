"""`dressage evaluate RUN`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.output import Output, cell, table


def evaluate(run: Path, data: str | None = None, /, *, model: str | None = None, output: Output | None = None) -> None:
    """Scores of a run, with 95 % intervals, beside the baseline: as it ended, or on new data that has the target.

    For example:
      dressage evaluate runs/flowers
      dressage evaluate runs/churn march.csv --json

    Parameters
    ----------
    run
        Folder of the run.
    data
        New data; without it the scores on the run's own parts.
    model
        FILE.py:Name, for a run that was trained with a network of your own.
    """
    from dressage.cli.load import load_run
    from dressage.evaluate import metric_name, sentence

    output = output or Output()
    trained = load_run(run, model, output)
    found = trained.evaluation if data is None else {"new data": trained.evaluate(data)}
    text = []
    for part, judged in found.items():
        base = judged["baseline"]["metrics"]
        rows = [
            (metric_name(n), e["value"], e["low"], e["high"], base.get(n, {}).get("value"))
            for n, e in judged["metrics"].items()
        ]
        text += [
            output.bold(cell(sentence(judged), 300)),
            *table([str(part), "value", "low", "high", "baseline"], rows, indent="  "),
            "",
        ]
    output.result({"run": str(trained.folder), "evaluation": found}, text[:-1])

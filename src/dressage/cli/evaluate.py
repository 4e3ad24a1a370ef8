"""`dressage evaluate RUN`."""

from __future__ import annotations

from pathlib import Path

from dressage.cli.output import Output, cell, table
from dressage.errors import UsageError


def evaluate(
    run: Path,
    data: str | None = None,
    /,
    *,
    target_error: float | None = None,
    model: str | None = None,
    output: Output | None = None,
) -> None:
    """Scores of a run or an ensemble, with 95 % intervals, beside the baseline: as it ended, or on new data that has the target.

    For example:
      dressage evaluate runs/flowers
      dressage evaluate runs/flowers --target-error 0.02
      dressage evaluate runs/churn march.csv --json

    Parameters
    ----------
    run
        Folder of the run.
    data
        New data; without it the scores on the run's own parts.
    target_error
        Error that can be reached, by a person for example: what bias is measured from, in place of the run's own value.
    model
        FILE.py:Name, for a run that was trained with a network of your own.
    """
    from dressage.cli.load import load_run
    from dressage.cli.result import limits
    from dressage.ensemble import Ensemble
    from dressage.ensemble.words import against_best
    from dressage.evaluate import gaps_of, metric_name, sentence

    output = output or Output()
    if target_error is not None and target_error < 0:
        raise UsageError.of("--target-error", f"{target_error:g}", "expected an error of 0 or more", "give 0.02, say")
    trained = load_run(run, model, output)
    found = trained.evaluation if data is None else {"new data": trained.evaluate(data)}
    text = []
    for part, judged in found.items():
        base = judged.get("baseline", {}).get("metrics", {})  # none is stored of a trial of a search
        rows = [
            (metric_name(n), e["value"], e["low"], e["high"], base.get(n, {}).get("value"))
            for n, e in judged["metrics"].items()
        ]
        text += [
            output.bold(cell(sentence(judged), 300)),
            *table([str(part), "value", "low", "high", "baseline"], rows, indent="  "),
            "",
        ]
    gaps = trained.gaps if data is None else {}
    if data is None and target_error is not None and (again := gaps_of(found, target_error)):
        gaps = again
    text += limits(gaps)
    if data is None and isinstance(trained, Ensemble):
        text += against_best(trained.facts)
    output.result(
        {"run": str(trained.folder), "evaluation": found, "gaps": gaps}, text if text[-1:] != [""] else text[:-1]
    )

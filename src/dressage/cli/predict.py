"""`dressage predict RUN DATA`."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dressage.cli.output import Output, cell, short

if TYPE_CHECKING:
    from dressage.run import Prediction


def predict(
    run: Path, data: str, /, *, out: Path | None = None, model: str | None = None, output: Output | None = None
) -> None:
    """Predictions of a run or an ensemble for new files, as CSV: a row an input, with the probability of each class.

    A run whose recipe has evaluate.views = mc_dropout also gives the spread of each prediction over its passes, an ensemble
    that over its members.

    For example:
      dressage predict runs/flowers new_pictures/ --out predictions.csv
      dressage predict runs/churn april.csv | head

    Parameters
    ----------
    run
        Folder of the run.
    data
        New data of the same kind; it needs no target.
    out
        CSV file, written whole or not at all; without it stdout.
    model
        FILE.py:Name, for a run that was trained with a network of your own.
    """
    from dressage.cli.load import load_run
    from dressage.files import write_atomic

    output = output or Output()
    prediction = load_run(run, model, output).predict(data)
    for note in prediction.notes:
        output.note(cell(note, 400))
    head, rows = as_rows(prediction)
    if out is not None:
        write_atomic(out, as_csv(head, rows))
        output.result({"predictions": str(out), "rows": len(rows)}, [f"{len(rows):,} predictions in {short(out)}"])
    elif output.json:
        output.result({"rows": [dict(zip(head, row, strict=True)) for row in rows]}, [])
    elif sys.stdout.isatty():  # names come from the data: none may steer the terminal
        output.result({}, [cell(line, 100_000) for line in as_csv(head, rows).splitlines()])
    else:
        sys.stdout.write(as_csv(head, rows))


def as_rows(prediction: Prediction) -> tuple[list[str], list[list[object]]]:
    """The head and the rows of the CSV: the input, what is predicted, then the probability of each class.

    Of several targets each has its columns, named after it.
    """
    head, columns = ["input"], list[list[object]]()
    for name, one in prediction.each.items() or [("", prediction)]:
        more, values = _columns(one)
        head += [f"{name}: {column}" if name else column for column in more]
        columns += values
    return head, [list(row) for row in zip(prediction.ids, *columns, strict=True)]


def _columns(prediction: Prediction) -> tuple[list[str], list[list[object]]]:
    """What is said of one target."""
    if prediction.probabilities is not None:
        head = ["predicted", *(f"probability of {name}" for name in prediction.classes)]
        columns = [prediction.labels, *prediction.probabilities.T.tolist()]
    else:
        assert prediction.values is not None
        values = prediction.values.reshape(len(prediction.ids), -1)
        several = values.shape[1] > 1
        head = [*(f"predicted {i}" if several else "predicted" for i in range(1, values.shape[1] + 1))]
        columns = values.T.tolist()
    if prediction.spread is not None:
        more, spreads = _spread(prediction)
        head, columns = head + more, columns + spreads
    return head, columns


def _spread(prediction: Prediction) -> tuple[list[str], list[list[float]]]:
    """The standard deviation over the passes, of the probability of what is predicted or of each value."""
    assert prediction.spread is not None
    if prediction.probabilities is None:
        values = prediction.spread.reshape(len(prediction.ids), -1)
        several = values.shape[1] > 1
        return [f"spread {i}" if several else "spread" for i in range(1, values.shape[1] + 1)], values.T.tolist()
    likeliest = prediction.probabilities.argmax(1, keepdim=True)
    return ["spread"], [prediction.spread.gather(1, likeliest)[:, 0].tolist()]


def as_csv(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV text that a spreadsheet reads as data: a cell that would start a formula gets an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(name) for name in head])
    writer.writerows([_inert(value) for value in row] for row in rows)
    return text.getvalue()


def _inert(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.6g}"
    formula = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") and not _is_number(value)
    return f"'{value}" if formula else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

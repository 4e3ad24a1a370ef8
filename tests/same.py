"""What of two runs must be the same to the last bit: the state at the end, the scores, and every number recorded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from dressage.store.checkpoint import newest, read_checkpoint
from dressage.store.reader import read_history


def bits(folder: Path) -> dict[str, Any]:
    """Everything of a finished run but its clock and its story: equal for equal runs, and readable where it differs.

    Of the findings those count that the training itself makes; the others are judgements under a limit of seconds, and one that a
    signal breaks off is not made again.
    """
    evaluation = folder / "evaluation.json"
    step, damaged = newest(folder)
    assert step is not None and not damaged, damaged
    saved = read_checkpoint(folder, step)
    history = read_history(folder)
    assert not history.damaged, history.damaged
    return {
        "step": step,
        "state": saved.state,
        "tensors": {
            f"{part}/{name}": hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
            for part, named in saved.tensors.items()
            for name, tensor in named.items()
        },
        "steps": history.steps.tolist(),
        "curves": {name: values.tobytes().hex() for name, values in history.columns.items()},
        "epochs": [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in history.epochs],
        "findings": [f for f in history.findings if f["id"] in ("sym.nonfinite_loss", "data.nonfinite")],
        "evaluation": json.loads(evaluation.read_text()) if evaluation.exists() else {},
        "refit": bits(folder / "refit") if (folder / "refit").exists() else {},
    }

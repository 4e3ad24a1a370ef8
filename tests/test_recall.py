"""What the watch of a run that goes on knows of what came before."""

from __future__ import annotations

from pathlib import Path

import dressage
from dressage.prepare import prepare
from dressage.recall import telemetry_of
from dressage.store.reader import read_history


def test_a_validation_that_is_still_to_come_is_not_known_yet(tmp_path: Path) -> None:
    recipe = {
        "train": {"epochs": 3, "batch_size": 64, "refit": False, "patience": 0},
        "model": {"width": 8, "depth": 1},
    }
    run = dressage.train("digits", recipe=recipe, out=tmp_path / "run")
    job, history = prepare("digits", recipe), read_history(run.folder)
    steps = job.batches.steps_per_epoch
    for epoch, batch in ((1, 0), (1, steps), (2, 0), (2, steps), (3, 0)):
        job.state.epoch, job.state.batch, job.state.step = epoch, batch, epoch * steps + batch
        seen = telemetry_of(history, job, job.state.step)
        assert [v.step for v in seen.validations] == [steps * (k + 1) for k in range(epoch)]
    assert len(telemetry_of(history, job).validations) == 3

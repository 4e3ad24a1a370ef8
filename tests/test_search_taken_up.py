"""What a trial that goes on takes up of what it has shown before."""

from __future__ import annotations

from pathlib import Path

import dressage
from dressage.prepare import prepare
from dressage.search.work import Course
from dressage.store.folder import RunFolder


def test_an_epoch_whose_validation_is_still_to_come_is_not_taken_up(tmp_path: Path) -> None:
    """A checkpoint may lie between the last step of an epoch and its end, which was recorded before the trial was killed.

    It then came twice, and the result of a trial that had an epoch more than asked for was called damaged.
    """
    recipe = {
        "train": {"epochs": 3, "batch_size": 64, "refit": False, "patience": 0},
        "model": {"width": 8, "depth": 1},
    }
    run = dressage.train("digits", recipe=recipe, out=tmp_path / "run")
    job = prepare("digits", recipe)
    steps = job.batches.steps_per_epoch
    for epoch, batch in ((0, 5), (1, 0), (1, steps), (2, 0), (2, steps), (3, 0)):
        job.state.epoch, job.state.batch, job.state.step = epoch, batch, epoch * steps + batch
        course = Course.of(job, RunFolder(run.folder))
        assert [moment.epoch for moment in course.curve] == list(range(1, epoch + 1))


def test_a_first_cost_of_nothing_is_no_measure_of_growth(tmp_path: Path) -> None:
    """An empty queue gives the first step of InfoNCE the cost 0, against which no growth would ever be told."""
    course = Course.of(prepare("digits", {}), RunFolder(tmp_path))
    for cost in (0.0, *[5.5] * 60):
        course.take(cost)
    course.take_all([5.6] * 20)
    assert not course.reason
    for _ in range(60):
        course.take(20.0)
    assert course.reason

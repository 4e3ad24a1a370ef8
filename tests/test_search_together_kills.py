"""A population of trials that is killed between any two of its files goes on to the same end, to the last bit."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dressage.record import Saver
from dressage.search import hands, procedure
from dressage.search.folder import SearchFolder
from dressage.search.together import carry_out
from dressage.search.work import Bench, Task
from dressage.search.worker import open_bench
from dressage.stopping import Stop
from same import bits
from test_search_together import ASKED, FAST, SPACE, searched


class Killed(BaseException):
    """What nobody catches."""


def killed_before(count: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on the `count`-th file of a trial (a checkpoint, a result) is never written; gives how many were."""
    written = [0]
    for owner, name in ((Saver, "save"), (SearchFolder, "keep")):
        write: Callable[..., None] = getattr(owner, name)

        def counted(*given: Any, write: Callable[..., None] = write) -> None:
            if written[0] == count:
                raise Killed
            written[0] += 1
            write(*given)

        monkeypatch.setattr(owner, name, counted)
    return written


def laid_down(place: Path, highest: str, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """A search that has not begun, and its first trials, which go together."""
    recipe = {**ASKED["recipe"], "train": {"batch_size": 4, "checkpoint_seconds": 1e-9}}
    space = {**SPACE, "optim.lr": f"log:1e-4:{highest}"}
    del space["optim.name"]
    groups: list[Sequence[Task]] = []

    def taken(bench: Bench, tasks: Sequence[Task], stop: Stop) -> None:
        groups.append(tasks)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setitem(searched.__globals__, "ASKED", {**ASKED, "recipe": recipe, "space": space, "stages": "6x3@60"})
        patch.setattr(hands, "carry_out", taken)
        patch.setattr(procedure, "grouped", lambda bench, tasks, workers: [list(tasks)])
        searched(place, FAST, patch)
    return list(groups[0])


def carried(place: Path, tasks: Sequence[Task]) -> dict[str, Any]:
    """The bits of all trials, carried to the end in their folders."""
    results = carry_out(open_bench(SearchFolder.open(place), "iris", None), tasks, Stop())
    assert [result.trial for result in results] == [task.trial for task in tasks]
    return {
        trial.name: ({**json.loads((trial / "result.json").read_text()), "seconds": 0}, bits(trial))
        for trial in sorted((place / "trials").iterdir())
    }


@pytest.mark.parametrize("highest", ["1e-2", "30"])
def test_killed_between_any_two_files(highest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With trials that all go on, and with some that are stopped within an epoch; saved whenever all can be."""
    tasks = laid_down(tmp_path / "search", highest, monkeypatch)
    states = killed_everywhere(tmp_path, tasks, monkeypatch)
    assert ("stopped" in states.values()) == (highest == "30")


def test_killed_where_one_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on as it began, one of a population."""
    tasks = laid_down(tmp_path / "search", "30", monkeypatch)
    shutil.copytree(tmp_path / "search", tmp_path / "all" / "search")
    states = {name: result["state"] for name, (result, _) in carried(tmp_path / "all" / "search", tasks).items()}
    two = [next(t for t in tasks if states[f"{t.trial.number:04d}"] == state) for state in ("stopped", "done")]
    assert set(killed_everywhere(tmp_path, two, monkeypatch).values()) == {"stopped", "done"}


def killed_everywhere(tmp_path: Path, tasks: Sequence[Task], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Carries the tasks out in copies of the search, killed before each file in turn, and goes on; how the trials ended."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # nobody pulls the plug here, and it is what takes the time
    shutil.copytree(tmp_path / "search", tmp_path / "whole" / "search")
    with monkeypatch.context() as patch:
        files = killed_before(-1, patch)
        expected = carried(tmp_path / "whole" / "search", tasks)
    assert files[0] > 2 * len(tasks)
    for count in range(files[0]):
        place = tmp_path / str(count) / "search"
        shutil.copytree(tmp_path / "search", place)
        with monkeypatch.context() as patch, pytest.raises(Killed):
            killed_before(count, patch)
            carried(place, tasks)
        assert carried(place, tasks) == expected, f"killed before file {count} of {files[0]}"
    return {name: result["state"] for name, (result, _) in expected.items()}

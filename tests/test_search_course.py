"""A search takes one course: interrupted anywhere or not, by one process or two, and it never looks at the test part."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dressage
from dressage.errors import DataError, RecipeError, RunError, UsageError
from dressage.recipe import load_recipe
from dressage.search import Search, go_on, load_search
from dressage.search.asked import Stage, as_stages
from dressage.search.events import TrialEvent
from dressage.search.folder import SearchFolder
from dressage.search.trial import ranked_by_rung
from dressage.search.work import at_epoch
from dressage.store.reader import read_history
from same import bits

RECIPE = {"model": {"width": 16, "depth": 1}, "train": {"batch_size": 32}}
SPACE = {"optim.lr": "log:1e-4:1", "regularize.weight_decay": "log:1e-4:1"}
ASKED: dict[str, Any] = {
    "recipe": RECIPE,
    "space": SPACE,
    "stages": "6x2@60,4x6",
    "finalists": 2,
    "repeats": 2,
    "jobs": 1,
}


def results(folder: Path) -> dict[str, Any]:
    """All that a search has found, but for its clock and the folder's name: by trial its result and the bits of its run."""
    found: dict[str, Any] = {"best": (folder / "best.toml").read_text().replace(folder.name, "NAME")}
    for trial in sorted((folder / "trials").iterdir()):
        result = json.loads((trial / "result.json").read_text())
        run = bits(trial) if (trial / "recipe.toml").exists() else {}
        found[trial.name] = ({k: v for k, v in result.items() if k != "seconds"}, run)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """An uninterrupted search on iris."""
    return dressage.search("iris", **ASKED, out=tmp_path_factory.mktemp("course") / "whole")


def test_what_is_found(whole: Search) -> None:
    assert whole.status == "finished" and [len(s.results) for s in whole.stages] == [6, 4]
    assert [str(s.stage) for s in whole.stages] == ["6x2@60", "4x6"]
    assert whole.verdict is not None and whole.best is not None and whole.best.trial.stage == 1
    assert sorted(len(runs) for runs in whole.repeats.values()) == [2, 2]
    assert whole.stages[0].told and "the mean of 2 further runs with other seeds" in "\n".join(whole.told)
    recipe = load_recipe(whole.best_recipe)
    assert recipe == whole.recipe
    assert recipe.optim.lr == whole.best.trial.edit["optim.lr"] and recipe.train.epochs == 6
    assert recipe.data.subset == 0 and recipe.watch.diagnose and recipe.train.threads == 0  # what only trials have


def test_rungs_stop_what_is_behind_and_the_rest_goes_on(whole: Search) -> None:
    assert [(r.state, r.epoch) for r in whole.stages[0].results] == [("done", 2)] * 6
    fine = whole.stages[1].results
    assert sorted((r.state, r.epoch) for r in fine) == [("done", 6)] * 2 + [("paused", 2)] * 2
    first = {r.trial.number: at_epoch(r, 2, "loss").score for r in fine}
    ahead = [first[r.trial.number] for r in fine if r.state == "done"]
    assert min(ahead) >= max(first[r.trial.number] for r in fine if r.state == "paused")


def test_the_best_of_a_stage_is_tried_again_in_the_next(whole: Search) -> None:
    best = max(whole.stages[0].results, key=lambda r: r.score)
    assert whole.stages[1].results[0].trial.edit == best.trial.edit


def test_a_stage_of_one_trial_is_the_best_for_longer(tmp_path: Path) -> None:
    found = dressage.search("iris", stages="3x1,1x2", repeats=0, out=tmp_path / "found")
    coarse, last = (stage.results for stage in found.stages)
    assert len(last) == 1 and last[0].trial.edit == ranked_by_rung(coarse)[0].trial.edit


def test_every_trial_is_a_run_that_can_be_shown_and_reproduced(whole: Search) -> None:
    run = dressage.load(whole.folder / "trials" / "0002")
    assert run.status == "finished" and run.metrics["accuracy"] == whole.stages[0].results[2].score
    assert run.recipe.data.subset == 60 and set(run.evaluation) == {"validation"}
    assert run.report().is_file()
    for number in ("0002", "0010"):  # on a subset; with another seed and the split of the search
        repeated = dressage.reproduce(whole.folder / "trials" / number)
        assert repeated.first_difference is None and repeated.steps > 0


def test_a_promoted_trial_is_one_training(whole: Search, tmp_path: Path) -> None:
    """Stopped at a rung and gone on with from its checkpoint: bit for bit the run that never stopped."""
    done = next(r for r in whole.stages[1].results if r.state == "done")
    folder = whole.folder / "trials" / f"{done.trial.number:04d}"
    recipe = load_recipe(folder / "recipe.toml")
    alone = dressage.train("iris", recipe=recipe, out=tmp_path / "alone")
    one, two = bits(folder), bits(alone.folder)
    assert all(one[name] == two[name] for name in ("tensors", "curves", "state"))


def test_a_search_is_read_from_its_folder(whole: Search) -> None:
    again = load_search(whole.folder)
    assert again.told == whole.told and again.verdict == whole.verdict and again.status == "finished"
    assert [r.score for r in again.results] == [r.score for r in whole.results]


def test_the_test_part_is_never_looked_at(tmp_path: Path) -> None:
    """Other test rows, the same search: labels and values of the test part change nothing."""
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(120, 4)).astype(np.float32), draw.integers(0, 2, 120)
    given = {"x_train": x[:80], "y_train": y[:80], "x_test": x[80:], "y_test": y[80:]}
    asked = {**ASKED, "stages": "3x2", "repeats": 1, "finalists": 1}
    one = dressage.search(given, **asked, out=tmp_path / "one")
    other = {**given, "x_test": -9 * x[80:], "y_test": 1 - y[80:]}
    two = dressage.search(other, **asked, out=tmp_path / "two")
    assert [r.curve for r in one.results] == [r.curve for r in two.results] and one.told == two.told


class Stopped(Exception):
    """By a consumer of events."""


def stops_after(count: int) -> Any:
    seen: list[TrialEvent] = []

    def look(event: object) -> None:
        if isinstance(event, TrialEvent):
            seen.append(event)
            if len(seen) == count:
                raise Stopped

    return look


def test_stopped_anywhere_it_goes_on_to_the_same_end_and_runs_nothing_twice(whole: Search, tmp_path: Path) -> None:
    expected, out = results(whole.folder), tmp_path / "whole"
    for count in (1, 4, 3, 2):  # within the first stage, at its end, at a rung, within the repeats
        with pytest.raises(Stopped):
            dressage.search("iris", **ASKED, out=out, on_event=stops_after(count))
        assert load_search(out).status == "interrupted"
        written = {f: f.stat().st_mtime_ns for f in out.glob("trials/*/result.json")}
        ended = {f for f in written if json.loads(f.read_text())["state"] == "done"}
        go_on_for(out, 1)
        assert all(f.stat().st_mtime_ns == written[f] for f in ended)
    found = go_on(out, jobs=1)
    assert results(out) == expected and found.told == whole.told


def test_a_full_disk_at_any_moment_is_told_and_nothing_is_lost(
    whole: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time a few more files are written before the next is refused."""
    out, refusals, sync = tmp_path / "whole", 0, os.fsync
    for allowed in (2, 9, 40, 90, 160):
        left = iter(range(allowed))

        def full(handle: int, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            sync(handle)

        monkeypatch.setattr(os, "fsync", full)
        with suppress(UsageError):
            dressage.search("iris", **ASKED, out=out)
            break
        refusals += 1
        monkeypatch.setattr(os, "fsync", sync)
        assert not SearchFolder.is_one(out) or load_search(out).status == "interrupted"
    monkeypatch.setattr(os, "fsync", sync)
    assert refusals >= 3
    dressage.search("iris", **ASKED, out=out)
    assert results(out) == results(whole.folder)


def go_on_for(out: Path, count: int) -> None:
    with pytest.raises(Stopped):
        go_on(out, jobs=1, on_event=stops_after(count))


def test_a_finished_search_is_as_it_is(whole: Search) -> None:
    files = {f: f.stat().st_mtime_ns for f in whole.folder.glob("trials/**/*") if f.is_file()}
    again = dressage.search("iris", **ASKED, out=whole.folder)
    assert again.told == whole.told
    assert {f: f.stat().st_mtime_ns for f in whole.folder.glob("trials/**/*") if f.is_file()} == files


def test_two_processes_find_what_one_does_though_one_is_killed(whole: Search, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(event: object) -> None:
        if isinstance(event, TrialEvent) and not killed:
            killed.append(int(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()[-1]))
            os.kill(killed[0], 9)

    two = dressage.search("iris", **{**ASKED, "jobs": 2}, out=tmp_path / "whole", on_event=kill)
    assert killed
    assert results(two.folder) == results(whole.folder) and two.told == whole.told


def test_a_cost_that_grows_stops_a_trial_at_once(tmp_path: Path) -> None:
    space = {"optim.lr": "choice:1e-3:1e4:1e30"}
    asked = {
        **ASKED,
        "recipe": {**RECIPE, "optim": {"name": "sgd"}},
        "space": space,
        "sampler": "grid",
        "stages": "3x40",
    }
    found = dressage.search("digits", **asked, out=tmp_path / "grown", halving="none")
    by_rate = {r.trial.edit["optim.lr"]: r for r in found.results}
    assert by_rate[1e-3].state == "done"
    assert by_rate[1e4].state == by_rate[1e30].state == "stopped"
    assert "more than 3 times its first" in by_rate[1e4].reason or "not finite" in by_rate[1e4].reason
    assert "not finite" in by_rate[1e30].reason
    for rate in (1e4, 1e30):
        assert by_rate[rate].epoch == 0 and len(read_history(Path(by_rate[rate].folder)).steps) < 30
        assert dressage.load(by_rate[rate].folder).status == "diverged"
    assert found.best is not None and found.best.trial.edit["optim.lr"] == 1e-3


def test_a_trial_that_cannot_be_trained_fails_by_itself(tmp_path: Path) -> None:
    space = {"train.batch_size": "choice:16:4096"}
    found = dressage.search("iris", **{**ASKED, "space": space, "sampler": "grid", "stages": "2x2"}, out=tmp_path / "s")
    assert [r.state for r in found.results] == ["done", "failed"] and "the training part has" in found.results[1].reason


def test_a_budget_ends_batches_and_the_end_is_kept(tmp_path: Path) -> None:
    asked = {**ASKED, "stages": "30x2,8x4", "budget": 1e-6}
    found = dressage.search("iris", **asked, out=tmp_path / "s")
    assert [len(s.results) for s in found.stages] == [4, 4] and sum(map(len, found.repeats.values())) == 4
    assert load_search(found.folder).told == found.told
    assert go_on(found.folder, jobs=1).told == found.told


def test_hyperband_begins_some_trials_late(tmp_path: Path) -> None:
    asked = {**ASKED, "stages": "14x9", "repeats": 1, "sampler": "sobol"}
    found = dressage.search("iris", **asked, halving="hyperband", out=tmp_path / "s")
    assert len(found.results) == 14 and {r.epoch for r in found.results} == {1, 3, 9}
    done = [r for r in found.results if r.state == "done"]
    assert len(done) >= 3 and all(r.epoch == 9 for r in done)  # one of each bracket at least
    never_halved = found.results[-3:]
    assert all(r.epoch == 9 for r in never_halved[-1:])


@pytest.mark.skipif(find_spec("optuna") is None, reason="optuna is not installed")
def test_optuna_is_told_what_came_before(tmp_path: Path) -> None:
    asked = {**ASKED, "stages": "14x2", "repeats": 1, "sampler": "optuna"}
    one = dressage.search("iris", **asked, out=tmp_path / "one")
    with pytest.raises(Stopped):
        dressage.search("iris", **asked, out=tmp_path / "two", on_event=stops_after(12))
    two = go_on(tmp_path / "two", jobs=1)
    assert [r.trial for r in two.results] == [r.trial for r in one.results]


def test_data_that_was_moved_is_given_anew(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in draw.normal(size=(60, 2))]
    (tmp_path / "one.csv").write_text("\n".join(["a,b,kind", *rows]))
    asked = {**ASKED, "stages": "2x1", "finalists": 1, "repeats": 1}
    with pytest.raises(Stopped):
        dressage.search(tmp_path / "one.csv", **asked, out=tmp_path / "s", on_event=stops_after(1))
    (tmp_path / "one.csv").rename(tmp_path / "two.csv")
    with pytest.raises(DataError, match=r"one\.csv"):
        go_on(tmp_path / "s", jobs=1)
    found = go_on(tmp_path / "s", tmp_path / "two.csv", jobs=1)
    assert found.status == "finished" and str(tmp_path / "two.csv") in found.command


def test_a_regression_is_scored_by_r_squared(tmp_path: Path) -> None:
    found = dressage.search("diabetes", **{**ASKED, "stages": "2x3", "repeats": 1}, out=tmp_path / "s")
    trial = found.results[0]
    run = dressage.load(trial.folder)
    job = dressage.prepare("diabetes", run.recipe)
    y = job.source.y[job.parts["validation"].rows].double()
    rmse = min(read_history(run.folder).epochs, key=lambda e: e["val_loss"])["val_rmse"]
    assert trial.score == pytest.approx(1 - rmse**2 / float(y.var(unbiased=False)), rel=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"space": {"optim.learning": "log:1:2"}}, RecipeError, "no such hyper-parameter"),
        ({"space": {"optim.lr": "log:1:1e-3"}}, RecipeError, "optim.lr"),
        (
            {"space": ["optim.name=choice:adamw:sam", "optim.name.sam.rho=uniform:-1:0.5"]},
            RecipeError,
            "sam.rho: -1.0 given",
        ),
        ({"space": "optim.name.sam.rho=log:0.01:0.5"}, RecipeError, "optim.name is adamw; expected sam"),
        ({"stages": "0x5"}, RecipeError, "0 trials"),
        ({"stages": "5y5"}, RecipeError, "TRIALSxEPOCHS"),
        ({"stages": ""}, RecipeError, "TRIALSxEPOCHS"),
        ({"sampler": "rando"}, RecipeError, "did you mean 'random'"),
        ({"halving": "hyperbant"}, RecipeError, "did you mean 'hyperband'"),
        ({"jobs": -1}, UsageError, "expected 0 or more"),
        ({"subset": -5, "stages": None}, UsageError, "subset: -5 given; expected 0 or more"),
        ({"budget": -1.0}, UsageError, "budget: -1 s given"),
        ({"budget": math.nan}, UsageError, "budget: nan s given"),
        ({"first": [{"optim.lrr": 0.1}]}, RecipeError, "did you mean 'lr'"),
        ({"recipe": {"data": {"validation": 0.0}}}, DataError, "no validation rows"),
    ],
)
def test_what_cannot_be_searched_is_told_before_anything_is_written(
    given: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        dressage.search("iris", **{**ASKED, **given}, out=tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_another_search_on_its_folder_is_refused(whole: Search, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds another search \\(stages"):
        dressage.search("iris", **{**ASKED, "stages": "5x2"}, out=whole.folder)
    with pytest.raises(RunError, match="the data 'digits' is not the same"):
        go_on(whole.folder, "digits")
    with SearchFolder(whole.folder).searching(), pytest.raises(RunError, match=r"process \d+ is writing this search"):
        go_on(whole.folder)


def test_what_somebody_changed_is_told(whole: Search, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole.folder, folder)
    file = folder / "trials" / "0001" / "result.json"
    text = file.read_text()
    for harm, said in (('"number": 1', "another trial"), ('"curve"', "damaged"), ("{", "JSON")):
        file.write_text(
            text.replace(harm, harm.replace("1", "7") if "1" in harm else harm.replace("u", "x").replace("{", ""), 1)
        )
        with pytest.raises(RunError, match=said):
            load_search(folder)
    file.unlink()
    assert load_search(folder).results[-1].trial.number < 9  # as far as it is known
    (folder / "search.json").write_text("{}")
    with pytest.raises(RunError, match="format"):
        load_search(folder)


def test_arrays_and_networks_of_ones_own_are_searched_in_this_process(tmp_path: Path) -> None:
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, shape: tuple[int, ...], outputs: int) -> None:
            super().__init__()
            self.linear = nn.Linear(shape[0], outputs)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x)

    draw = np.random.default_rng(0)
    x = draw.normal(size=(90, 5)).astype(np.float32)
    asked = {**ASKED, "stages": "3x2", "repeats": 1, "jobs": 2, "recipe": {"train": {"batch_size": 32}}}
    found = dressage.search(x, y=x[:, 0] > 0, model=Net, **asked, out=tmp_path / "s")
    assert found.status == "finished" and found.best is not None
    with pytest.raises(RunError, match="data given from Python"):
        go_on(found.folder)
    with pytest.raises(RunError, match="network of your own"):
        go_on(found.folder, x, y=x[:, 0] > 0)
    assert go_on(found.folder, x, y=x[:, 0] > 0, model=Net).told == found.told


def test_stages_as_text() -> None:
    assert as_stages("100x5@10000, 20x20") == [Stage(100, 5, 10_000), Stage(20, 20)]
    assert as_stages([Stage(3, 4), "2x2"]) == [Stage(3, 4), Stage(2, 2)] and str(Stage(3, 4, 5)) == "3x4@5"

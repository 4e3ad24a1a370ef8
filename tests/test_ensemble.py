"""Ensembles made, judged, kept on disk and used: on digits, iris and arrays, against what their members say alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn

import dressage
from dressage.data.open import open_data
from dressage.data.split import split, whole_parts
from dressage.ensemble import Ensemble
from dressage.ensemble.members import members_of
from dressage.ensemble.soup import bowl_of, line_between
from dressage.errors import DataError, RecipeError, RunError, UsageError
from dressage.run import load as load_run

QUICK = {"model": {"width": 32}, "train": {"epochs": 3}, "watch": {"diagnose": False}}
X, Y = load_digits(return_X_y=True)
X = X.astype(np.float32)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    """Of three seeds, with the training on all rows that few rows of features get."""
    return dressage.ensemble("digits", members=3, recipe=QUICK, out=tmp_path_factory.mktemp("e") / "three")


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    return dressage.ensemble("digits", members=3, by="bagging", recipe=QUICK, out=tmp_path_factory.mktemp("e") / "bags")


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Ensemble:
    """Of three snapshots of a network with batch norm."""
    recipe = {**QUICK, "model": {"width": 32, "norm": "batch"}, "train": {"epochs": 6}}
    out = tmp_path_factory.mktemp("e") / "waves"
    return dressage.ensemble("digits", members=3, by="snapshots", recipe=recipe, out=out)


def probabilities(run: dressage.Run | Ensemble, x: object = X) -> np.ndarray:
    found = run.predict(x).probabilities
    assert found is not None
    return found.numpy()


def test_members_share_the_split_and_differ_in_all_else(three: Ensemble) -> None:
    assert [run.recipe.seed for run in three.members] == [0, 1, 2]
    source = open_data("digits", three.members[0].recipe.data)
    parts = [split(source, run.recipe.data, run.recipe.seed) for run in three.members]
    assert all(parts[0][name].equal(other[name]) for other in parts for name in ("train", "validation", "test"))
    first, second = (run.model.state_dict()["0.weight"] for run in three.members[:2])
    assert not first.equal(second)


def test_it_answers_with_the_mean_of_its_members(three: Ensemble) -> None:
    each = np.stack([probabilities(run) for run in three.members])
    found = three.predict(X)
    assert np.allclose(found.probabilities, each.mean(0), rtol=1e-10)
    assert np.allclose(found.spread, each.std(0, ddof=1), rtol=1e-8, atol=1e-15)
    again = three.evaluate(X, Y)
    assert again["metrics"]["accuracy"]["value"] == pytest.approx((each.mean(0).argmax(1) == Y).mean())


def test_its_evaluation_is_that_of_the_rows_held_out(three: Ensemble) -> None:
    source = open_data("digits", three.members[0].recipe.data)
    rows = split(source, three.members[0].recipe.data, 0)["test"].numpy()
    each = np.stack([probabilities(run)[rows] for run in three.members])
    y = source.y.numpy()[rows]
    right = each.mean(0).argmax(1) == y
    assert three.metrics["accuracy"] == pytest.approx(right.mean())
    found = three.facts["of"]
    assert [m["scores"]["test"]["score"] for m in found] == pytest.approx([(p.argmax(1) == y).mean() for p in each])
    best = int(np.argmax([m["scores"]["validation"]["score"] for m in found]))
    assert three.facts["gained"]["best"] == best
    assert three.facts["gained"]["value"] == pytest.approx(right.mean() - (each[best].argmax(1) == y).mean())


def test_validation_rows_are_answered_by_networks_that_have_not_learned_from_them(three: Ensemble) -> None:
    """Each run trained again on training and validation rows: its own evaluation has the score of the first network."""
    alone = [run.evaluation["validation"]["metrics"]["accuracy"]["value"] for run in three.members]
    assert [m["scores"]["validation"]["score"] for m in three.facts["of"]] == pytest.approx(alone)


def test_out_of_bag_asks_those_that_have_not_seen_a_row(bags: Ensemble) -> None:
    section = bags.members[0].recipe.data
    source = open_data("digits", section)
    train = whole_parts(source, section, 0)["train"].numpy()
    seen = [set(split(source, run.recipe.data, run.recipe.seed)["train"].tolist()) for run in bags.members]
    answers = [probabilities(run) for run in bags.members]
    right = []
    for row in train.tolist():
        asked = [p[row] for p, own in zip(answers, seen, strict=True) if row not in own]
        if asked:
            right.append(np.mean(asked, axis=0).argmax() == source.y[row].item())
    found = bags.evaluation["out_of_bag"]
    assert found["n"] == len(right) and found["metrics"]["accuracy"]["value"] == pytest.approx(np.mean(right))
    assert 0.55 < len(seen[0]) / len(train) < 0.72
    assert bags.facts["told"] == [
        f"{len(train) - len(right)} training rows were seen by every member and have no out-of-bag answer"
    ]


def test_snapshots_lie_at_the_ends_of_the_waves(waves: Ensemble) -> None:
    training = load_run(waves.folder / "training")
    rates, steps = training.history.columns["lr"], training.history.steps
    (_, per), kept = divmod(steps[-1], 6), sorted((training.folder / "snapshots" / "checkpoints").glob("0*"))
    assert [int(place.name) for place in kept] == [steps[-1] * k // 3 for k in (1, 2, 3)] and per == 0
    for place in kept:
        at = int(place.name) - 1  # the step before it
        assert rates[at] < 0.01 * rates.max() and (at + 1 == len(rates) or rates[at + 1] > 0.9 * rates.max())
    last = probabilities(waves.members[-1])
    assert not np.allclose(last, probabilities(waves.members[0]))
    assert len(waves.members) == 3 and not waves.members[0].history.epochs


def test_an_ensemble_of_a_run_with_snapshots_is_the_same(waves: Ensemble, tmp_path: Path) -> None:
    again = dressage.ensemble(waves.folder / "training", out=tmp_path / "again")
    assert again.evaluation == waves.evaluation
    shutil.rmtree(waves.folder / "training")  # an ensemble needs nothing but its members
    assert np.array_equal(probabilities(again), probabilities(dressage.load(waves.folder)))


def test_a_soup_has_the_mean_weights_and_statistics_of_its_own(waves: Ensemble, tmp_path: Path) -> None:
    places = [run.folder for run in waves.members]
    soup = dressage.ensemble(places, combine="soup", out=tmp_path / "soup")
    (one,) = soup.members
    states = [run.model.state_dict() for run in waves.members]
    for name, found in one.model.state_dict().items():
        if "running" not in name and found.is_floating_point():
            assert torch.allclose(found, torch.stack([s[name] for s in states]).double().mean(0).float(), rtol=1e-6)
    norm = next(m for m in one.model.modules() if isinstance(m, nn.BatchNorm1d))
    inputs: list[np.ndarray] = []
    norm.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach().numpy().astype(np.float64)))
    member = members_of(waves.members)[0]
    source = open_data("digits", one.recipe.data)
    bowl = bowl_of(member, source)
    for batch, _ in zip(bowl.batches.epoch(0), range(32), strict=False):
        one.model(bowl.plan.cast(batch.x))
    assert np.allclose(norm.running_mean, np.mean([b.mean(0) for b in inputs], 0), atol=1e-4)
    assert np.allclose(norm.running_var, np.mean([b.var(0, ddof=1) for b in inputs], 0), rtol=1e-3)
    lines = soup.facts["lines"]
    assert len(lines) == 3 and all(line["barrier"] <= 0.02 and len(line["error"]) == 11 for line in lines)
    assert np.allclose(probabilities(soup), probabilities(one))


def test_the_line_between_two_networks(waves: Ensemble) -> None:
    members = members_of(waves.members)[:2]
    source = open_data("digits", waves.members[0].recipe.data)
    line = line_between(*members, bowl_of(members[0], source))
    halfway = {
        k: (a + members[1].kept.network.state_dict()[k]) / 2 for k, a in members[0].kept.network.state_dict().items()
    }
    bowl, network = bowl_of(members[0], source), members[0].kept.network
    network.load_state_dict(halfway)
    assert bowl.look(network) == pytest.approx((line.loss[5], line.error[5]), rel=1e-5)


def test_no_soup_across_a_barrier(three: Ensemble, tmp_path: Path) -> None:
    places = [run.folder for run in three.members]
    with pytest.raises(RunError, match=r"on the line between .*members/\d and .*members/\d the error rises by 0\.\d+"):
        dressage.ensemble(places, combine="soup", out=tmp_path / "soup")
    assert not (tmp_path / "soup").exists()


def test_no_soup_of_networks_of_two_scales(bags: Ensemble) -> None:
    with pytest.raises(RunError, match="in another scale"):
        dressage.ensemble([run.folder for run in bags.members], combine="soup")


def test_greedy_leaves_out_what_does_not_help(three: Ensemble, tmp_path: Path) -> None:
    spoiled = dressage.train(
        "digits", recipe={**QUICK, "optim": {"lr": 1e-9}, "data": {"split_seed": 0}}, out=tmp_path / "bad"
    )
    found = dressage.ensemble([spoiled, *three.members], combine="greedy", out=tmp_path / "greedy")
    assert float(found.weights[0]) == 0 and float(found.weights.sum()) == pytest.approx(1)
    assert found.metrics["accuracy"] > 0.8
    shutil.rmtree(tmp_path / "bad")
    assert len(found.predict(X[:3]).labels) == 3


def test_numbers_and_several_targets(tmp_path: Path) -> None:
    x, y = load_diabetes(return_X_y=True)
    recipe = {"train": {"epochs": 2}, "watch": {"diagnose": False}}
    found = dressage.ensemble(x, y=y, members=2, recipe=recipe, out=tmp_path / "numbers")
    values = torch.stack([run.predict(x).values for run in found.members])
    assert torch.allclose(found.predict(x).values, values.mean(0)) and "r2" in found.metrics
    with pytest.raises(RecipeError, match="the target is a number"):
        dressage.ensemble(found.members, data=x, y=y, combine="vote")
    several = {"high": (y > 140).astype(int), "amount": y}
    both = dressage.ensemble(x, y=several, members=2, combine="vote", recipe=recipe, out=tmp_path / "both")
    each = both.predict(x).each
    singles = [run.predict(x).each for run in both.members]
    assert torch.allclose(each["amount"].values, torch.stack([s["amount"].values for s in singles]).mean(0))
    assert each["high"].probabilities.shape == (len(x), 2) and both.evaluate(x, several)["task"] == "multi"


class Net(nn.Module):
    """A network of a person's own."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def test_networks_of_ones_own(tmp_path: Path) -> None:
    recipe = {"train": {"epochs": 1}, "watch": {"diagnose": False}}
    found = dressage.ensemble("digits", members=2, model=Net, recipe=recipe, out=tmp_path / "own")
    again = dressage.load(found.folder, model=Net)
    assert np.array_equal(probabilities(again), probabilities(found))
    with pytest.raises(RunError, match="network of your own"):
        dressage.load(found.folder).predict(X)
    with pytest.raises(RecipeError, match="made already"):
        dressage.ensemble("digits", model=Net(10))


def test_runs_of_other_splits_are_judged_on_what_all_held_out(three: Ensemble, tmp_path: Path) -> None:
    other = dressage.train("digits", recipe={**QUICK, "seed": 5}, out=tmp_path / "other")
    found = dressage.ensemble([three.members[0], other], out=tmp_path / "mixed")
    source = open_data("digits", other.recipe.data)
    parts = [set(split(source, run.recipe.data, run.recipe.seed)["test"].tolist()) for run in (three.members[0], other)]
    assert found.evaluation["test"]["n"] == len(parts[0] & parts[1]) < len(parts[0])
    assert any("splits differ" in text for text in found.facts["told"])


def test_what_does_not_go_together(three: Ensemble, tmp_path: Path) -> None:
    run = three.members[0]
    iris = dressage.train("iris", recipe={"train": {"epochs": 1}, "watch": {"diagnose": False}}, out=tmp_path / "iris")
    with pytest.raises(RunError, match="its data is not that of"):
        dressage.ensemble([run, iris])
    with pytest.raises(RunError, match="1 trained network"):
        dressage.ensemble([run])
    with pytest.raises(RunError, match="given twice"):
        dressage.ensemble([run, three.members[1], str(run.folder)])
    with pytest.raises(UsageError, match="is no run"):
        dressage.ensemble([str(run.folder), "digits"])
    with pytest.raises(UsageError, match="runs are trained already"):
        dressage.ensemble(list(three.members), members=3)
    with pytest.raises(UsageError, match="from 2 to 1000"):
        dressage.ensemble("digits", members=1)
    with pytest.raises(RunError, match="the data is not the same"):
        dressage.ensemble(list(three.members), data=X[:500], y=Y[:500])
    with pytest.raises(DataError):
        dressage.ensemble("nowhere.csv", out=tmp_path / "none")
    with pytest.raises(DataError):
        dressage.ensemble("nowhere.csv")
    assert not (tmp_path / "none").exists() and not Path("ensembles").exists()

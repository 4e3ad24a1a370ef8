"""Each technique and each loss through the recipe: trained on digits, judged, loaded and asked again."""

from __future__ import annotations

import html

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import dressage
from dressage.errors import RecipeError
from dressage.objective import FITTING
from dressage.regularize import Technique, catalogue
from test_regularize_forms import WRITTEN

X, Y = load_digits(return_X_y=True)
QUICK = {"train": {"epochs": 3, "refit": False}, "watch": {"diagnose": False}, "average": "none"}
VIT = {"model": {"name": "vit", "width": 16, "depth": 2}, "augment": []}


def zeros(run: dressage.run.Run) -> float:
    """Share of weights that are exactly zero; no bias is."""
    matrices = [p for p in run.model.parameters() if p.ndim > 1]
    assert all((p != 0).any() for n, p in run.model.named_parameters() if n.endswith("bias"))
    return sum(int((p == 0).sum()) for p in matrices) / sum(p.numel() for p in matrices)


@pytest.mark.parametrize("name", catalogue)
def test_a_network_learns_with_it_and_is_loaded_with_it(name: str, tmp_path) -> None:
    is_deep = name == "stochastic_depth"
    x = (X[:400].reshape(-1, 8, 8) * 15).astype(np.uint8) if is_deep else X[:700]
    recipe = {**QUICK, **(VIT if is_deep else {}), "regularize": {"techniques": [WRITTEN[name]]}}
    run = dressage.train(x, y=Y[: len(x)], recipe=recipe, out=tmp_path / "run")
    assert run.metrics["accuracy"] > (0.1 if is_deep else 0.3)
    again = dressage.load(tmp_path / "run")
    first, second = run.predict(x[:50]), again.predict(x[:50])
    assert torch.equal(first.probabilities, second.probabilities)
    assert str(again.model) == str(run.model)
    told = catalogue.build(WRITTEN[name]).said
    page = html.unescape((tmp_path / "run" / "report.html").read_text())
    assert (f"With {told}." in page) if told else (f"With {name}" not in page)


def test_l1_makes_most_weights_zero_and_still_tells_digits_apart(tmp_path) -> None:
    recipe = {**QUICK, "train": {"epochs": 12, "refit": False}}
    found = {}
    for strength in (0.0, 0.3):
        techniques = {"regularize": {"techniques": [f"l1(strength={strength})"], "dropout": 0.0}}
        found[strength] = dressage.train(X, y=Y, recipe={**recipe, **techniques}, out=tmp_path / str(strength))
    assert zeros(found[0.0]) == 0
    assert zeros(found[0.3]) > 0.5  # 0.83 after 30 epochs
    assert found[0.3].metrics["accuracy"] > 0.9
    assert found[0.3].recipe.average == "none" and found[0.3].recipe.regularize.weight_decay == 0


@pytest.mark.parametrize("written", ["logistic", "hinge(margin=0.5)", "cross_entropy"])
def test_a_classification_by_each_loss_and_its_probabilities(written: str, tmp_path) -> None:
    mixed = {"augment": ["mixup(alpha=0.3)"]}  # soft targets
    run = dressage.train(X[:700], y=Y[:700], recipe={**QUICK, **mixed, "loss": {"name": written}}, out=tmp_path / "run")
    assert run.metrics["accuracy"] > 0.5
    told = run.predict(X[:50]).probabilities
    torch.testing.assert_close(told.sum(1), torch.ones(50, dtype=torch.float64))
    if written == "logistic":
        answers = run.evaluate(X[:50], Y[:50])
        assert answers["metrics"]["log_loss"]["value"] < 2.0


def test_huber_bears_outliers_that_mse_does_not(tmp_path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 3))
    y = x @ np.array([1.0, -2.0, 0.5])
    spoilt = np.where(random.random(400) < 0.05, y + 60, y)
    slope = {}
    for written in ("mse", "huber(delta=0.05)"):
        recipe = {**QUICK, "train": {"epochs": 30, "refit": False}, "loss": {"name": written}, "model": {"depth": 0}}
        run = dressage.train(x, y=spoilt, recipe=recipe, out=tmp_path / written[:3])
        slope[written] = np.abs(run.predict(x).values.numpy() - y).mean()
    assert slope["huber(delta=0.05)"] < 0.5 * slope["mse"]


def test_labels_that_are_each_a_yes_or_no_are_several_targets(tmp_path) -> None:
    labels = {"odd": Y[:700] % 2, "large": (Y[:700] > 4) * 1}
    recipe = {**QUICK, "loss": {"name": "multi(classes=logistic)"}}
    run = dressage.train(X[:700], y=labels, recipe=recipe, out=tmp_path / "run")
    assert all(run.metrics[f"{name} accuracy"] > 0.7 for name in labels)


PROBLEMS = [
    (
        {"loss": {"name": "huber"}},
        r"loss\.name: 'huber' given; the task is a classification; use cross_entropy or logistic",
    ),
    (
        {"loss": {"name": "nt_xent"}},
        r"loss\.name: 'nt_xent' given; views are of images, and the data is an array; take another loss",
    ),
    ({"loss": {"name": "hinge(margin=-1.0)"}}, r"hinge\.margin: -1\.0 given"),
    ({"loss": {"name": "hinge", "label_smoothing": 0.1}}, r"loss\.label_smoothing: 0\.1 given with hinge"),
    (
        {"average": "ema", "regularize": {"techniques": ["l1"]}},
        r"regularize\.techniques: 'l1' given with average = ema; an average .+ no exact zeros; set average = none",
    ),
    (
        {"regularize": {"techniques": ["vanilla_dropout"], "dropout": 0.2}},
        r"regularize\.techniques: 'vanilla_dropout' given with .+; units would be dropped twice; set .+",
    ),
    (
        {"optim": {"name": "lbfgs"}, "regularize": {"techniques": ["max_norm"]}},
        r"regularize\.techniques: 'max_norm' given; lbfgs bears no change .+; use adamw or momentum, or leave it out",
    ),
    ({"regularize": {"techniques": ["l2(strength=-1.0)"]}}, r"l2\.strength: -1\.0 given"),
    ({"regularize": {"techniques": "l2,dropconect"}}, r"regularize\.techniques: 'dropconect': .+ 'dropconnect'"),
    ({"regularize": {"techniques": ["stochastic_depth"]}}, r"stochastic_depth: the network has no residual blocks"),
]


@pytest.mark.parametrize(("sections", "said"), PROBLEMS)
def test_what_does_not_fit_is_told_before_anything_is_written(sections, said: str, tmp_path) -> None:
    with pytest.raises(RecipeError, match=said):
        dressage.train(X[:200], y=Y[:200], recipe=sections, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_of_the_users_own_is_edited_once_however_often_it_is_trained(tmp_path) -> None:
    own = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    recipe = {**QUICK, "train": {"epochs": 1}, "regularize": {"techniques": ["dropconnect", "activation_noise"]}}
    printed = []
    for place in ("one", "two"):
        run = dressage.train(X[:300], y=Y[:300], recipe=recipe, model=own, out=tmp_path / place)
        printed.append(str(run.model))
    assert printed[0] == printed[1] and printed[0].count("GaussianNoise") == 1 and printed[0].count("p=0.5") == 2


def test_nothing_named_is_nothing_done() -> None:
    nothing = Technique()
    assert not any((nothing.edit, nothing.on_input, nothing.penalty, nothing.after_step, nothing.said))
    assert nothing.square == nothing.absolute == (0.0, False)


def test_fitting_losses_are_in_the_catalogue() -> None:
    from dressage.objective import catalogue as losses

    assert {name for fitting in FITTING.values() for name in fitting} == set(losses)

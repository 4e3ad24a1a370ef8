"""Losses and scores against NumPy, float64; a batch's loss is the same however it is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dressage.errors import RecipeError
from dressage.objective import FITTING, catalogue

RANDOM = np.random.default_rng(0)
OUTPUTS = RANDOM.normal(0, 3, (12, 4))
LABELS = RANDOM.integers(0, 4, 12)
SOFT = RANDOM.dirichlet(np.ones(4), 12)


def cross_entropy(outputs: np.ndarray, targets: np.ndarray, smoothing: float) -> np.ndarray:
    """One loss a sample."""
    probabilities = np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True)
    smoothed = (1 - smoothing) * targets + smoothing / targets.shape[1]
    return -(smoothed * np.log(probabilities)).sum(1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_formula(smoothing: float, soft: bool) -> None:
    objective = catalogue.build("cross_entropy", smoothing)
    targets = SOFT if soft else np.eye(4)[LABELS]
    given_targets = torch.from_numpy(SOFT if soft else LABELS)
    outputs = torch.from_numpy(OUTPUTS)
    expected = cross_entropy(OUTPUTS, targets, smoothing).mean()
    assert objective.loss(outputs, given_targets).item() == pytest.approx(expected, rel=1e-10)
    plain = cross_entropy(OUTPUTS, targets, 0).mean()
    assert objective.plain_loss(outputs, given_targets).item() == pytest.approx(plain, rel=1e-10)
    correct = (OUTPUTS.argmax(1) == targets.argmax(1)).sum()
    assert objective.score(outputs, given_targets).item() == correct
    assert (objective.metric, objective.finish(0.25), objective.higher_is_better) == ("accuracy", 0.25, True)


@pytest.mark.parametrize("targets_shape", [(6,), (6, 1)])
def test_mse_formula(targets_shape: tuple[int, ...]) -> None:
    outputs, targets = RANDOM.normal(size=(6, 1)), RANDOM.normal(size=targets_shape)
    objective = catalogue.build("mse", 0.0)
    squares = (outputs[:, 0] - targets.reshape(6)) ** 2
    given = torch.from_numpy(outputs), torch.from_numpy(targets)
    assert objective.loss(*given).item() == pytest.approx(squares.mean(), rel=1e-10)
    assert objective.plain_loss(*given).item() == pytest.approx(squares.mean(), rel=1e-10)
    assert objective.score(*given).item() == pytest.approx(squares.sum(), rel=1e-10)
    assert (objective.metric, objective.finish(0.25), objective.higher_is_better) == ("rmse", 0.5, False)


def test_mse_of_several_targets_is_the_mean_over_them() -> None:
    outputs, targets = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 3))
    objective = catalogue.build("mse", 0.0)
    given = torch.from_numpy(outputs), torch.from_numpy(targets)
    assert objective.loss(*given).item() == pytest.approx(((outputs - targets) ** 2).mean(), rel=1e-10)
    assert objective.score(*given).item() == pytest.approx(((outputs - targets) ** 2).mean(1).sum(), rel=1e-10)


@pytest.mark.parametrize(("outputs", "targets"), [((6, 2), (6,)), ((6, 1), (5,)), ((6,), (6, 6)), ((3, 2), (2, 3))])
def test_mse_never_broadcasts(outputs: tuple[int, ...], targets: tuple[int, ...]) -> None:
    objective = catalogue.build("mse", 0.0)
    for function in (objective.loss, objective.score):
        with pytest.raises(RecipeError, match=r"outputs of shape .* for targets of shape"):
            function(torch.zeros(outputs), torch.zeros(targets))


CUT = [(name, kind) for name in FITTING["classification"] for kind in ("labels", "soft")]
CUT += [(name, "numbers") for name in FITTING["regression"]] + [("logistic", "each its own")]


@settings(deadline=None)
@given(cuts=st.lists(st.integers(1, 11), max_size=4), written=st.sampled_from(CUT))
def test_the_loss_does_not_depend_on_how_the_batch_is_cut(cuts: list[int], written: tuple[str, str]) -> None:
    name, kind = written
    objective = catalogue.build(name, 0.1 if name == "cross_entropy" else 0.0)
    outputs = torch.from_numpy(OUTPUTS[:, :1] if kind == "numbers" else OUTPUTS)
    targets = torch.from_numpy(
        {"labels": LABELS, "soft": SOFT, "numbers": SOFT[:, 0], "each its own": (SOFT > 0.3) * 1.0}[kind]
    )
    edges = [0, *sorted(set(cuts)), 12]
    pieces = [slice(a, b) for a, b in pairwise(edges)]
    for function in (objective.loss, objective.plain_loss):
        whole = sum((p.stop - p.start) / 12 * function(outputs[p], targets[p]).item() for p in pieces)
        assert whole == pytest.approx(function(outputs, targets).item(), rel=1e-12)
    assert sum(objective.score(outputs[p], targets[p]).item() for p in pieces) == pytest.approx(
        objective.score(outputs, targets).item(), rel=1e-12
    )


@pytest.mark.parametrize("name", [name for task in ("classification", "regression") for name in FITTING[task]])
def test_half_precision_outputs_give_a_float32_loss(name: str) -> None:
    objective = catalogue.build(name, 0.0)
    outputs = torch.ones(4, 1, dtype=torch.bfloat16, requires_grad=True)
    targets = torch.zeros(4, 1) if name in FITTING["regression"] else torch.ones(4, 1)
    loss = objective.loss(outputs, targets)
    loss.backward()
    assert loss.dtype == torch.float32
    assert outputs.grad is not None


def _hinge(outputs: np.ndarray, targets: np.ndarray, margin: float) -> float:
    """Each row, each right class by its share, each wrong class: one at a time, as DR10 has it."""
    costs = [
        sum(t[y] * sum(max(0.0, z[j] - z[y] + margin) for j in range(len(z)) if j != y) for y in range(len(z)))
        for z, t in zip(outputs, targets, strict=True)
    ]
    return float(np.mean(costs))


@pytest.mark.parametrize("margin", [1.0, 0.25])
@pytest.mark.parametrize("soft", [False, True])
def test_hinge_formula(margin: float, soft: bool) -> None:
    objective = catalogue.build(f"hinge(margin={margin})", 0.0)
    targets = torch.from_numpy(SOFT if soft else LABELS)
    outputs = torch.from_numpy(OUTPUTS).requires_grad_()
    expected = _hinge(OUTPUTS, SOFT if soft else np.eye(4)[LABELS], margin)
    loss = objective.loss(outputs, targets)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    assert objective.plain_loss is objective.loss
    assert objective.score(outputs, targets).item() == (OUTPUTS.argmax(1) == (SOFT.argmax(1) if soft else LABELS)).sum()
    torch.autograd.gradcheck(lambda z: objective.loss(z, targets), (outputs,))


def test_hinge_is_torchs_but_for_its_division_by_the_classes() -> None:
    """torch divides the sum over classes by their number."""
    outputs, labels = torch.from_numpy(OUTPUTS), torch.from_numpy(LABELS)
    theirs = torch.nn.functional.multi_margin_loss(outputs, labels, margin=0.7) * OUTPUTS.shape[1]
    ours = catalogue.build("hinge(margin=0.7)", 0.0).loss(outputs, labels)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)


def test_hinge_of_hard_and_of_soft_targets_agree_and_a_wide_margin_costs_nothing() -> None:
    objective, outputs = catalogue.build("hinge", 0.0), torch.from_numpy(OUTPUTS)
    hard = objective.loss(outputs, torch.from_numpy(LABELS)).item()
    assert objective.loss(outputs, torch.from_numpy(np.eye(4)[LABELS])).item() == pytest.approx(hard, rel=1e-12)
    assert objective.loss(torch.eye(4) * 2, torch.arange(4)).item() == 0


@pytest.mark.parametrize("kind", ["classes", "soft", "labels"])
def test_logistic_formula(kind: str) -> None:
    objective = catalogue.build("logistic", 0.0)
    t = {"classes": np.eye(4)[LABELS], "soft": SOFT, "labels": (SOFT > 0.25) * 1.0}[kind]
    s = 1 / (1 + np.exp(-OUTPUTS))
    expected = -(t * np.log(s) + (1 - t) * np.log(1 - s)).mean()
    targets = torch.from_numpy(LABELS if kind == "classes" else t)
    outputs = torch.from_numpy(OUTPUTS)
    assert objective.loss(outputs, targets).item() == pytest.approx(expected, rel=1e-10)
    right = (OUTPUTS.argmax(1) == LABELS) if kind == "classes" else ((s > 0.5) == (t > 0.5)).mean(1)
    assert objective.score(outputs, targets).item() == pytest.approx(right.sum(), rel=1e-12)
    np.testing.assert_allclose(objective.probabilities(outputs), s / s.sum(1, keepdims=True), rtol=1e-10)
    np.testing.assert_allclose(objective.values(outputs), s, rtol=1e-10)


def test_logistic_of_one_output_is_the_binary_loss() -> None:
    """CMU3's table ends in +0.00037018372, which lacks its minus: −0.00037018372796 is log y* of what it is fed."""
    z, y = torch.tensor([[7.901], [-2.0]], dtype=torch.float64), torch.tensor([1.0, 0.0])
    loss = catalogue.build("logistic", 0.0).loss(z, y)
    expected = -(np.log(1 / (1 + np.exp(-7.901))) + np.log(1 - 1 / (1 + np.exp(2.0)))) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-10) and loss > 0


def test_logistic_probabilities_are_numbers_where_every_output_is_far_below_zero() -> None:
    found = catalogue.build("logistic", 0.0).probabilities(torch.tensor([[-800.0, -801.0]], dtype=torch.float64))
    assert found.sum().item() == pytest.approx(1) and found[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))


@pytest.mark.parametrize("delta", [1.0, 0.3])
def test_huber_formula(delta: float) -> None:
    outputs, targets = RANDOM.normal(size=(40, 1)), RANDOM.normal(size=40)
    objective = catalogue.build(f"huber(delta={delta})", 0.0)
    d = np.abs(outputs[:, 0] - targets)
    expected = np.where(d <= delta, 0.5 * d**2, delta * (d - 0.5 * delta)).mean()
    given_targets = torch.from_numpy(outputs), torch.from_numpy(targets)
    assert objective.loss(*given_targets).item() == pytest.approx(expected, rel=1e-10)
    assert objective.score(*given_targets).item() == pytest.approx((d**2).sum(), rel=1e-10)
    assert (objective.metric, objective.higher_is_better) == ("rmse", False)


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("hinge(margin=0.0)", r"hinge\.margin: 0\.0 given; expected a number above 0; e\.g\. .+"),
        ("hinge(margin=-1.0)", r"hinge\.margin"),
        ("huber(delta=0.0)", r"huber\.delta: 0\.0 given"),
        ("huber(delta=1e999)", r"huber\.delta: inf given"),
        ("nt_xent(temperature=0.0)", r"nt_xent\.temperature: 0\.0 given; expected a number above 0; e\.g\. .+"),
        ("nt_xent(dim=1)", r"nt_xent\.dim: 1 given; expected 2 to 65536 outputs; e\.g\. .+"),
    ],
)
def test_what_a_recipe_cannot_have_is_refused_in_three_parts(written: str, where: str) -> None:
    with pytest.raises(RecipeError, match=where):
        catalogue.build(written, 0.0)


@pytest.mark.parametrize("name", ["logistic", "hinge"])
def test_soft_targets_of_another_shape_are_refused(name: str) -> None:
    with pytest.raises(
        RecipeError, match=rf"loss.name = {name}: outputs of shape \(4, 3\) for targets of shape \(4, 2\)"
    ):
        catalogue.build(name, 0.0).loss(torch.zeros(4, 3), torch.zeros(4, 2))


def test_smoothing_is_refused_where_it_means_nothing() -> None:
    for name in ("mse", "huber", "logistic", "hinge"):
        with pytest.raises(RecipeError, match=rf"loss.label_smoothing: 0.1 given with {name}; .+; .+"):
            catalogue.build(name, 0.1)
    with pytest.raises(RecipeError, match=r"loss.label_smoothing: 1.0 given; .+; .+"):
        catalogue.build("cross_entropy", 1.0)


def test_the_loss_is_finite_where_a_class_is_certain_and_wrong() -> None:
    loss = catalogue.build("cross_entropy", 0.0).loss(torch.tensor([[1e4, -1e4]]), torch.tensor([1]))
    assert loss.item() == pytest.approx(2e4)

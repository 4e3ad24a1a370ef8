"""Labels, order and split: planted faults are named, healthy twins are not; odd rows raise nothing."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data_faults import flipped, found_by, pictures, table, trained_on, warned
from dressage.clock import work_seconds
from dressage.data.idx import read_idx
from dressage.preflight.data_labels import imbalance_finding, minority_recall
from dressage.preflight.data_order import label_run_evidence
from dressage.preflight.data_shift import _auc
from dressage.preflight.known import baselines_of
from dressage.preflight.wrong_labels import contradicted


@pytest.mark.parametrize(("name", "classes"), [("digits", 10), ("breast_cancer", 2), ("wine", 3)])
@pytest.mark.parametrize("share", [0.15, 0.25])
def test_flipped_labels_are_counted_and_listed(name: str, classes: int, share: float) -> None:
    x, y = table(name)
    wrong, chosen = flipped(y, share, classes, seed=1)
    subject = trained_on(x, wrong)
    (found,) = found_by(subject, "data.label_noise")
    assert found.severity == "warning"
    assert found.numbers["share"] == pytest.approx(float(chosen.float().mean()), abs=0.09)
    known = baselines_of(subject, work_seconds() + 30)
    assert known is not None
    listed = known.rows[contradicted(known)]
    assert float(chosen[torch.from_numpy(listed)].float().mean()) > 0.85
    assert float(np.isin(np.flatnonzero(chosen), listed).mean()) > 0.5


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 7))])
@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "iris", "diabetes"])
def test_clean_sets_have_no_warnings(name: str, seed: int) -> None:
    x, y = table(name, seed)
    cut = len(x) * 3 // 4
    assert not warned(
        found_by(trained_on(x[:cut], y[:cut], (x[cut:], y[cut:]), outputs=1 if name == "diabetes" else 10))
    )


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0, 4.0])
def test_classes_that_overlap_are_not_noise(slope: float) -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 8, generator=random)
    y = (torch.rand(1000, generator=random) < torch.sigmoid(slope * (x[:, 0] + x[:, 1]))).long()
    assert not warned(found_by(trained_on(x, y, outputs=2), "data.label_noise", "data.shuffled_labels"))


def test_a_part_of_the_rows_with_a_real_risk_is_at_most_a_note() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 6, generator=random)
    risk = torch.where(x[:, 0] > 0.84, 0.65, 0.01)  # a fifth of the rows
    y = 4 + 3 * (torch.rand(2000, generator=random) < risk).long()
    (found,) = found_by(trained_on(x, y), "data.label_noise")
    assert found.severity == "info"
    assert "class 7" in found.evidence and "that often" in found.cause


def test_one_class_in_ten_that_nothing_predicts_is_not_noise() -> None:
    random = torch.Generator().manual_seed(0)
    y = (torch.rand(1000, generator=random) < 0.1).long()
    assert not found_by(trained_on(torch.randn(1000, 5, generator=random), y, outputs=2), "data.label_noise")


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_shuffled_targets_are_named_in_either_split(name: str) -> None:
    x, y = table(name)
    cut = len(x) * 3 // 4
    random = torch.Generator().manual_seed(0)
    mixed = y[:cut][torch.randperm(cut, generator=random)]
    (found,) = found_by(trained_on(x[:cut], mixed, (x[cut:], y[cut:])), "data.shuffled_labels")
    assert (found.severity, found.where) == ("warning", "training targets")
    held = y[cut:][torch.randperm(len(y) - cut, generator=random)]
    (found,) = found_by(trained_on(x[:cut], y[:cut], (x[cut:], held)), "data.shuffled_labels")
    assert found.where == "validation targets"


@pytest.mark.parametrize("pairs", [True, False])
def test_validation_rows_tell_of_torn_pairs_under_any_loss(pairs: bool) -> None:
    """Pinball loss asks for no mean, so that R² at chance proves little: unless validation rows by themselves are at none."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1200, 6, generator=random)
    y = x[:, :1] + 0.7 * torch.randn(1200, 1, generator=random)
    torn = y[:800].sort(0).values
    held = (x[800:], y[800:] if pairs else y[800:].sort(0).values)

    class Pinball(nn.Module):
        def forward(self, z: Tensor, y: Tensor) -> Tensor:
            return torch.maximum(0.9 * (y - z), 0.1 * (z - y)).mean()

    (found,) = found_by(trained_on(x[:800], torn, held, outputs=1, loss=Pinball()), "data.shuffled_labels")
    assert found.severity == ("warning" if pairs else "info")


def test_a_weak_law_is_not_shuffled() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 6, generator=random)
    y = 0.4 * x[:, :1] + torch.randn(1000, 1, generator=random)
    assert not found_by(trained_on(x, y, outputs=1), "data.shuffled_labels")
    mixed = y[torch.randperm(1000, generator=random)]
    assert warned(found_by(trained_on(x, mixed, outputs=1), "data.shuffled_labels"))


def test_a_parity_is_at_most_a_note() -> None:
    x = (torch.rand(800, 8, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    assert not warned(found_by(trained_on(x, (x.sum(1) % 2).long(), outputs=2)))


def test_unequal_classes_are_a_note_until_they_are_not_learned() -> None:
    x = torch.randn(300, 3)
    y = (torch.arange(300) % 20 == 0).long()
    (found,) = found_by(trained_on(x, y), "data.class_imbalance")
    assert found.severity == "info"
    assert imbalance_finding([0.95, 0.05], 0.0, 100).severity == "warning"
    assert imbalance_finding([0.95, 0.05], 0.6, 100).severity == "info"
    assert imbalance_finding([0.6, 0.4], 0.0, 100) is None
    outputs = torch.tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [3.0, 1.0]])
    assert minority_recall(outputs, torch.tensor([0, 0, 1, 0, 1]), "classification") == 0.5
    assert minority_recall(torch.tensor([[-1.0], [2.0], [-1.0]]), torch.tensor([[0.0], [1.0], [0.0]]), "binary") == 1
    assert math.isnan(minority_recall(outputs, outputs[:, 0], "regression"))


def test_runs_in_a_fixed_order_are_named_and_shuffling_mends_them() -> None:
    x, y = table("digits")
    order = y.argsort(stable=True)
    assert warned(found_by(trained_on(x[order], y[order], shuffle=False, lr=0.1), "data.no_shuffle")) == {
        "data.no_shuffle"
    }
    assert not found_by(trained_on(x[order], y[order], shuffle=True), "data.no_shuffle")
    assert not found_by(trained_on(x, y, shuffle=False), "data.no_shuffle")
    (note,) = found_by(trained_on(x[order], y[order], shuffle=None), "data.no_shuffle")
    assert note.severity == "info"


def test_entropy_of_batches_is_what_numpy_says() -> None:
    y = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    found = label_run_evidence(y, np.arange(8), 4)
    assert found is not None
    assert found.entropy == pytest.approx((-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) + 0) / 2)


def test_area_under_the_curve_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(0)
    y, said = random.integers(0, 2, 300), random.integers(0, 20, 300) / 20
    assert _auc(said, y) == pytest.approx(roc_auc_score(y, said))


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "diabetes"])
def test_validation_prepared_otherwise_is_named_as_such(name: str) -> None:
    x, y = table(name)
    cut = len(x) * 3 // 4
    for held in (0.05 * x[cut:] + 3, x[cut:] + 2 * x.std()):
        found = found_by(trained_on(x[:cut], y[:cut], (held, y[cut:])), "data.split_shift")
        assert warned(found) == {"eval.preprocess_mismatch"}


@pytest.mark.slow
def test_pictures_inverted_in_validation_and_sorted_splits(shared_data: Path) -> None:
    x, y = pictures(shared_data, "fashion-mnist", 1200)
    found = found_by(trained_on(x[:900], y[:900], (1 - x[900:], y[900:])), "data.split_shift")
    assert warned(found) == {"eval.preprocess_mismatch"}
    order = y.argsort(stable=True)
    x, y = x[order], y[order]
    found = found_by(trained_on(x[:900], y[:900], (x[900:], y[900:])), "data.split_shift")
    assert warned(found) == {"data.split_shift"}
    assert "no training row" in found[0].evidence


@pytest.mark.parametrize("is_right", [False, True])
def test_a_test_set_that_differs_a_little_by_itself_is_still_seen_to_be_prepared_otherwise(
    is_right: bool, shared_data: Path
) -> None:
    """MNIST's first test pictures are cleaner than its training pictures: no map makes these of one kind."""
    x, y = pictures(shared_data, "mnist", 2000)
    read = [
        read_idx(shared_data / "mnist" / f"t10k-{kind}.gz")[:700] for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    held, labels = torch.tensor(read[0]).float()[:, None] / 255, torch.tensor(read[1]).long()
    x, right = (x - 0.1307) / 0.3081, (held - 0.1307) / 0.3081
    found = found_by(trained_on(x, y, (right if is_right else held, labels)), "data.split_shift")
    assert warned(found) == (set() if is_right else {"eval.preprocess_mismatch"})


def test_another_population_is_a_shift_and_no_preparation() -> None:
    x, y = table("diabetes")
    order = y[:, 0].argsort()
    x, y = x[order], y[order]
    assert warned(found_by(trained_on(x[:330], y[:330], (x[330:], y[330:])), "data.split_shift")) == {
        "data.split_shift"
    }


def test_rows_that_their_own_mean_and_sd_would_spoil_are_others_and_not_prepared_otherwise() -> None:
    x, y = table("diabetes")
    order = x[:, 2].argsort()
    x, y = x[order], y[order]
    found = found_by(trained_on(x[:353], y[:353], (x[353:], y[353:])), "data.split_shift")
    assert [f.id for f in found] == ["data.split_shift"]


def _odd() -> dict[str, tuple[Tensor, Tensor]]:
    some, few = torch.randn, torch.randint
    return {
        "one number": (some(100), some(100)),
        "bytes": (few(0, 255, (100, 3, 8, 8), dtype=torch.uint8), few(0, 5, (100,))),
        "language": (few(0, 30, (100, 12)), few(0, 30, (100, 12))),
        "segmentation": (some(100, 3, 8, 8), few(0, 5, (100, 8, 8))),
        "labels": (some(100, 5), few(0, 2, (100, 4)).float()),
        "itself": (some(100, 20), some(100, 20)),
        "three rows": (some(3, 4), few(0, 2, (3,))),
        "constant": (torch.ones(100, 4), few(0, 3, (100,))),
        "one class": (some(100, 4), torch.zeros(100).long()),
        "nothing finite": (some(100, 4) * math.nan, some(100, 1) * math.nan),
        "bfloat16": (some(100, 6).bfloat16(), some(100, 1).bfloat16()),
        "true or false": (some(100, 6) > 0, some(100) > 0),
        "huge": (some(100, 5) * 1e30, some(100, 1) * 1e30),
        "no columns": (some(100, 0), few(0, 3, (100,))),
        "negative classes": (some(100, 4), few(-2, 3, (100,))),
        "complex": (some(100, 4, dtype=torch.complex64), few(0, 3, (100,))),
    }


@pytest.mark.parametrize("name", _odd())
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), nn.MSELoss()])
def test_odd_rows_raise_nothing(name: str, loss: nn.Module) -> None:
    """And what is found of them is told whole."""
    x, y = _odd()[name]
    found = found_by(trained_on(x, y, (x.clone(), y.clone()), shuffle=None, loss=loss))
    assert all(f.evidence and f.cause and f.remedy for f in found)


@pytest.mark.slow
def test_a_set_of_pictures_takes_seconds_and_is_healthy(shared_data: Path) -> None:
    x, y = pictures(shared_data, "fashion-mnist", 4096)
    began = time.process_time()
    found = found_by(trained_on(x[:3072], y[:3072], (x[3072:], y[3072:])))
    assert not warned(found)
    assert time.process_time() - began < 15


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.2, 0.4])
def test_flipped_labels_of_pictures(shared_data: Path, share: float) -> None:
    x, y = pictures(shared_data, "mnist", 1500)
    (found,) = found_by(trained_on(x, flipped(y, share, 10)[0]), "data.label_noise")
    assert found.numbers["share"] == pytest.approx(share, abs=0.06)


def test_labels_of_other_rows_where_each_row_has_several() -> None:
    x, y = table("digits")
    tags = torch.stack([y % 2 == 0, y > 4, (y == 0) | (y == 6) | (y == 8)], 1).float()
    other = tags[torch.randperm(len(tags), generator=torch.Generator().manual_seed(0))]
    loss = nn.BCEWithLogitsLoss()
    (found,) = found_by(trained_on(x, other, outputs=3, loss=loss), "data.shuffled_labels")
    assert (found.severity, found.where) == ("warning", "training targets")
    assert not found_by(trained_on(x, tags, outputs=3, loss=loss), "data.shuffled_labels")


@pytest.mark.parametrize(("wrong", "told"), [(0.03, True), (0.1, False)])
def test_a_count_that_is_0_until_the_target_has_happened(wrong: float, told: bool) -> None:
    """Letters that are sent to those who have left: of those without one nobody has."""
    random = np.random.default_rng(0)
    others = random.normal(size=(1000, 6))
    left = (others[:, 0] + others[:, 1] * others[:, 2] + random.logistic(size=1000) > 0).astype(np.int64)
    letters = np.where(left == 1, 1 + random.poisson(2.5, 1000), random.random(1000) < wrong)
    x = torch.from_numpy(np.column_stack([others, letters])).float()
    found = found_by(trained_on(x, torch.from_numpy(left), outputs=2), "data.leaking_column")
    assert [f.id for f in found] == ["data.leakage"] * told


def test_a_steep_law_of_a_measured_value_is_no_leak() -> None:
    """It tells 97 of 100 rows too, and no value of it is held by many rows."""
    random = np.random.default_rng(0)
    others = random.normal(size=(1000, 6))
    risk = others[:, 0] + others[:, 1]
    y = (risk + 0.1 * random.normal(size=1000) > 0).astype(np.int64)
    x = torch.from_numpy(np.column_stack([others[:, 1:], risk])).float()
    assert not found_by(trained_on(x, torch.from_numpy(y), outputs=2), "data.leaking_column")

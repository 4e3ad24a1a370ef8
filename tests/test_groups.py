"""Rows that hang together: found from the inputs, told when they lie in both splits and flatter, never told from noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dressage.preflight.data_groups import shared_groups
from dressage.preflight.data_shift import told_apart
from dressage.subject import rows_of, subject_of
from dressage.subject.baselines import baselines
from dressage.subject.groups import groups_of


def persons(count: int, visits: int, law: bool = False, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Visits of persons, one after another. `law`: four columns tell the label, else it is the person's own."""
    draw = np.random.default_rng(seed)
    person = draw.standard_normal((count, 12))
    ill = person[:, 0] > 0 if law else draw.random(count) < 0.5
    person[:, :4] += 2 * law * np.where(ill, 1, -1)[:, None]
    who = np.repeat(np.arange(count), visits)
    x = person[who] + 0.1 * draw.standard_normal((len(who), 12))
    return torch.tensor(x).float(), torch.tensor(ill[who]).long()


def told(x: Tensor, y: Tensor, *, mixed: bool) -> list[str]:
    """Ids of what the check finds in the first three quarters against the last one, after mixing the rows or not."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0)) if mixed else torch.arange(len(x))
    cut = 3 * len(x) // 4
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(x.shape[1], 48), nn.ReLU(), nn.Linear(48, 2))
    given = {"train": (x[order[:cut]], y[order[:cut]]), "val": (x[order[cut:]], y[order[cut:]])}
    subject = subject_of(net, torch.optim.Adam(net.parameters(), lr=5e-3), nn.CrossEntropyLoss(), **given)
    return [f.id for f in shared_groups(subject, float("inf"))]


def test_takes_of_persons_are_found() -> None:
    x, _ = persons(50, 8)
    mixed = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    found = groups_of(x[mixed])
    assert found is not None and found.count == 50
    truth = (mixed // 8).numpy()
    assert all(len(np.unique(truth[found.of == g])) == 1 for g in range(50))


def test_columns_that_stay_the_same_tell_the_person() -> None:
    draw = np.random.default_rng(2)
    who = np.repeat(np.arange(40), 6)
    x = np.concatenate([draw.standard_normal((40, 3))[who], draw.standard_normal((240, 5))], 1)
    found = groups_of(torch.tensor(x).float())
    assert found is not None and found.count == 40 and "3 columns" in found.why


@pytest.mark.parametrize("kind", ["normal", "heavy", "clusters", "noisy bits", "grid", "users and items"])
def test_rows_that_stand_alone_are_no_groups(kind: str) -> None:
    draw = np.random.default_rng(3)
    users, items = draw.integers(0, 30, 600), draw.integers(0, 30, 600)
    x = {
        "normal": draw.standard_normal((600, 8)),
        "heavy": draw.lognormal(0, 2, (600, 6)),
        "clusters": 9 * draw.standard_normal((6, 8))[draw.integers(0, 6, 600)] + draw.standard_normal((600, 8)),
        "noisy bits": draw.integers(0, 2, (600, 6)) + 0.03 * draw.standard_normal((600, 6)),
        "grid": draw.integers(0, 40, (600, 3)).astype(float),
        "users and items": np.c_[draw.standard_normal((30, 4))[users], draw.standard_normal((30, 4))[items]],
    }[kind]
    assert groups_of(torch.tensor(x).float()) is None


@pytest.mark.parametrize("kind", ["missing together", "idle", "few clusters and strays"])
def test_a_huge_part_and_rows_alone_are_no_groups(kind: str) -> None:
    draw = np.random.default_rng(4)
    x, often = draw.standard_normal((600, 8)), draw.random(600) < 0.7
    if kind == "missing together":
        x[often, :2] = 0
    if kind == "idle":
        x[often] = 0.01 * draw.standard_normal((often.sum(), 8))
    if kind == "few clusters and strays":
        x = np.r_[30 * x[draw.integers(0, 5, 570)] + 0.01 * draw.standard_normal((570, 8)), 30 * x[570:]]
    assert groups_of(torch.tensor(x).float()) is None


@pytest.mark.parametrize("count", [20, 60])
def test_persons_who_come_more_or_less_often_are_groups(count: int) -> None:
    for seed in range(3):
        draw = np.random.default_rng(seed)
        who = np.repeat(np.arange(count), 1 + draw.poisson(7, count))
        x = draw.standard_normal((count, 8))[who] + 0.05 * draw.standard_normal((len(who), 8))
        found = groups_of(torch.tensor(x).float())
        assert found is not None and found.count == count


@pytest.mark.parametrize("is_mixed", [True, False])
def test_stores_are_found_in_whatever_order_their_rows_stand(is_mixed: bool) -> None:
    draw = np.random.default_rng(5)
    who = np.repeat(np.arange(30), 60)
    x = np.c_[draw.standard_normal((30, 2))[who], draw.standard_normal((1800, 5))]
    found = groups_of(torch.tensor(x[draw.permutation(1800)] if is_mixed else x).float())
    assert found is not None and found.count == 30


def test_pictures_of_things_are_found_by_some_of_their_pixels() -> None:
    draw = np.random.default_rng(6)
    x = draw.random((30, 3, 32, 32))[np.repeat(np.arange(30), 6)] + 0.02 * draw.standard_normal((180, 3, 32, 32))
    found = groups_of(torch.tensor(x).float())
    assert found is not None and found.count == 30


def test_persons_in_both_splits_are_leakage_where_they_flatter() -> None:
    x, y = persons(80, 8)
    assert told(x, y, mixed=True) == ["data.leakage"]
    assert told(x, y, mixed=False) == []


def test_persons_whose_label_is_a_law_flatter_nobody() -> None:
    x, y = persons(150, 8, law=True)
    assert told(x, y, mixed=True) == []


def test_persons_of_one_split_are_no_shift_and_their_score_is_of_others() -> None:
    x, y = persons(80, 8)
    train, held = rows_of((x[:480], y[:480])), rows_of((x[480:], y[480:]))
    assert not told_apart(train, held).is_shift
    found = baselines(train, "binary")
    assert found is not None and found.groups == 60 and found.best.score < 0.75

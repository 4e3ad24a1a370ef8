"""Wrong labels that only the network can tell, at the step of its best validation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import dressage
from dressage.subject import Task
from dressage.watch.mislabelled import probabilities

WRONG = 0.35


def shapes(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Bars, crosses, squares and rings anywhere in a noisy picture: their place defeats models that look at single pixels."""
    g = torch.Generator().manual_seed(seed)
    kinds = torch.zeros(4, 5, 5)
    kinds[0, 2], kinds[1, 2], kinds[1, :, 2] = 1, 1, 1
    kinds[2, 1:4, 1:4], kinds[3] = 1, 1
    kinds[3, 1:4, 1:4] = 0
    x, y = 0.15 * torch.randn(rows, 1, 14, 14, generator=g), torch.randint(0, 4, (rows,), generator=g)
    for picture, kind in zip(x, y.tolist(), strict=True):
        top, left = torch.randint(0, 10, (2,), generator=g).tolist()
        picture[0, top : top + 5, left : left + 5] += kinds[kind]
    return x, y


def spoiled(y: Tensor, share: float, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.where(torch.rand(len(y), generator=g) < share, torch.randint(0, 4, (len(y),), generator=g), y)


@pytest.mark.parametrize(("wrong", "found"), [(WRONG, ["data.label_noise"]), (0.0, [])])
def test_labels_that_are_learned_by_heart_after_the_rows_were(wrong: float, found: list[str]) -> None:
    (x, y), (xv, yv) = shapes(800, 1), shapes(300, 2)
    y, yv = spoiled(y, wrong, 3), spoiled(yv, wrong, 4)
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.ReLU(), nn.MaxPool2d(5), nn.Flatten()),
        *(nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 4)),
    )
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), val=(xv, yv))
    for _ in range(30):
        model.train()
        for rows in torch.split(torch.randperm(len(x)), 32):
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        with torch.no_grad():
            outputs = model(xv)
            watch.validated(loss=loss_fn(outputs, yv), metric=(outputs.argmax(1) == yv).float().mean())
    harmful = [f for f in watch.diagnose() if f.is_harmful]
    assert [f.id for f in harmful] == found, str(watch)
    if found:
        assert harmful[0].numbers["share"] == pytest.approx(0.75 * wrong, abs=0.1)  # a quarter is drawn right by chance


def test_probabilities_of_each_form() -> None:
    z = torch.tensor([[1.0, 2.0, -1.0]])
    e = np.exp(z.double().numpy())
    many, one = probabilities(z, "classification"), probabilities(torch.tensor([[3.0]]), "binary")
    assert many is not None
    assert one is not None
    assert np.allclose(many, e / e.sum(), rtol=1e-12)
    assert np.allclose(one, [[1 / (1 + np.exp(3)), 1 / (1 + np.exp(-3))]])
    assert probabilities(torch.zeros(2, 3, 4), "classification") is None


@pytest.mark.parametrize("task", ["classification", "binary"])
def test_two_outputs_of_two_classes_are_read_whatever_the_task_is_called(task: Task) -> None:
    said = probabilities(torch.tensor([[0.0, 2.0], [1.0, 0.0]]), task)
    assert said is not None and said.argmax(1).tolist() == [1, 0]

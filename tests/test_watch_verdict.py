"""What the verdict weighs: faults that were found in programs of others, each with the program that showed it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.subject import subject_of
from dressage.subject.baselines import baselines
from dressage.watch import LoopWatch


def trained(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: nn.Module, *, steps: int = 150, lr: float = 0.01
) -> LoopWatch:
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(steps):
        rows = torch.randint(len(x), (32,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


def table(rows: int = 600, columns: int = 12) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(3))


def test_grey_pictures_without_a_channel_have_baselines() -> None:
    y = torch.arange(200) % 2
    x = torch.rand(200, 20, 20, generator=torch.Generator().manual_seed(0)) + 0.5 * y[:, None, None]
    subject = subject_of(nn.Flatten(), train=(x, y))
    assert subject.train is not None
    found = baselines(subject.train, "binary")
    assert found is not None
    assert found.best.score > found.constant.score + 0.2


def test_classes_that_weights_bring_up_are_no_fault() -> None:
    x = table(1500)
    y = (x[:, 0] + x[:, 1] > 2.8).float()[:, None]
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(30.0))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1))
    watch = trained(model, x, y, loss_fn)
    assert not [f.id for f in watch.findings if f.is_harmful and f.id.startswith(("model.", "eval."))]


@pytest.mark.parametrize("width", [1])
def test_a_bottleneck_is_named_before_a_short_training(width: int) -> None:
    x = table()
    y = x[:, :6].argmax(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, 6))
    watch = trained(model, x, y, nn.CrossEntropyLoss(), steps=200)
    assert next(f.id for f in watch.findings if f.is_harmful) in ("model.bottleneck", "model.dead_relu")


def test_a_softmax_that_the_loop_takes_belongs_to_the_loss() -> None:
    x = table()
    y = x[:, :6].argmax(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 6))
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=0.003), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(120):
        rows = torch.randint(len(x), (32,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = loss_fn(F.softmax(model(x[rows]), 1), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    z = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
    assert watch.case.loss_fn is not None
    assert torch.allclose(watch.case.loss_fn(z, y[:64]), F.cross_entropy(F.softmax(z, 1), y[:64]))


def test_inputs_that_the_loop_makes_infinite() -> None:
    x = table()
    x[:, 3] = 1.0
    y = (x[:, 0] > 0).long()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    scaled = (x - x.mean(0)) / x.std(0)
    for _ in range(12):
        loss = loss_fn(model(scaled[:32]), y[:32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.diagnose()[0].id == "data.nonfinite"


def test_what_goes_wrong_in_watching_never_reaches_the_loop() -> None:
    x = table()
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    watch.case.seen = None  # type: ignore[assignment]
    loss = loss_fn(model(x[:32]), y[:32])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    watch.step(loss)
    assert any("watched no longer" in note for note in watch.notes)
    assert not model._forward_hooks

"""What examinations may take is spent wisely: what telemetry supports comes first, nothing is run twice, the end has a reserve."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.subject import advance
from dressage.watch import LoopWatch, tournament
from dressage.watch.ending import too_few_epochs
from dressage.watch.head import _is_that, headed
from dressage.watch.suspects import suspects
from dressage.watch.telemetry import Probe, WeightNumbers
from dressage.watch.tournament import as_it_is, race
from dressage.watch.watcher import CONSIDERED


def looped(steps: int, *, lr: float = 0.01, spoiled: int = 0) -> LoopWatch:
    torch.manual_seed(0)
    x = torch.randn(300, 6)
    y = (x[:, 0] > 0).long()
    net, cost = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2)), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr)
    watch = dressage.watch(net, optimizer, cost, train=(x, y))
    for step in range(1, steps + 1):
        rows = torch.randint(300, (16,))
        optimizer.zero_grad()
        loss = cost(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss * math.nan if step == spoiled else loss)
    return watch


def test_judgements_fall_at_their_steps() -> None:
    watch = looped(640)
    assert [step for step, _ in watch.case.telemetry.noise_scales] == [*CONSIDERED, 600]


def test_a_loss_that_is_not_finite_is_seen_at_once() -> None:
    watch = looped(71, spoiled=71)
    assert watch.case.telemetry.nonfinite == (71, "loss")
    assert "sym.nonfinite_loss" in [f.id for f in watch.findings]


def test_steps_after_a_watch_that_gave_up_keep_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = looped(20)
    monkeypatch.setattr(watch, "_flush", lambda: 1 / 0)
    for loss in (torch.tensor(1.0), 1.0, torch.tensor(math.nan)) * 100:
        watch.step(loss)
    assert not watch._losses and len([n for n in watch.notes if "no longer" in n]) == 1


class Shares(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.softmax(self.layer(x), 1)


@pytest.mark.parametrize(
    ("net", "cost", "expected"),
    [
        (nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)), nn.CrossEntropyLoss(), True),
        (nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 3), nn.Softmax(1)), nn.CrossEntropyLoss(), False),
        (Shares(), nn.CrossEntropyLoss(), False),
        (nn.Linear(6, 3), nn.CrossEntropyLoss(label_smoothing=0.3), False),
        (nn.Linear(6, 1), lambda z, y: F.mse_loss(z[:, 0], y.float()), False),
    ],
)
def test_a_head_that_is_the_one_asked_for_is_not_raced(net: nn.Module, cost: nn.Module, expected: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(60, 6)
    optimizer = torch.optim.Adam(net.parameters())
    lab = dressage.watch(net, optimizer, cost, train=(x, torch.arange(60) % 3)).case.lab(start=True)
    assert lab is not None
    other = headed(lab, "classification", 3)
    assert other is not None and _is_that(lab, other) is expected


def probe(ratio: float) -> Probe:
    return Probe(1, weights=(WeightNumbers("a.weight", 1.0, 1.0, ratio), WeightNumbers("b.weight", 1.0, 1.0, ratio)))


@pytest.mark.parametrize(
    ("ratio", "first", "has_lower"),
    [(1e-5, "optim.lr_too_low", True), (1e-3, "optim.lr_too_high", True), (5e-3, "optim.lr_too_high", False)],
)
def test_suspects_by_what_telemetry_says(ratio: float, first: str, has_lower: bool) -> None:
    case = looped(2).case
    case.telemetry.probes = [probe(ratio)] * 3
    lab = case.lab(start=True)
    assert lab is not None
    found = [c.id for c in suspects(case, lab, ())]
    assert found[0] == first and ("optim.lr_too_low" in found) is has_lower
    assert {c.id for c in suspects(case, lab, ("optim.lr_too_low",))} == {"optim.lr_too_low"}


def test_no_run_is_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    case, made = looped(5).case, list[int]()
    monkeypatch.setattr(tournament, "advance", lambda *a, **k: made.append(1) or advance(*a, **k))
    whole = race(case, 40)
    assert whole is not None and whole.tried and not whole.untried
    helped = sum(r.loss < (1 - tournament.LITTLE) * whole.control.loss for _, r in whole.tried)
    assert 2 + len(whole.tried) <= len(made) <= 2 + len(whole.tried) + helped  # what does not help is drawn once
    count = len(made)
    part = race(case, 60, only=("optim.lr_too_high",))
    assert part is not None and part.tried == whole.of("optim.lr_too_high") and as_it_is(case, 40) is whole.control
    assert len(made) == count and race(case, 40, only=("optim.bn_small_batch",)) is None


def test_nothing_keeps_the_copies_that_were_trained() -> None:
    watch = looped(30, lr=0.05)
    watch.close()
    too_few_epochs(watch.case)
    memory = watch.case.memory
    assert "longer 30" in memory
    assert not any(getattr(value, "model", None) is not None for value in memory.values())
    assert all(p._backward_hooks is None for p in watch.case.model.parameters())


def test_a_reserve_is_kept_for_the_end() -> None:
    watch = looped(12)
    on_the_way = watch.case.time_left()
    watch.diagnose()
    assert on_the_way < 15 - watch.case.spent + 5 and watch.case.time_left() + watch.case.spent == pytest.approx(20)


def test_a_race_that_would_prove_little_waits_for_the_end() -> None:
    case = looped(5).case
    case.step_seconds = 1.0
    assert case.reserve > 0 and race(case, 200) is None
    case.reserve = 0.0
    assert race(case, 200) is not None

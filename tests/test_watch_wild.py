"""What programs showed that were looked at once: losses of embeddings, rates that are gone, copies, units that stay equal."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits, load_iris, load_wine
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dressage
from dressage.findings import Finding
from dressage.preflight import examine
from dressage.preflight.data_shift import _loss_of, _lost
from dressage.preflight.known import baselines_of
from dressage.subject import Lab, advance, subject_of
from dressage.watch.compared import compares_rows, without_classes
from dressage.watch.equal import _still_equal
from dressage.watch.explained import explained
from dressage.watch.foreign import LoopWatch
from dressage.watch.rules.schedule import rate_gone
from dressage.watch.telemetry import Probe, Telemetry, WeightNumbers


def _same_or_not(z: Tensor, y: Tensor) -> Tensor:
    """Supervised contrastive: rows of a class are each other's neighbours."""
    z = F.normalize(z, dim=1)
    own = torch.eye(len(z), dtype=torch.bool)
    logs = F.log_softmax((z @ z.T / 0.2).masked_fill(own, -1e9), 1)
    alike = (y[:, None] == y) & ~own
    return -(logs * alike).sum() / alike.sum().clamp_min(1)


def test_an_embedding_is_not_asked_for_an_output_a_class() -> None:
    x, y = (torch.from_numpy(a) for a in load_iris(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0)).float()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 6))
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    watch = dressage.watch(model, optimizer, _same_or_not, train=(x, y))
    for _ in range(150):
        rows = torch.randperm(150)[:30]
        loss = _same_or_not(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert not [f for f in watch.diagnose() if f.is_harmful or f.id == "sym.initial_loss_wrong"]
    assert any("compares rows" in note for note in watch.notes)


def test_which_losses_only_compare_rows() -> None:
    y = torch.arange(40) % 4

    def triplet(z: Tensor, t: Tensor) -> Tensor:
        d = torch.cdist(z, z)
        same = t[:, None] == t
        return F.relu(d.masked_fill(~same, 0).amax(1) - d.masked_fill(same, 99).amin(1) + 1).mean()

    def spread(z: Tensor, t: Tensor) -> Tensor:
        """Variance of each class about its mean."""
        return torch.stack([(z[t == k] - z[t == k].mean(0)).square().mean() for k in t.unique()]).mean()

    assert compares_rows(_same_or_not, y) and compares_rows(triplet, y) and compares_rows(spread, y)
    judged = (
        nn.CrossEntropyLoss(),
        nn.MultiMarginLoss(),
        nn.NLLLoss(),
        lambda z, t: (z - F.one_hot(t, z.shape[1])).square().mean(),
        lambda z, t: F.cross_entropy(z.softmax(1), t),
        lambda z, t: -F.cross_entropy(z, t),
        lambda z, t: F.mse_loss(z[:, 0], t.float()),
        lambda z, t: (z * 0).sum(),
    )
    assert not any(compares_rows(loss, y) for loss in judged)


def test_a_loss_that_holds_the_classes_takes_embeddings() -> None:
    class Cosines(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centres = nn.Parameter(torch.randn(3, 5))

        def forward(self, z: Tensor, y: Tensor) -> Tensor:
            return F.cross_entropy(8 * F.normalize(z, dim=1) @ F.normalize(self.centres, dim=1).T, y)

    x, y = torch.randn(60, 4), torch.arange(60) % 3
    model = nn.Linear(4, 5)
    for loss, task in ((Cosines(), None), (nn.CrossEntropyLoss(weight=torch.ones(3)), "classification")):
        assert without_classes(subject_of(model, None, loss, train=(x, y))).task == task


def _annealed(rates: list[float], losses: list[float]) -> Telemetry:
    """A training whose update is the rate."""
    probes = [
        Probe(step, weights=(WeightNumbers("weight", 1.0, 0.1, rates[step - 1]),), rate=rates[step - 1])
        for step in range(1, len(rates) + 1, 10)
    ]
    return Telemetry(step=len(rates), losses=losses, probes=probes)


def _learned(rates: list[float], speed: float, noise: float, floor: float) -> list[float]:
    """floor + (1 − floor) e^(−speed Σ rate), with the noise of batches."""
    way = np.cumsum(rates)
    clean = floor + (1 - floor) * np.exp(-speed * way)
    return [float(v) for v in clean + noise * np.random.default_rng(0).normal(size=len(rates))]


def test_a_rate_that_is_gone_is_seen_without_data() -> None:
    """A cosine over a fifth of the steps; one that learns by then, one over all steps, one whose loss had settled."""
    count = 600
    short = [0.01 * 0.5 * (1 + math.cos(math.pi * min(1.0, t / 120))) for t in range(count)]
    whole = [0.01 * 0.5 * (1 + math.cos(math.pi * t / count)) for t in range(count)]
    (found,) = rate_gone(_annealed(short, _learned(short, 0.6, 0.02, 0.2)))
    assert (found.id, found.severity) == ("optim.schedule_collapsed", "warning") and 100 < found.step < 140
    assert not rate_gone(_annealed(short, _learned(short, 30.0, 0.02, 0.2)))  # learned by then
    assert not rate_gone(_annealed(short, _learned(short, 30.0, 0.02, 0.7)))  # settled high
    assert not rate_gone(_annealed(whole, _learned(whole, 0.1, 0.02, 0.2)))
    halving = [0.01 * 0.1 ** (t // 150) for t in range(count)]
    assert not rate_gone(_annealed(halving, _learned(halving, 0.6, 0.02, 0.2)))
    moving = _annealed(short, _learned(short, 0.6, 0.02, 0.2))
    other = [replace(p, weights=(WeightNumbers("other", 1.0, 0.1, 0.01),)) for p in moving.probes]
    assert not rate_gone(replace(moving, probes=other))  # another group goes on
    few = replace(moving, probes=[moving.probes[i] for i in (0, 4, 55)])
    assert not rate_gone(few)  # when it went is not known
    (found,) = rate_gone(replace(few, rates_read=[(step, short[step - 1]) for step in range(64, count, 64)]))
    assert found.step == 128


def test_copies_within_the_training_rows_do_not_make_a_shift() -> None:
    """Rows again and again: simple models know them by heart, which is no score to fall from."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    few, held = np.tile(order[:200], 6), order[600:1600]
    subject = subject_of(
        nn.Linear(64, 10),
        train=(torch.from_numpy(x[few]).float() / 16, torch.from_numpy(y[few])),
        val=(torch.from_numpy(x[held]).float() / 16, torch.from_numpy(y[held])),
    )
    known = baselines_of(subject, math.inf)
    assert known is not None and _loss_of(known) is not None and _lost(subject, known, math.inf) is None
    copies = Finding("data.duplicates", "warning", "", "", "", "")
    near, far = (Finding("data.split_shift", "warning", "", "", "", "", numbers={"auc": auc}) for auc in (0.7, 0.99))
    assert [f.is_harmful for f in explained([near, copies])] == [False, True]
    assert all(f.is_harmful for f in [*explained([far, copies]), *explained([near])])


class Heavy(torch.optim.Optimizer):
    """Written by hand: the gradients are those that stand there, and nothing is asked for or given back."""

    def __init__(self, params: object, lr: float) -> None:
        super().__init__(params, {"lr": lr})  # type: ignore[arg-type]

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for p in (p for group in self.param_groups for p in group["params"] if p.grad is not None):
            velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
            p.sub_(velocity.mul_(0.9).add_(p.grad), alpha=self.param_groups[0]["lr"])


class Plain(Heavy):
    """The same, which takes nothing."""

    def step(self) -> None:  # type: ignore[override]
        super().step()


@pytest.mark.parametrize("kind", [Heavy, Plain])
def test_a_copy_goes_on_with_an_optimiser_that_takes_gradients_as_they_stand(kind: type[Heavy]) -> None:
    x = torch.linspace(-1, 1, 40)[:, None]
    y = 3 * x - 1
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    same = nn.Linear(1, 1)
    same.load_state_dict(model.state_dict())
    torchs = torch.optim.SGD(same.parameters(), 0.05, momentum=0.9)
    own = advance(Lab(model, kind(model.parameters(), 0.05), F.mse_loss, x, y, 10), 30)
    other = advance(Lab(same, torchs, F.mse_loss, x, y, 10), 30)
    assert own.after < 0.1 * own.before
    assert own.losses == pytest.approx(other.losses, rel=1e-4)
    subject = subject_of(model, kind(model.parameters(), 0.05), F.mse_loss, train=(x, y))
    assert [c.verdict for c in examine(subject, ("tiny_set",), math.inf).checks] == ["passed"]


class Cell(nn.Module):
    """A network that gives its own loss by a way of its own, so that no copy can be trained on what is seen."""

    def __init__(self, equal: bool) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.full((6, 20), 0.2) if equal else torch.randn(6, 20) / 3)
        self.outer = nn.Parameter(torch.full((20, 1), 0.2) if equal else torch.randn(20, 1) / 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x @ self.inner) @ self.outer


def _of_units(equal: bool, steps: int = 80) -> LoopWatch:
    torch.manual_seed(0)
    model = Cell(equal)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    watch = dressage.watch(model, optimizer)
    for _ in range(steps):
        x = torch.randn(32, 6)
        loss = (model(x) - (x[:, :1] * x[:, 1:2]).sin()).abs().sqrt().mean()  # none that could be recognised
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


def test_units_that_stay_equal_are_told_from_the_weights_alone() -> None:
    assert [f.id for f in _of_units(True).findings if f.is_harmful] == ["model.symmetric_init"]
    assert not [f for f in _of_units(False).findings if f.is_harmful]


def test_equal_rows_that_nothing_moved_are_no_equal_units() -> None:
    """Zeros at the start, and inputs that are never there: their weights are equal for want of a gradient."""
    before = torch.zeros(30, 10)
    after = before.clone()
    after[:8] = torch.randn(8, 10)
    assert _still_equal(before, after) == 0
    assert _still_equal(before, torch.randn(30, 10)) == 0  # parted
    assert _still_equal(torch.randn(30, 10), torch.ones(30, 10)) == 0  # grown equal: another matter
    assert _still_equal(before, torch.ones(30, 1) * torch.randn(10)) == 1


class TwoTables(nn.Module):
    """Two inputs by name, each with a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.out = nn.Linear(6, 12), nn.Linear(7, 12), nn.Linear(24, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.out(torch.cat([self.left(left), self.right(right)], 1).relu())


def _of_two_tables(size: float) -> list[Finding]:
    x, y = (torch.from_numpy(a) for a in load_wine(return_X_y=True))
    x = ((x - x.mean(0)) / x.std(0)).float()
    left, right = x[:, :6], x[:, 6:] * size
    torch.manual_seed(0)
    model = TwoTables()
    optimizer = torch.optim.SGD(model.parameters(), 1e-6 if size > 10 else 0.1)
    watch = dressage.watch(model, optimizer, F.cross_entropy)
    for _ in range(150):
        rows = torch.randperm(len(x))[:32]
        loss = F.cross_entropy(model(left=left[rows], right=right[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    return [f for f in watch.diagnose() if f.is_harmful]


def test_one_of_two_inputs_far_from_size_one_is_named() -> None:
    assert [f.id for f in _of_two_tables(3e3)] == ["data.unscaled_inputs"]
    assert not _of_two_tables(1.0)


class Flat(nn.Module):
    """Rows are viewed, and not reshaped, as a loader's batches allow."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.out = nn.Conv2d(8, 8, 1), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.mix(x).view(-1, 64).tanh())


def test_a_network_that_takes_views_can_be_copied_and_run_on_rows_whose_axes_were_exchanged() -> None:
    x, y = (torch.from_numpy(a) for a in load_digits(return_X_y=True))
    x = (x.float() / 16).reshape(-1, 1, 8, 8).permute(0, 3, 1, 2)
    loader = DataLoader(TensorDataset(x[:1000], y[:1000]), 50, shuffle=True)
    torch.manual_seed(0)
    model = Flat()
    optimizer = torch.optim.SGD(model.parameters(), 30.0)
    watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss(), train=loader)
    for rows, labels in [pair for _ in range(3) for pair in loader]:
        loss = F.cross_entropy(model(rows), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["optim.lr_too_high"], watch.notes
    assert not [note for note in watch.notes if "view" in note]

"""Faults in nets that are written by hand: plain calls of functions, bare parameters, and what the loop does on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.findings import Finding
from dressage.preflight.unrolled import faded
from dressage.subject import Lab, subject_of
from dressage.watch import LoopWatch
from dressage.watch.case import Case
from dressage.watch.changes import changes
from dressage.watch.reason import underfits_for_a_reason


class Hand(nn.Module):
    """Two hidden layers of bare matrices."""

    def __init__(self, sizes: tuple[int, int, int], act: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        a, h, c = sizes
        self.w1, self.w2, self.w3 = (nn.Parameter(torch.randn(p, q) / p**0.5) for p, q in ((a, h), (h, h), (h, c)))
        self.b1, self.b2 = nn.Parameter(torch.zeros(h)), nn.Parameter(torch.zeros(h))
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(x @ self.w1 + self.b1)
        return self.act(h @ self.w2 + self.b2) @ self.w3


def classes() -> tuple[Tensor, Tensor]:
    """Four classes by two products of signs: nothing for a line."""
    x = torch.randn(700, 6, generator=torch.Generator().manual_seed(3))
    return x, 2 * (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 0).long()


def numbers() -> tuple[Tensor, Tensor]:
    x = torch.randn(700, 6, generator=torch.Generator().manual_seed(4))
    y = x[:, 0] * 1.5 + x[:, 1].abs() + torch.sin(2 * x[:, 2])
    return x, (y - y.mean()) / y.std()


def looped(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Any,
    data: tuple[Tensor, Tensor],
    *,
    steps: int = 200,
    scheduler: Any = None,
    rate: Callable[[int], float] | None = None,
) -> LoopWatch:
    x, y = data
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:500], y[:500]), val=(x[500:], y[500:]))
    for step in range(steps):
        if rate is not None:
            optimizer.param_groups[0]["lr"] = rate(step)
        rows = torch.randint(500, (32,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        watch.step(loss)
    watch.diagnose()
    return watch


def harmful(watch: LoopWatch) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful and not f.is_symptom]


def adam(model: nn.Module, lr: float = 0.005) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr)


def alike(model: Hand) -> None:
    for p in (model.w1, model.w2, model.w3):
        nn.init.constant_(p, 0.05)


def closed(model: Hand) -> None:
    nn.init.constant_(model.b2, -12.0)


def nothing(model: Hand) -> None:
    pass


@pytest.mark.parametrize(
    ("act", "fault", "named"),
    [
        (torch.tanh, alike, "model.symmetric_init"),
        (torch.relu, closed, "model.dead_relu"),
        pytest.param(lambda h: torch.tanh(400 * h), nothing, "model.saturated_activation", marks=pytest.mark.slow),
        pytest.param(lambda h: h, nothing, "model.missing_nonlinearity", marks=pytest.mark.slow),
    ],
)
def test_bare_parameters(act: Callable[[Tensor], Tensor], fault: Callable[[Hand], None], named: str) -> None:
    model = Hand((6, 32, 4), act)
    fault(model)
    assert harmful(looped(model, adam(model), F.cross_entropy, classes())) == [named]


@pytest.mark.slow
@pytest.mark.parametrize("act", [torch.tanh, torch.relu])
def test_bare_parameters_that_learn(act: Callable[[Tensor], Tensor]) -> None:
    model = Hand((6, 32, 4), act)
    assert harmful(looped(model, adam(model), F.cross_entropy, classes())) == []


def test_softmax_twice_inside_of_the_loss() -> None:
    model = Hand((6, 32, 4), torch.relu)
    watch = looped(model, adam(model, 1e-3), lambda z, y: F.cross_entropy(z.softmax(1), y), classes())
    assert harmful(watch) == ["loss.double_softmax"]


def test_gradients_outside_of_the_optimiser_need_not_be_cleared() -> None:
    model = Hand((6, 8, 4), torch.tanh)
    watch = looped(model, torch.optim.Adam([model.w3], 0.005), nn.CrossEntropyLoss(), classes())
    assert "optim.no_zero_grad" not in [f.id for f in watch.findings]
    assert "optim.frozen_params" in harmful(watch)


class Dropping(Hand):
    def forward(self, x: Tensor) -> Tensor:
        h = F.dropout(torch.relu(x @ self.w1 + self.b1), 0.95, self.training)
        return F.dropout(torch.relu(h @ self.w2 + self.b2), 0.95, self.training) @ self.w3


def test_dropout_that_is_called_as_a_function() -> None:
    model = Dropping((6, 32, 4), torch.relu)
    assert harmful(looped(model, adam(model), nn.CrossEntropyLoss(), classes())) == ["optim.over_regularised"]


def test_a_rate_that_is_gone_is_no_torn_pair() -> None:
    model = Hand((6, 32, 4), torch.relu)
    optimizer = adam(model, 3e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
    watch = looped(model, optimizer, nn.CrossEntropyLoss(), classes(), scheduler=scheduler)
    assert harmful(watch) == ["optim.schedule_collapsed"]


def test_a_training_far_too_short_for_its_rate() -> None:
    model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), 5e-3)
    assert harmful(looped(model, optimizer, nn.MSELoss(), numbers(), steps=40)) == ["optim.too_few_epochs"]


def test_a_short_training_whose_rate_was_led_to_nothing_was_meant_so() -> None:
    """Its last probe lies before the end, where the rate was still a quarter of the highest."""
    model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), 1.5e-2)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 40)
    watch = looped(model, optimizer, nn.MSELoss(), numbers(), steps=40, scheduler=scheduler)
    assert watch.telemetry.probes[-1].rate > 0.2 * watch.telemetry.probes[0].rate
    assert "optim.too_few_epochs" not in harmful(watch)


def test_a_loss_that_falls_away_from_its_targets_slowly() -> None:
    model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    watch = looped(model, optimizer, lambda z, y: -(z - y).square().mean(), numbers(), steps=100)
    assert harmful(watch)[0] == "loss.wrong_sign"


@pytest.mark.slow
def test_units_shut_by_giant_first_steps() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 4))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    watch = looped(
        model, optimizer, nn.CrossEntropyLoss(), classes(), rate=lambda step: 10.0 if step < 4 else 0.05, steps=400
    )
    assert harmful(watch) == ["model.dead_relu"]


def test_a_bad_end_is_explained_by_what_was_seen_at_first() -> None:
    harm = Finding("eval.underfit", "warning", "training", "accuracy 0.4, trees 0.7", "", "")
    seen = Finding("optim.frozen_params", "info", "body", "4 parameters", "", "all", numbers={"gain": 0.02})
    case: Case = object.__new__(Case)
    told = underfits_for_a_reason(case, [harm, seen])
    assert [(f.id, f.is_harmful) for f in told] == [("optim.frozen_params", True), ("eval.underfit", False)]
    asked = Finding("optim.frozen_params", "info", "body (by request)", "", "", "all", numbers={"gain": 0.0})
    assert underfits_for_a_reason(case, [harm, asked]) == [harm, asked]
    other = Finding("optim.lr_too_high", "warning", "", "", "", "")
    assert underfits_for_a_reason(case, [harm, seen, other]) == [harm, seen, other]


def test_a_penalty_on_the_live_weights_inside_of_the_loss() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 1))

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(z[:, 0], y) + 0.05 * sum(p.abs().sum() for p in model.parameters())

    assert harmful(looped(model, adam(model), loss_fn, numbers())) == ["optim.over_regularised"]


class Echo(nn.Module):
    """A state that is multiplied by one matrix at each step."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inward, self.back, self.out = nn.Linear(2, 24), nn.Linear(24, 24, bias=False), nn.Linear(24, 1)
        nn.init.orthogonal_(self.back.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), 24)
        for step in x.unbind(1):
            state = torch.relu(self.inward(step) + self.back(state))
        return self.out(state).squeeze(1)


@pytest.mark.parametrize(("gain", "named"), [(2.0, ["optim.exploding_gradients"]), (1.0, [])])
def test_a_state_that_is_multiplied_again_and_again(gain: float, named: list[str]) -> None:
    x = torch.randn(200, 16, 2, generator=torch.Generator().manual_seed(5))
    y = x[:, :, 0].mean(1)
    model = Echo(gain)
    found = dressage.preflight(model, adam(model, 1e-3), nn.MSELoss(), train=(x, y), only=["signals"]).findings
    assert [f.id for f in found if f.is_harmful] == named


class Plain(nn.Module):
    """A plain recurrent net, asked at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = nn.RNN(1, 16, batch_first=True), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.out(self.rnn(x)[0][:, -1])
        return z


@pytest.mark.slow
@pytest.mark.parametrize("asked", [0, -1])
def test_what_came_many_steps_ago_gets_no_gradient(asked: int) -> None:
    """The sign of the first of 24 numbers, which a plain recurrent net forgets, or of the last, which it learns."""
    x = torch.randn(600, 24, 1, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(0)
    model = Plain()
    watch = looped(model, adam(model), nn.CrossEntropyLoss(), (x, (x[:, asked, 0] > 0).long()), steps=150)
    assert harmful(watch) == (["optim.vanishing_gradients"] if asked == 0 else [])


def test_a_gradient_through_time_is_faded_or_is_not() -> None:
    x, y = torch.randn(20, 24, 1), torch.zeros(20, dtype=torch.long)
    torch.manual_seed(0)
    model = Plain()
    found = faded(subject_of(model, None, nn.CrossEntropyLoss(), train=(x, y)))
    assert found is not None and found[0] == "rnn.weight_hh_l0" and found[1] < 1e-3 and found[2] == 24
    with torch.no_grad():
        model.rnn.weight_hh_l0.copy_(torch.eye(16))
        model.rnn.weight_ih_l0.mul_(0.01)
        model.rnn.bias_ih_l0.zero_(), model.rnn.bias_hh_l0.zero_()
    assert faded(subject_of(model, None, nn.CrossEntropyLoss(), train=(x, y))) is None


def test_tables_of_words_are_not_judged_by_the_size_of_a_matrix() -> None:
    """`EmbeddingBag` draws numbers of size 1, as `Embedding` does, on purpose."""
    model = nn.Sequential(nn.EmbeddingBag(300, 8), nn.Linear(8, 3))
    optimizer = adam(model)
    lab = Lab(
        model, optimizer, nn.CrossEntropyLoss(), torch.randint(300, (40, 5)), torch.randint(3, (40,)), 8, None, None
    )
    assert "model.init_too_large" not in {c.id for c in changes(lab)}

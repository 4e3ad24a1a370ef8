"""The watch of a foreign loop: it changes nothing, leaves nothing standing, and names what is planted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dressage
from dressage.watch import Watch
from dressage.watch.rules.curves import overfit
from dressage.watch.rules.loop import data_stall
from dressage.watch.telemetry import Probe, Telemetry, Validation

Model = Callable[[], nn.Module]
MODELS: dict[str, Model] = {
    "mlp": lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)),
    "dropout": lambda: nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10)),
    "batch norm": lambda: nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.Tanh(), nn.Linear(32, 10)),
    "convnet": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)
    ),
    "recurrent": lambda: Recurrent(),
}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.cell(x.reshape(-1, 8, 8))
        return self.head(out[:, -1])


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return torch.tensor(x / 16, dtype=torch.float32)[order], torch.tensor(y)[order]


def loop(
    digits: tuple[Tensor, Tensor],
    model: nn.Module,
    *,
    watched: bool = True,
    epochs: int = 3,
    lr: float = 0.05,
    zero: bool = True,
    evaluate: bool = True,
    retrain: bool = True,
    **settings: Any,
) -> Watch | None:
    """A loop as people write it, with switches for its faults."""
    torch.manual_seed(1)
    x, y, xv, yv = digits[0][:1200], digits[1][:1200], digits[0][1200:], digits[1][1200:]
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), val=(xv, yv), **settings) if watched else None
    model.train()
    for _ in range(epochs):
        if retrain:
            model.train()
        for rows in torch.randperm(len(x)).split(32):
            if zero:
                optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            if watch is not None:
                watch.step(loss)
        if evaluate:
            model.eval()
        with torch.no_grad():
            outputs = model(xv)
        if watch is not None:
            watch.validated(loss=loss_fn(outputs, yv), metric=(outputs.argmax(1) == yv).float().mean())
    if watch is not None:
        watch.diagnose()
    return watch


def harmful(watch: Watch | None) -> list[str]:
    assert watch is not None
    return [f.id for f in watch.findings if f.is_harmful]


@pytest.mark.parametrize("name", MODELS)
def test_a_watched_run_is_the_same_run(name: str, digits: tuple[Tensor, Tensor]) -> None:
    ends = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = MODELS[name]()
        loop(digits, model, watched=watched, epochs=2)
        ends.append((model.state_dict(), torch.get_rng_state()))
    assert all(torch.equal(a, b) for a, b in zip(ends[0][0].values(), ends[1][0].values(), strict=True))
    assert torch.equal(ends[0][1], ends[1][1])


@pytest.mark.parametrize("name", MODELS)
def test_a_healthy_run_raises_nothing(name: str, digits: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    assert harmful(loop(digits, MODELS[name](), epochs=16)) == []


def hooks_of(model: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()
    ) + sum(len(p._backward_hooks or ()) for p in model.parameters())


def test_no_hook_stands_between_probes(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    model = MODELS["mlp"]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss())
    idle = 0
    for step in range(200):
        rows = slice(step * 8 % 1024, step * 8 % 1024 + 8)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
        idle += hooks_of(model) == 0
    assert idle >= 150
    watch.diagnose()
    assert hooks_of(model) == 0 and not optimizer._optimizer_step_pre_hooks


def test_gradients_that_are_not_zeroed(digits: tuple[Tensor, Tensor]) -> None:
    watch = loop(digits, MODELS["mlp"](), zero=False, epochs=1)
    assert harmful(watch)[0] == "optim.no_zero_grad"
    assert next(f for f in watch.findings if f.id == "optim.no_zero_grad").step <= 12  # type: ignore[union-attr]


def test_accumulation_is_no_fault(digits: tuple[Tensor, Tensor]) -> None:
    x, y = digits
    model = MODELS["mlp"]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(160):
        rows = torch.randint(len(x), (16,), generator=torch.Generator().manual_seed(step))
        loss = loss_fn(model(x[rows]), y[rows])
        (loss / 4).backward()
        if step % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
        watch.step(loss)
    assert "optim.no_zero_grad" not in [f.id for f in watch.diagnose()]


def test_a_validation_in_training_mode(digits: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    watch = loop(digits, MODELS["dropout"](), evaluate=False, epochs=6)
    assert harmful(watch) == ["eval.train_mode_at_eval"]


def test_a_training_that_stays_in_eval_mode(digits: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    watch = loop(digits, MODELS["batch norm"](), retrain=False, epochs=6)
    assert "eval.eval_mode_in_training" in harmful(watch)


@pytest.mark.parametrize(("lr", "named"), [(20.0, "optim.lr_too_high"), (1e-6, "optim.lr_too_low")])
def test_a_rate_out_of_range(lr: float, named: str, digits: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    found = harmful(loop(digits, MODELS["mlp"](), lr=lr, epochs=2))
    assert named in found


def test_findings_come_as_they_are_found(digits: tuple[Tensor, Tensor]) -> None:
    told: list[str] = []
    loop(digits, MODELS["mlp"](), zero=False, epochs=1, on_finding=lambda f: told.append(f.id))
    assert told.count("optim.no_zero_grad") == 1


def test_the_loader_wrapper_gives_every_batch_and_takes_the_time() -> None:
    model = nn.Linear(2, 1)
    watch = dressage.watch(model, torch.optim.SGD(model.parameters(), lr=0.1))

    def slow() -> Iterator[int]:
        import time

        for i in range(4):
            time.sleep(0.01)
            yield i

    assert list(watch.batches(slow())) == [0, 1, 2, 3]
    assert len(watch.case.waited) == 4 and min(watch.case.waited) >= 0.01
    watch.close()


def test_a_model_that_cannot_be_copied_is_told_of() -> None:
    import threading

    model = nn.Linear(2, 1)
    model.lock = threading.Lock()  # type: ignore[assignment]
    watch = dressage.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), nn.MSELoss())
    assert any("cannot be copied" in note for note in watch.notes)
    watch.close()


def test_a_loss_that_is_a_part_of_the_network_is_no_layer(digits: tuple[Tensor, Tensor]) -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.loss = MODELS["mlp"](), nn.CrossEntropyLoss()

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return self.loss(self.net(x), y)

    model = Whole()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = dressage.watch(model, optimizer)
    for rows in torch.arange(320).split(32):
        optimizer.zero_grad()
        loss = model(digits[0][rows], digits[1][rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert not harmful(watch) and {layer.kind for layer in watch.telemetry.probes[0].layers} == {"Linear", "ReLU"}


def test_gradients_that_a_closure_makes_are_seen(digits: tuple[Tensor, Tensor]) -> None:
    model = MODELS["mlp"]()
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=digits)
    for rows in torch.randperm(1200).split(32):

        def closure(rows: Tensor = rows) -> Tensor:
            optimizer.zero_grad()
            loss = loss_fn(model(digits[0][rows]), digits[1][rows])
            loss.backward()
            return loss

        watch.step(optimizer.step(closure))
    probes = watch.telemetry.probes
    assert all(w.gradient > 0 for p in probes for w in p.weights) and all(p.stale == 0 for p in probes)


def test_the_context_judges_at_its_end_and_takes_its_hooks_away_when_it_breaks(digits: tuple[Tensor, Tensor]) -> None:
    def hooks(model: nn.Module) -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())

    for breaks in (False, True):
        model = MODELS["mlp"]()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        try:
            with dressage.watch(model, optimizer, nn.CrossEntropyLoss(), train=digits) as watch:
                assert hooks(model)
                assert not breaks or 1 / 0
        except ZeroDivisionError:
            assert breaks
        assert not hooks(model) and not optimizer._optimizer_step_pre_hooks
        assert str(watch).splitlines()[0] == "nothing found"


def test_every_validation_is_seen_where_it_is_told_of(digits: tuple[Tensor, Tensor]) -> None:
    model = MODELS["dropout"]()
    watch = dressage.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), train=digits)
    for mode in (True, False):
        model.train(mode)
        watch.validating()
        with torch.no_grad():
            model(digits[0][:50])
        watch.validated(metric=0.5)
    assert [v.training for v in watch.telemetry.validations] == [True, False]
    assert watch.case.validation_input is not None and len(watch.case.validation_input) == 50


def test_waiting_in_probed_steps_is_believed_where_other_steps_have_room_for_it() -> None:
    probes = [Probe(step, waiting=0.006) for step in range(1, 9)]
    assert [f.id for f in data_stall(Telemetry(probes=probes), 0.008, [])] == ["pipe.data_stall"]
    assert not data_stall(Telemetry(probes=probes), 0.004, [])
    assert [f.id for f in data_stall(Telemetry(), 0.004, [0.006] * 20)] == ["pipe.data_stall"]


def _told(metrics: list[float], losses: list[float | None], train: list[float]) -> Telemetry:
    """Validations that say these numbers."""
    seen = Telemetry(step=10 * len(metrics))
    seen.validations = [
        Validation(10 * (i + 1), loss, metric, False, fitted)
        for i, (metric, loss, fitted) in enumerate(zip(metrics, losses, train, strict=True))
    ]
    return seen


FALLING = [1.0 / (i + 1) for i in range(10)]


def test_a_mean_absolute_error_that_falls_is_no_overfitting() -> None:
    errors = [0.9 - 0.07 * i for i in range(10)]
    assert not overfit(_told(errors, [e**2 for e in errors], FALLING), 0.3, 500)


def test_a_mean_absolute_error_that_rises_again_is_overfitting() -> None:
    errors = [0.9, 0.6, 0.4, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6]
    assert overfit(_told(errors, [e**2 for e in errors], FALLING), 0.3, 500)
    assert overfit(_told([100 * e for e in errors], [None] * 10, FALLING), 0.3, 500, higher=False)


def test_an_accuracy_in_percent_is_a_share() -> None:
    noisy = [50.0, 70.0, 80.0, 85.0, 86.0, 85.6, 86.1, 85.7, 85.9, 85.8]
    losses = [1.0, 0.7, 0.5, 0.45, 0.44, 0.44, 0.45, 0.46, 0.47, 0.48]
    assert not overfit(_told(noisy, losses, FALLING), 0.2, 500)
    spoilt = [50.0, 70.0, 80.0, 85.0, 86.0, 80.0, 76.0, 72.0, 70.0, 68.0]
    assert overfit(_told(spoilt, losses, FALLING), 0.2, 500)


def test_asked_for_once_at_the_end_it_is_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """However lately the training was judged by the way: at a validation after 105 of these 110 steps."""
    monkeypatch.setattr(sys.modules["dressage.watch.watcher"], "DEAR", 0)  # every validation is an occasion
    net, x, y = nn.Linear(4, 2), torch.randn(64, 4), torch.arange(64) % 2
    optimizer, loss_fn = torch.optim.SGD(net.parameters(), 0.01), nn.CrossEntropyLoss()
    watch = dressage.watch(net, optimizer, loss_fn, train=(x, y), seconds=0.5)
    for step in range(1, 111):
        optimizer.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if step == 105:
            watch.validated(loss=loss)
    ends: list[bool] = []
    monkeypatch.setattr(watch, "_consider", lambda *, end: ends.append(end))
    assert watch.findings is not None and ends == [True]
    assert watch.findings is not None and ends == [True]  # asked again, it tells what it told


def test_without_time_it_says_that_it_does_badly(digits: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    watch = loop(digits, MODELS["mlp"](), lr=1e-9, seconds=0)
    assert watch is not None and harmful(watch) == []
    told = [note for note in watch.notes if "used up before a cause was proven" in note]
    assert len(told) == 1 and "seconds=60" in told[0], watch.notes
    torch.manual_seed(0)
    well = loop(digits, MODELS["mlp"](), epochs=12, seconds=0)
    assert well is not None and not [note for note in well.notes if "used up" in note]

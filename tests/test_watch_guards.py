"""What odd losses, networks and examinations must not do to a watch: end it, change the live network, or take others with them."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.errors import UsageError
from dressage.findings import Finding
from dressage.preflight import signals
from dressage.preflight.calls import brought_to_size
from dressage.preflight.statistics import statistics
from dressage.subject import Lab, evaluated
from dressage.watch import LoopWatch, ending
from dressage.watch.case import Case
from dressage.watch.changes import changes
from dressage.watch.guarded import guarded
from dressage.watch.reason import underfits_for_a_reason
from dressage.watch.shut import Scores, shut_units

Cost = Callable[[Any, Tensor, Tensor], Tensor]


class Parts(nn.Module):
    """A criterion that gives its parts."""

    def forward(self, z: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(z[:, 0], y)}


def parts(z: Tensor, y: Tensor) -> tuple[Tensor, float]:
    loss = F.mse_loss(z[:, 0], y)
    return loss, float(loss.detach())


class Two(nn.Module):
    """A network of two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 6)

    def forward(self, x: Tensor, scale: Tensor) -> Tensor:
        return self.body(x) * scale  # type: ignore[no-any-return]


def _lengths(loss_fn: nn.CTCLoss, z: Tensor, y: Tensor) -> Tensor:
    frames = z.reshape(len(z), 2, 3).movedim(1, 0).log_softmax(-1)
    ones = torch.ones(len(z), dtype=torch.long)
    return loss_fn(frames, (y > 0).long()[:, None] + 1, 2 * ones, ones)  # type: ignore[no-any-return]


LOSSES: dict[str, tuple[Any, Cost]] = {
    "lengths": (nn.CTCLoss(), _lengths),
    "variance": (nn.GaussianNLLLoss(), lambda f, z, y: f(z[:, 0], y, z[:, 1].exp())),
    "three": (nn.CosineEmbeddingLoss(), lambda f, z, y: f(z[:, :3], z[:, 3:], y.sign())),
    "a dictionary": (Parts(), lambda f, z, y: f(z, y)["loss"]),
    "a function of parts": (parts, lambda f, z, y: f(z, y)[0]),
    "a function": (F.mse_loss, lambda f, z, y: f(z[:, 0], y)),
}


def looped(
    model: nn.Module, loss_fn: Any, cost: Cost, made: Callable[[Tensor], Tensor], *more: Tensor, given: bool = True
) -> LoopWatch:
    torch.manual_seed(0)
    x = torch.randn(128, 6)
    targets = made(x)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, targets) if given else None, seconds=2)
    for step in range(12):
        rows = torch.randint(128, (16,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = cost(loss_fn, model(x[rows], *more), targets[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_of_another_form_does_not_end_the_watch(name: str, given: bool) -> None:
    loss_fn, cost = LOSSES[name]
    watch = looped(nn.Linear(6, 6), loss_fn, cost, lambda x: x[:, 0], given=given)
    assert not [note for note in watch.notes if note.startswith("watched no longer")]


def test_signs_that_are_given_beside_two_outputs_do_not_end_the_watch() -> None:
    loss_fn, cost = LOSSES["three"]
    watch = looped(nn.Linear(6, 6), loss_fn, cost, lambda x: x[:, 0].sign().long())
    assert not [note for note in watch.notes if note.startswith("watched no longer")]


def test_a_network_of_two_inputs_does_not_end_the_watch() -> None:
    loss_fn, cost = LOSSES["a function"]
    watch = looped(Two(), loss_fn, cost, lambda x: x[:, 0], torch.tensor(2.0))
    assert not [note for note in watch.notes if note.startswith("watched no longer")]


class Shut(nn.Module):
    """A tanh behind a batch norm that is at its ends; in training a call comes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if self.training:
            h = F.dropout(h, 0.1)
        return self.last(torch.tanh(30 * self.norm(h)))  # type: ignore[no-any-return]


def test_shut_units_are_opened_in_a_copy() -> None:
    watch = looped(Shut(), nn.CrossEntropyLoss(), lambda f, z, y: f(z, y), lambda x: (x[:, 0] > 0).long())
    model = watch.case.model
    was = {name: value.clone() for name, value in model.state_dict().items()}
    opened: list[nn.Module] = []

    def go_on(lab: Any, steps: int) -> Scores:
        opened.append(lab.model)
        return Scores(0.5, 0.5)

    assert shut_units(watch.case, go_on) == []
    assert len(opened) == 3  # the saturated tanh was seen, and a copy with it open tried
    assert all(torch.equal(was[name], value) for name, value in model.state_dict().items())


def test_a_call_that_has_another_number_in_the_other_mode_is_left_alone() -> None:
    torch.manual_seed(0)
    model, x = Shut(), torch.randn(64, 6)
    for training in (True, False):
        opened = brought_to_size(model.train(training), x, "tanh").train(not training)
        torch.manual_seed(1)
        found = opened(x)
        torch.manual_seed(1)
        assert torch.equal(found, model(x))


class Cudnn(nn.GRU):
    """As cuDNN's: it goes back in training mode alone."""

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Any:  # type: ignore[override]
        if torch.is_grad_enabled() and not self.training:
            raise RuntimeError("cudnn RNN backward can only be called in training mode")
        return super().forward(x, hx)


class Series(nn.Module):
    """A recurrent layer of two, with dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = Cudnn(3, 8, 2, dropout=0.5, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.dropout(self.cell(x)[0][:, -1], 0.5, self.training))  # type: ignore[no-any-return]


def test_gradients_are_taken_through_recurrent_layers_as_they_are_judged() -> None:
    torch.manual_seed(0)
    model, x, y = Series(), torch.randn(64, 10, 3), torch.randint(2, (64,))
    copied = evaluated(model)
    with torch.no_grad():
        assert torch.equal(copied(x), model.eval()(x))
    assert statistics(copied, x, y, nn.CrossEntropyLoss())[-1].gradient > 0
    optimizer = torch.optim.Adam(model.train().parameters())
    told = dressage.preflight(model, optimizer, nn.CrossEntropyLoss(), train=(x, y), only=["signals"])
    assert "could not" not in str([c.said for c in told.checks])


def test_an_examination_that_fails_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = looped(nn.Linear(6, 2), nn.CrossEntropyLoss(), lambda f, z, y: f(z, y), lambda x: (x[:, 0] > 0).long())
    found = Finding("eval.overfit", "warning", "training", "", "", "")

    def fails(*_: object) -> list[Finding]:
        raise RuntimeError("of the user's")

    for name in ("unpaired", "shut_units", "_too_short_or_small", "begun_badly"):
        monkeypatch.setattr(ending, name, fails)
    monkeypatch.setattr(ending, "by_heart", lambda case: [found])
    watch.case.seconds = 100
    assert ending.at_the_end(watch.case, []) == [found]
    assert sum(note.startswith("one examination failed") for note in watch.notes) >= 4


def test_what_an_examination_takes_is_counted() -> None:
    watch = looped(nn.Linear(6, 2), nn.CrossEntropyLoss(), lambda f, z, y: f(z, y), lambda x: (x[:, 0] > 0).long())
    watch.case.seconds, before = 100, watch.case.spent

    def works(case: Case) -> list[Finding]:
        torch.randn(1000, 1000) @ torch.randn(1000, 1000)
        case.proven("in it", lambda: torch.randn(1000, 1000) @ torch.randn(1000, 1000))
        inside.append(case.spent - before)
        return []

    inside: list[float] = []
    guarded(watch.case, works)
    assert watch.case.spent - before > 1.2 * inside[0] > 0


@pytest.mark.parametrize(("numbers", "is_reason"), [({"gain": -0.1}, False), ({"gain": 0.02}, True), ({}, True)])
def test_what_was_found_harmless_explains_nothing(numbers: dict[str, float], is_reason: bool) -> None:
    harm = Finding("eval.underfit", "warning", "training", "accuracy 0.4, trees 0.7", "", "")
    seen = Finding("optim.vanishing_gradients", "info", "first", "", "", "", numbers=numbers)
    case: Case = object.__new__(Case)
    assert underfits_for_a_reason(case, [harm, seen])[0].is_harmful
    assert (underfits_for_a_reason(case, [harm, seen])[0].id == seen.id) == is_reason


class Backwards(nn.Module):
    """It reads a series from its end, and forgets it."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inward, self.back, self.out = nn.Linear(2, 24), nn.Linear(24, 24, bias=False), nn.Linear(24, 1)
        nn.init.orthogonal_(self.back.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        state = torch.zeros(len(x), 24)
        for step in x.flip(1).unbind(1):
            state = torch.tanh(self.inward(step) + self.back(state))
        return self.out(state)[:, 0]  # type: ignore[no-any-return]


def test_a_series_that_is_read_from_its_end_does_not_explode() -> None:
    x = torch.randn(200, 16, 2, generator=torch.Generator().manual_seed(5))
    model = Backwards(0.4)
    told = dressage.preflight(
        model, torch.optim.Adam(model.parameters()), nn.MSELoss(), train=(x, x[:, :, 0].mean(1)), only=["signals"]
    )
    assert "optim.exploding_gradients" not in [f.id for f in told.findings]


def test_a_note_on_time_does_not_hide_what_is_wrong_with_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    note = Finding("optim.exploding_gradients", "info", "matrix", "", "", "")
    monkeypatch.setattr(signals, "exploding_through_time", lambda *_: note)
    torch.manual_seed(0)
    x, model = torch.randn(200, 6), nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    nn.init.constant_(model[0].bias, -40.0)  # type: ignore[arg-type]
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), 1e-2), nn.CrossEntropyLoss()
    told = dressage.preflight(model, optimizer, loss_fn, train=(x, (x[:, 0] > 0).long()), only=["signals"])
    assert [f.id for f in told.findings if f.is_harmful] == ["model.dead_relu"]
    assert "optim.exploding_gradients" in [f.id for f in told.findings]


class Dropping(nn.Module):
    """It drops by a plain call, and takes batches of one size alone."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.body, self.p = nn.Linear(6, 2), p

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.body(x.reshape(16, 6)), self.p, self.training)


@pytest.mark.parametrize(
    ("model", "is_dropped"),
    [
        (Dropping(0.5), True),
        (Dropping(0.0), False),
        (nn.Sequential(nn.Linear(6, 2), nn.Dropout(0.0)), False),
        (nn.Sequential(nn.Linear(6, 2), nn.Dropout(0.5)), True),
        (nn.Bilinear(6, 6, 2), False),  # asks for a second input
    ],
)
def test_dropout_that_drops_nothing_is_none(model: nn.Module, is_dropped: bool) -> None:
    torch.manual_seed(0)
    x, optimizer = torch.randn(64, 6), torch.optim.SGD(model.parameters(), 0.1)
    lab = Lab(model, optimizer, nn.CrossEntropyLoss(), x, (x[:, 0] > 0).long(), 16)
    assert ("optim.over_regularised" in [c.id for c in changes(lab)]) == is_dropped


class Closed(dict[str, Tensor]):
    """What a network keeps, and nobody may read once it is closed."""

    is_open = True

    def items(self) -> Any:
        if not self.is_open:
            raise RuntimeError("closed")
        return super().items()


@pytest.mark.parametrize("seconds", [20.0, 1e-9])
def test_a_cheap_rule_that_fails_never_reaches_the_loop_and_asks_for_no_time(seconds: float) -> None:
    """With and without time for examinations: another such rule still finds what it sees."""
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    model.kept = Closed(scale=torch.ones(1))
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model[2].parameters(), 0.1)
    watch = dressage.watch(model, optimizer, seconds=seconds)
    for step in range(120):
        model[0].requires_grad_(step >= 20)
        x = torch.randn(16, 6)
        loss = F.cross_entropy(model(x), (x[:, 0] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    Closed.is_open = False
    try:
        found = watch.diagnose()
    finally:
        Closed.is_open = True
    assert "optim.frozen_params" in [f.id for f in found]
    assert any("closed" in note for note in watch.notes)


class Odd(dict[str, Tensor]):
    """A mapping that cannot be gone through, as some that are read from a file as they are needed."""

    def items(self) -> Any:
        raise RuntimeError("only by name")


class Named(nn.Module):
    """Takes its input by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, given: Any) -> Tensor:
        outputs: Tensor = self.layer(given["x"])
        return outputs


def test_an_input_that_cannot_be_looked_at_ends_no_loop() -> None:
    torch.manual_seed(0)
    net = Named()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    watch = dressage.watch(net, optimizer, nn.MSELoss())
    for _ in range(12):
        optimizer.zero_grad()
        loss = F.mse_loss(net(Odd(x=torch.randn(8, 3))), torch.zeros(8, 1))
        loss.backward()
        optimizer.step()
        watch.step(loss)
        watch.validated(loss=loss.detach())
    watch.diagnose()
    assert loss.item() < 1
    assert any("watched no longer" in note and "only by name" in note for note in watch.notes)


def test_an_optimiser_without_groups_ends_no_validation() -> None:
    torch.manual_seed(0)
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    watch = dressage.watch(net, optimizer, nn.MSELoss())
    for step in range(6):
        loss = F.mse_loss(net(torch.randn(8, 3)), torch.zeros(8, 1))
        loss.backward()
        optimizer.step()
        watch.step(loss)
        if step == 2:
            optimizer.param_groups.clear()  # as of an optimiser that keeps its own
        watch.validated(metric=0.5)
    watch.diagnose()
    assert len(watch._watch.telemetry.validations if hasattr(watch, "_watch") else watch.telemetry.validations) == 6


def went_on(net: nn.Module, x: Tensor, y: Tensor, steps: int = 60) -> LoopWatch:
    """A plain loop to its end, with an optimiser that steps along gradients of any layout."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    watch = dressage.watch(net, optimizer, F.cross_entropy)
    for _ in range(steps):
        rows = torch.randint(len(x), (32,))
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


def test_parameters_that_get_their_shape_in_the_first_pass() -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    watch = went_on(nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(2)), x, (x[:, 0] > 0).long())
    assert watch.telemetry.probes and not any("longer" in note for note in watch.notes)


def test_embeddings_with_sparse_gradients_are_trained_on_copies() -> None:
    torch.manual_seed(0)
    ids = torch.randint(50, (256, 5))
    net = nn.Sequential(nn.EmbeddingBag(50, 8, sparse=True), nn.Linear(8, 2))
    watch = went_on(net, ids, (ids[:, 0] > 25).long())
    assert not [note for note in watch.notes if "failed" in note or "cannot be continued" in note]


def test_half_precision_inputs_are_standardised_on_copies() -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2)).bfloat16()
    watch = went_on(net, (50 * x).bfloat16(), (x[:, 0] > 0).long())
    assert not [note for note in watch.notes if "failed" in note or "cannot be continued" in note]


HIDDEN = "The .grad attribute of a Tensor"
"""What torch's compiler hides where it is given what is no leaf: hidden when it is shown, so that as an error it is raised."""


@pytest.mark.filterwarnings(f"ignore:{HIDDEN}")
def test_copies_of_a_compiled_network_are_not_compiled() -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    for_a_copy: list[bool] = []

    def backend(graph: Any, inputs: list[Tensor]) -> Any:
        for_a_copy.append(any("/dressage/" in frame.filename for frame in traceback.extract_stack()))
        return graph.forward

    torch._dynamo.reset()
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    watch = went_on(torch.compile(net, backend=backend), x, (x[:, 0] > 0).long())  # type: ignore[arg-type]
    assert for_a_copy and not any(for_a_copy)
    assert not any("longer" in note for note in watch.notes)


def test_a_watch_has_little_of_a_compiled_network_compiled_anew() -> None:
    """Hooks are left out of what is compiled: they would be followed, with warnings, and again in each step that is probed."""
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    graphs: list[int] = []

    def backend(graph: Any, inputs: list[Tensor]) -> Any:
        graphs.append(len(list(graph.graph.nodes)))
        return graph.forward

    torch._dynamo.reset()
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    compiled = torch.compile(net, backend=backend)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", HIDDEN)
        watch = dressage.watch(net, optimizer, seconds=4)
        for _ in range(60):
            optimizer.zero_grad()
            loss = (compiled(x)[:, 0] - x[:, 0]).square().mean()
            loss.backward()
            optimizer.step()
            watch.step(loss)
        watch.diagnose()
    assert 1 <= len(graphs) <= 4, graphs
    assert not any("longer" in note for note in watch.notes)
    assert watch.case.lab(start=True) is not None


def test_a_scripted_network_is_refused() -> None:
    with pytest.warns(DeprecationWarning):
        net = torch.jit.script(nn.Linear(3, 1))
    with pytest.raises(UsageError, match=r"made by torch.jit.script.*expected.*script it afterwards"):
        dressage.watch(net, torch.optim.SGD(net.parameters(), 0.1))

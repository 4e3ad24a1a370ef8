"""Faults as they stand in loops of other people: each is named with what mends it, and its repaired twin is not."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.findings import Finding
from dressage.preflight.padding import padding_first, trailing
from dressage.watch import LoopWatch
from dressage.watch.passes import Passes
from dressage.watch.shown import said_once


def harmful(found: Sequence[Finding]) -> list[str]:
    return [f.id for f in found if f.is_harmful]


def checked(
    model: nn.Module, loss_fn: nn.Module, x: Tensor, y: Tensor, only: str, rate: float = 3e-3
) -> Sequence[Finding]:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    found = dressage.preflight(model, optimizer, loss_fn, train=(x, y), only=(only,), seconds=2)
    return found.findings


class Adversary:
    """One generator and one judge of two numbers, in turns."""

    def __init__(self, mine: bool) -> None:
        torch.manual_seed(0)
        self.maker, self.judge = nn.Linear(4, 2), nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
        self.makes = torch.optim.Adam((self.maker if mine else self.judge).parameters(), 1e-2)
        self.judges = torch.optim.Adam(self.judge.parameters(), 1e-2)
        self.watch = dressage.watch(self.maker, self.makes)

    def run(self, steps: int) -> LoopWatch:
        cost, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(32, 1), torch.zeros(32, 1)
        for _ in range(steps):
            true, made = torch.randn(32, 2) + 2, self.maker(torch.randn(32, 4))
            self.judges.zero_grad()
            (cost(self.judge(true), ones) + cost(self.judge(made.detach()), zeros)).backward()
            self.judges.step()
            self.makes.zero_grad()
            loss = cost(self.judge(made), ones)
            loss.backward()
            self.makes.step()
            self.watch.step(loss)
        return self.watch


@pytest.mark.parametrize("mine", [True, False])
def test_an_optimiser_of_another_network(mine: bool) -> None:
    found = Adversary(mine).run(60).diagnose()
    assert harmful(found) == ["optim.frozen_params"] * (not mine)
    assert mine or "none of the 2 parameters" in found[0].evidence


def test_the_rest_of_an_accumulation_is_no_validation() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    passes = Passes(model)
    passes.stand()
    model.train()
    model(torch.ones(2, 3))
    model.eval()
    with torch.no_grad():
        model(torch.zeros(5, 3))
    assert passes.validated(4, model.training) is False
    assert passes.input is not None and passes.input.shape == (5, 3)
    passes.stand()
    model.train()
    with torch.no_grad():
        model(torch.zeros(5, 3))
    assert passes.validated(8, model.training) is True


class Reader(nn.Module):
    """The state of a recurrent layer after the last step, or after the last one that is no padding."""

    def __init__(self, *, rows_first: bool, real: bool = False) -> None:
        super().__init__()
        self.real = real
        self.cells = nn.GRU(3, 24, batch_first=rows_first)
        self.last = nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        states = self.cells(x)[0]
        steps = (x != 0).any(2).sum(1) - 1 if self.real else torch.full((len(x),), -1)
        return self.last(states[torch.arange(len(x)), steps])  # type: ignore[no-any-return]


def sequences(real: int, steps: int) -> tuple[Tensor, Tensor]:
    """Whether the first of a few random steps is above zero, padded with zeros."""
    g = torch.Generator().manual_seed(1)
    x = torch.zeros(400, steps, 3)
    x[:, :real] = torch.randn(400, real, 3, generator=g)
    return x, (x[:, 0, 0] > 0).long()


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_recurrent_layer_that_reads_the_batch_as_time(rows_first: bool) -> None:
    torch.manual_seed(0)
    found = checked(Reader(rows_first=rows_first), nn.CrossEntropyLoss(), *sequences(4, 4), "row_leak", 1e-2)
    assert harmful(found) == ["data.leakage"] * (not rows_first)
    assert rows_first or (
        found[0].code == "nn.GRU(..., batch_first=True)" and "batch_first=True a copy" in found[0].evidence
    )


@pytest.mark.parametrize("real", [True, False])
def test_a_state_that_is_read_after_the_padding(real: bool) -> None:
    torch.manual_seed(0)
    found = checked(Reader(rows_first=True, real=real), nn.CrossEntropyLoss(), *sequences(4, 48), "signals", 1e-2)
    assert harmful(found) == ["optim.vanishing_gradients"] * (not real)
    assert real or "44 of 48 steps of padding" in found[0].evidence


def test_padding_is_what_most_rows_end_in() -> None:
    x = torch.tensor([[5, 7, 0, 0], [0, 1, 2, 0], [3, 3, 3, 3]])
    assert trailing(x).tolist() == [2, 1, 0]
    assert padding_first(x, trailing(x)).tolist() == [[0, 0, 5, 7], [0, 0, 1, 2], [3, 3, 3, 3]]


def pictures() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(2)
    y = (F.avg_pool2d(torch.randn(120, 1, 12, 12, generator=g), 3, 1, 1) > 0.15).float()
    return y + 0.5 * torch.randn(y.shape, generator=g), y


@pytest.mark.parametrize("top", [255.0, 1.0])
def test_masks_that_were_read_as_bytes(top: float) -> None:
    torch.manual_seed(0)
    x, y = pictures()
    net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    found = checked(net, nn.BCEWithLogitsLoss(), x, top * y, "heads")
    assert harmful(found) == ["data.target_unscaled"] * (top > 1)
    assert top == 1 or found[0].code == "y = y / 255"


class Cropped(nn.Module):
    """A squashed picture, of which a part is given."""

    def __init__(self, *, squashed: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=2), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
        self.squashed = squashed

    def forward(self, x: Tensor) -> Tensor:
        z = self.body(x)
        return (z.sigmoid() if self.squashed else z)[..., :12, :12]  # type: ignore[no-any-return]


@pytest.mark.parametrize("squashed", [True, False])
def test_a_sigmoid_before_the_outputs_are_cropped(squashed: bool) -> None:
    torch.manual_seed(0)
    x, _ = pictures()
    x = 2 * (x - x.mean()) / x.std()
    found = checked(Cropped(squashed=squashed), nn.MSELoss(), x, x, "heads", 1e-2)
    assert harmful(found) == ["model.wrong_output_activation"] * squashed


def trained(
    model: nn.Module, x: Tensor, y: Tensor, *, given: bool = True, rate: float = 0.01, **more: object
) -> LoopWatch:
    """What is seen of 260 steps by Adam or, where nothing but the network is given and the loss is never the same, by SGD."""

    def drawn(z: Tensor, t: Tensor) -> Tensor:
        return -z.log_softmax(1).gather(1, t[:, None]).mean() * (1 + 0.01 * torch.rand(()))

    loss_fn = nn.CrossEntropyLoss() if given else drawn
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, rate) if given else torch.optim.SGD(weights, rate)
    data = {"loss_fn": loss_fn, "train": (x, y), **more} if given else {}
    watch = dressage.watch(model, optimizer, seconds=8, **data)  # type: ignore[arg-type]
    g = torch.Generator().manual_seed(0)
    for _ in range(260):
        rows = torch.randint(0, len(x), (32,), generator=g)
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    return watch


def clusters(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 5, (rows,), generator=g)
    return torch.randn(rows, 8, generator=g) + 3 * torch.eye(8)[y], y


@pytest.mark.parametrize("same", [True, False])
def test_classes_that_have_other_numbers_in_validation(same: bool) -> None:
    torch.manual_seed(0)
    (x, y), (xv, yv) = clusters(600, 1), clusters(300, 2)
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 5))
    found = trained(net, x, y, val=(xv, yv if same else torch.tensor([3, 1, 4, 0, 2])[yv])).diagnose()
    assert harmful(found) == ["data.shuffled_labels"] * (not same)
    assert same or "0 for 3, 2 for 4, 3 for 0, 4 for 2" in found[0].evidence


@pytest.mark.parametrize("squash", [nn.Sigmoid, nn.Tanh])
def test_first_layers_that_stand_still_where_nothing_but_the_network_is_known(squash: type[nn.Module]) -> None:
    torch.manual_seed(0)
    layers = [part for _ in range(8) for part in (nn.Linear(8, 8), squash())]
    last = nn.Linear(8, 5)
    with torch.no_grad():
        last.weight.mul_(0.2)
        last.bias.zero_()
    found = trained(nn.Sequential(*layers, last), *clusters(600, 1), given=False, rate=0.05).diagnose()
    assert harmful(found) == ["optim.vanishing_gradients"] * (squash is nn.Sigmoid)


def test_a_backbone_that_is_kept_has_no_vanishing_gradients() -> None:
    torch.manual_seed(0)
    x, y = clusters(600, 1)
    body = nn.Sequential(*(part for _ in range(4) for part in (nn.Linear(8, 8), nn.ReLU())))
    net = nn.Sequential(body, nn.Linear(8, 5))
    for p in body.parameters():
        p.requires_grad = False
    assert harmful(trained(net, x, y).diagnose()) == []


def test_one_error_is_noted_once() -> None:
    error = "TypeError: forward() missing 1 required positional argument: 'b'"
    notes = ["no val", f"heads: could not be checked: {error}", f"one examination failed ({error})", "ValueError: x"]
    assert said_once(notes) == ["no val", f"what runs a copy of the network or its loss ({error})", "ValueError: x"]


class Views(nn.Module):
    """Each row's one view finds its other among those of the batch."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return F.cross_entropy(F.normalize(a) @ F.normalize(b).T / 0.2, torch.arange(len(a)))


def test_what_a_second_pass_gives_is_no_target() -> None:
    torch.manual_seed(0)
    (x, _), model, cost = clusters(400, 1), nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)), Views()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    watch = dressage.watch(model, optimizer, cost, seconds=8)
    for _ in range(150):
        rows = torch.randint(0, len(x), (50,))
        loss = cost(model(x[rows] + 0.3 * torch.randn(50, 8)), model(x[rows] + 0.3 * torch.randn(50, 8)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert harmful(watch.diagnose()) == []
    assert watch.case.subject.train is None


class Two(nn.Module):
    """A network of two inputs, which no copy of can be run on one."""

    def __init__(self, outputs: int, *, shares: bool = False) -> None:
        super().__init__()
        self.body, self.shares = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, outputs)), shares

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        z = self.body(torch.cat([a, b], 1))
        return z.softmax(1) if self.shares else z  # type: ignore[no-any-return]


def in_two_parts(net: Two, cost: nn.Module, x: Tensor, y: Tensor) -> list[str]:
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    watch = dressage.watch(net, optimizer, cost, seconds=5)
    for _ in range(150):
        rows = torch.randint(0, len(x), (32,))
        optimizer.zero_grad()
        loss = cost(net(x[rows, :4], x[rows, 4:]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    return harmful(watch.diagnose())


@pytest.mark.parametrize("wrong", [True, False])
def test_what_the_loss_is_given_speaks_for_a_network_of_two_inputs(wrong: bool) -> None:
    torch.manual_seed(0)
    x, y = clusters(600, 1)
    assert in_two_parts(Two(5, shares=wrong), nn.CrossEntropyLoss(), x, y) == ["loss.double_softmax"] * wrong
    prices = x[:, :1] + (5000.0 if wrong else 0.0)
    assert in_two_parts(Two(1), nn.MSELoss(), x, prices) == ["data.target_unscaled"] * wrong


def test_passes_of_copies_are_no_validation() -> None:
    """Another network is validated (an average of the weights), at a step after which copies are judged: not told as its passes."""
    torch.manual_seed(0)
    x = torch.randn(300, 4)
    y = (x[:, 0] > 0).long()
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
    average = torch.optim.swa_utils.AveragedModel(net)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    watch = dressage.watch(net, optimizer, nn.CrossEntropyLoss(), train=(x, y), val=(x[:100], y[:100]))
    for step in range(300):
        rows = torch.randint(300, (20,))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        average.update_parameters(net)
        watch.step(loss)
        if step % 10 == 9:
            average.eval()
            with torch.no_grad():
                watch.validated(loss=nn.functional.cross_entropy(average(x[:100]), y[:100]))
    assert "eval.train_mode_at_eval" not in [f.id for f in watch.diagnose() if f.is_harmful]
    assert all(v.training is None for v in watch.telemetry.validations)


def test_a_copy_made_while_hooks_stand_is_not_taken_for_the_network() -> None:
    """An average of the weights that is copied from the watched network right away carries the hooks of the first step."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    watch = dressage.watch(net, torch.optim.SGD(net.parameters(), 0.1), nn.CrossEntropyLoss())
    probe = watch._probe
    assert probe is not None
    copy.deepcopy(net)(torch.randn(7, 4))
    assert probe.forward_at is None and not probe.layers and not probe.outputs
    net(torch.randn(5, 4))
    assert probe.batch == 5 and probe.layers and probe.outputs

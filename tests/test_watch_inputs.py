"""Networks that take several inputs, or give their loss themselves: copies are run on the rows of probed batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import dressage
from dressage.subject.inputs import inputs_of, unfold_of

ROWS, STEPS = 1200, 300


def table() -> tuple[Tensor, Tensor, Tensor]:
    """Six numbers and a kind a row, and which side of a law the row is on."""
    draw = torch.Generator().manual_seed(1)
    numbers, kind = torch.randn(ROWS, 6, generator=draw), torch.randint(0, 5, (ROWS,), generator=draw)
    return numbers, kind, ((numbers[:, 0] * numbers[:, 1] + (kind > 2) * 1.5 - 0.7 + numbers[:, 2]) > 0).long()


class Mixed(nn.Module):
    """Numbers and a kind, in the form that it is asked for; with `y` it gives its loss."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.kinds = nn.Embedding(5, 4)
        self.body = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, *args: Any, y: Tensor | None = None, **kwargs: Any) -> Any:
        if self.form == "mapping":
            numbers, kind = args[0]["numbers"], args[0]["kind"]
        elif self.form == "tuple":
            numbers, kind = args[0]
        else:
            numbers, kind = args[0], kwargs["kind"]
        outputs = self.body(torch.cat([numbers, self.kinds(kind)], 1))
        return outputs if y is None else {"loss": nn.functional.cross_entropy(outputs, y), "outputs": outputs}

    def call(self, numbers: Tensor, kind: Tensor, **more: Any) -> Any:
        """Itself, as a loop would call it."""
        if self.form == "mapping":
            return self({"numbers": numbers, "kind": kind}, **more)
        return self((numbers, kind), **more) if self.form == "tuple" else self(numbers, kind=kind, **more)


def trained(form: str, rate: float, *, own: bool = False, watched: bool = True) -> tuple[Mixed, Any]:
    torch.manual_seed(0)
    numbers, kind, y = table()
    net, loss_fn = Mixed(form), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    watch = dressage.watch(net, optimizer, None if own else loss_fn, seconds=6) if watched else None
    for _ in range(STEPS):
        rows = torch.randint(0, ROWS, (32,))
        given = {"y": y[rows]} if own else {}
        found = net.call(numbers[rows], kind[rows], **given)
        loss = found["loss"] if own else loss_fn(found, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch.step(loss)
    if watch is not None:
        watch.diagnose()
    return net, watch


def harm(watch: Any) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful and not f.is_symptom]


@pytest.mark.parametrize(
    ("form", "rate", "own", "cause"),
    [
        ("mapping", 1e-7, False, "optim.lr_too_low"),
        ("tuple", 3.0, False, "optim.lr_too_high"),
        ("keyword", 1e-7, False, "optim.lr_too_low"),
        ("keyword", 1e-7, True, "optim.lr_too_low"),
        ("mapping", 3.0, True, "optim.lr_too_high"),
    ],
)
def test_rate_is_named_whatever_the_form_of_the_inputs(form: str, rate: float, own: bool, cause: str) -> None:
    net, watch = trained(form, rate, own=own)
    alone, _ = trained(form, rate, own=own, watched=False)
    assert cause in harm(watch), str(watch)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), alone.state_dict().values(), strict=True))
    assert not net._forward_pre_hooks and not net._forward_hooks


@pytest.mark.parametrize(("form", "own"), [("mapping", False), ("keyword", True)])
def test_healthy_twin_is_left_alone(form: str, own: bool) -> None:
    net, watch = trained(form, 1e-2, own=own)
    alone, _ = trained(form, 1e-2, own=own, watched=False)
    assert harm(watch) == [], str(watch)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), alone.state_dict().values(), strict=True))


class Reader(nn.Module):
    """Takes a packed sequence, or padded rows and their lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(3, 16, batch_first=True), nn.Linear(16, 2)

    def forward(self, x: Tensor | PackedSequence, lengths: Tensor | None = None) -> Tensor:
        if isinstance(x, Tensor):
            assert lengths is not None
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out: Tensor = self.head(self.rnn(x)[1][-1])
        return out


@pytest.mark.parametrize(("packed", "rate", "cause"), [(True, 1e-7, ["optim.lr_too_low"]), (False, 1e-2, [])])
def test_sequences_with_lengths(packed: bool, rate: float, cause: list[str]) -> None:
    torch.manual_seed(0)
    net, loss_fn = Reader(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    watch = dressage.watch(net, optimizer, loss_fn, seconds=6)
    for _ in range(200):
        lengths = torch.randint(2, 7, (32,))
        x = torch.randn(32, int(lengths.max()), 3)  # its width differs from batch to batch
        x = x * (torch.arange(x.shape[1])[None, :, None] < lengths[:, None, None])
        y = (x[:, 0, 0] > 0).long()
        given = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False) if packed else x
        loss = loss_fn(net(given) if packed else net(given, lengths), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert harm(watch) == cause, str(watch)


class Predictor(nn.Module):
    """Takes its targets as a second input that may be missing, and gives its outputs with their loss, or none."""

    def __init__(self) -> None:
        super().__init__()
        self.names, self.head = nn.Embedding(7, 16), nn.Linear(16, 7)

    def forward(self, ids: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        outputs = self.head(self.names(ids))
        if targets is None:
            return outputs, None
        return outputs, nn.functional.cross_entropy(outputs.view(-1, 7), targets.view(-1))


@pytest.mark.parametrize(("rate", "cause"), [(1e-7, ["optim.lr_too_low"]), (1e-2, [])])
def test_network_that_gives_its_loss_second_and_asks_for_whole_memory(rate: float, cause: list[str]) -> None:
    torch.manual_seed(0)
    net = Predictor()
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    watch = dressage.watch(net, optimizer, seconds=6)
    for _ in range(200):
        ids = torch.randint(0, 7, (16, 5))
        loss = net(ids, (3 * ids + 1) % 7)[1]
        assert loss is not None
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert harm(watch) == cause, str(watch)


def test_inputs_come_back_as_they_were() -> None:
    torch.manual_seed(0)
    mask, seen = torch.ones(4, 4).triu(), []
    for _ in range(2):
        packed = pack_padded_sequence(torch.randn(4, 3, 2), torch.tensor([2, 3, 1, 3]), True, enforce_sorted=False)
        tree = ({"ids": torch.randint(0, 9, (4, 5)), "is": [torch.rand(4) > 0.5, "mean"]}, packed)
        seen.append((tree, {"mask": mask, "flag": True}))
    batches = [inputs_of(args, kwargs) for args, kwargs in seen]
    unfold = unfold_of(batches, [4, 4])
    assert unfold is not None
    (given, packed), kwargs = unfold(nn.Identity(), (unfold.fold(batches[1].tensors),), {})
    (expected, own), _ = seen[1]
    assert torch.equal(given["ids"], expected["ids"]) and given["ids"].dtype == torch.int64
    assert torch.equal(given["is"][0], expected["is"][0]) and given["is"][1] == "mean"
    assert all(torch.equal(a, b) for a, b in zip(packed, own, strict=True))
    assert torch.equal(kwargs["mask"], mask) and kwargs["flag"] is True


class Sums(nn.Module):
    """Answers each row with what the whole batch says."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(2, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        out: Tensor = self.line(torch.stack([a - a.mean(), b / b.sum()], 1))
        return out


def test_rows_that_are_not_answered_alone_are_a_note() -> None:
    net, loss_fn = Sums(), nn.MSELoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    watch = dressage.watch(net, optimizer, loss_fn, seconds=6)
    for _ in range(60):
        a, b = torch.randn(32), torch.rand(32)
        loss = loss_fn(net(a, b), a[:, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert any("depends on the other rows of the batch" in note for note in watch.notes)


@pytest.mark.parametrize("size", [2, 3])
def test_rows_of_tiny_batches_are_gathered_until_a_copy_can_be_run(size: int) -> None:
    torch.manual_seed(0)
    numbers, kind, y = table()
    net = Mixed("tuple")
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    watch = dressage.watch(net, optimizer, nn.functional.cross_entropy, seconds=2)
    for _ in range(60):
        rows = torch.randint(0, ROWS, (size,))
        loss = nn.functional.cross_entropy(net.call(numbers[rows], kind[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert not any("no longer" in note or "cannot be run" in note for note in watch.notes)
    assert watch.case.subject.train is not None and 30 <= len(watch.case.subject.train) <= 60
    assert len(watch.telemetry.probes) < 40

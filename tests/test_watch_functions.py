"""Losses that are plain functions, or not given at all: seen as they are called, so that copies can be trained with them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

import dressage
from dressage.subject import Lab
from dressage.subject.inputs import Unfold, inputs_of, unfold_of
from dressage.subject.outputs import Pick, tensors_in
from dressage.watch.asked import asked
from dressage.watch.calls import Call, LossCalls, as_module
from dressage.watch.gathered import Gathered
from dressage.watch.labels import without_labels
from dressage.watch.weighted import is_weighted

Z, Y = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 3


class Cost:
    """A loss that is an object, and one that is a method of it."""

    def __call__(self, z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y)

    def method(self, z: Tensor, y: Tensor, *, sharpness: float = 1.0) -> Tensor:
        return F.cross_entropy(sharpness * z, y)


def whatever(*given: Tensor) -> Tensor:
    return F.cross_entropy(*given)


@pytest.mark.parametrize(
    "loss_fn",
    [
        F.cross_entropy,
        lambda z, y: F.cross_entropy(z, y),
        functools.partial(F.cross_entropy, label_smoothing=0.1),
        Cost(),
        Cost().method,
        whatever,
    ],
)
def test_a_function_is_seen_as_it_is_called(loss_fn: Callable[[Tensor, Tensor], Tensor]) -> None:
    z = Z.clone().requires_grad_()
    calls = LossCalls(loss_fn)
    calls.begin()
    told = loss_fn(z, Y).detach()
    calls.end()
    assert sys.getprofile() is None
    found = asked(calls.calls, float(told), loss_fn)
    assert found is not None and found.loss is not None
    assert torch.equal(found.outputs, Z) and torch.equal(found.targets, Y) and not found.outputs.requires_grad
    assert float(found.loss(Z, Y)) == pytest.approx(float(told), rel=1e-6)


def test_a_profiler_of_the_users_stays() -> None:
    own = lambda frame, event, given: None  # noqa: E731
    sys.setprofile(own)
    try:
        calls = LossCalls(None)
        calls.begin()
        F.mse_loss(Z.clone().requires_grad_(), Z)
        calls.end()
        assert sys.getprofile() is own and not calls.calls
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(("times", "is_seen"), [(1.0, True), (-1.0, True), (0.25, True), (3.0, True), (0.7, False)])
def test_one_of_torchs_is_the_loss_where_it_gave_a_multiple_of_what_was_told(times: float, is_seen: bool) -> None:
    told = F.cross_entropy(Z, Y)
    found = asked([Call(F.cross_entropy, (Z, Y), {"reduction": "mean"}, [told])], times * float(told), None)
    assert (found is not None) == is_seen
    if found is not None and found.loss is not None:
        other = torch.zeros_like(Z)
        assert float(found.loss(other, Y)) == pytest.approx(times * np.log(3), rel=1e-6)


def test_what_belongs_to_the_rows_of_one_batch_is_not_bound() -> None:
    def masked(z: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        return (mask * F.cross_entropy(z, y, reduction="none")).mean()

    found = asked([Call(masked, (Z, Y), {"mask": torch.ones(20)}, [masked(Z, Y, torch.ones(20))])], 1.0, masked)
    assert found is not None and found.loss is None
    of_classes = asked([Call(masked, (Z, Y), {"mask": torch.ones(3)}, [torch.tensor(1.0)])], 1.0, masked)
    assert of_classes is not None and of_classes.loss is not None


def test_a_function_of_torch_is_its_module() -> None:
    module = as_module(functools.partial(F.cross_entropy, ignore_index=2, label_smoothing=0.1))
    assert isinstance(module, nn.CrossEntropyLoss) and module.ignore_index == 2
    assert torch.equal(module(Z, Y), F.cross_entropy(Z, Y, ignore_index=2, label_smoothing=0.1))
    assert as_module(whatever) is whatever


def test_outputs_have_places() -> None:
    record = SimpleNamespace(loss=None, logits=Z, more=({"a": Y},))
    assert [place for place, _ in tensors_in(record)] == [("logits",), ("more", 0, "a")]
    picked = Pick(("more", 0, "a"), lambda t: t[:2])(nn.Identity(), (), record)
    assert picked is not None and torch.equal(picked, Y[:2])
    record.more = record  # holds itself
    assert tensors_in(record)[0][0] == ("logits",)


@pytest.mark.parametrize("kinds", [1, 2])
def test_rows_of_one_target_are_not_what_is_learned(kinds: int) -> None:
    gathered = Gathered()
    gathered.add(torch.randn(60, 2), torch.arange(60) % kinds)
    assert (gathered.rows() is None) == (kinds == 1)


class Told(nn.Module):
    """Names after names; it is given its labels too."""

    def __init__(self, listens: bool) -> None:
        super().__init__()
        self.names, self.head, self.listens = nn.Embedding(7, 16), nn.Linear(16, 7), listens

    def forward(self, ids: Tensor, labels: Tensor) -> Tensor:
        known = self.names(ids) + (self.names(labels) if self.listens else 0)
        out: Tensor = self.head(known)
        return out


@pytest.mark.parametrize("listens", [True, False])
def test_labels_among_the_inputs_are_no_columns_unless_outputs_depend_on_them(listens: bool) -> None:
    torch.manual_seed(0)
    ids = [torch.randint(0, 7, (16, 5)) for _ in range(2)]
    batches = [(inputs_of((i, i.clone()), {}), i) for i in ids]
    unfold = unfold_of([b for b, _ in batches], [16, 16])
    assert isinstance(unfold, Unfold)
    found = without_labels(Told(listens), unfold, batches)
    assert [p.is_blank for p in found.parts] == [False, not listens]
    assert found.width == (10 if listens else 5)


def weighed(z: Tensor, y: Tensor) -> Tensor:
    return (torch.tensor([1.0, 8.0, 2.0])[y] * F.cross_entropy(z, y, reduction="none")).mean()


@pytest.mark.parametrize(("loss_fn", "expected"), [(weighed, True), (F.cross_entropy, False)])
def test_weights_that_a_function_holds_are_seen(loss_fn: Any, expected: bool) -> None:
    net = nn.Linear(4, 3)
    lab = Lab(net, torch.optim.SGD(net.parameters(), 0.1), loss_fn, torch.randn(20, 4), Y, 16)
    case: Any = SimpleNamespace(kind=loss_fn, subject=SimpleNamespace(task="classification"))
    assert is_weighted(case, lab) == expected


class Towers(nn.Module):
    """What a user and a thing have in common."""

    def __init__(self) -> None:
        super().__init__()
        self.user, self.thing, self.head = nn.Linear(5, 32), nn.Linear(5, 32), nn.Linear(32, 1)

    def forward(self, user: Tensor, thing: Tensor) -> dict[str, Tensor]:
        both = torch.tanh(self.user(user)) * torch.tanh(self.thing(thing))
        return {"common": both, "score": self.head(both)}


def towers(broadcast: bool, watched: bool = True) -> tuple[nn.Module, Any]:
    x, y = (torch.from_numpy(a).float() for a in load_diabetes(return_X_y=True))
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    torch.manual_seed(0)
    net = Towers()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    watch = dressage.watch(net, optimizer, seconds=4) if watched else None
    for step in range(200):
        rows = torch.arange(32 * step, 32 * step + 32) % len(x)
        z = net(x[rows, :5], x[rows, 5:])["score"]
        loss = F.mse_loss(z if broadcast else z.squeeze(1), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if watch is not None:
            watch.step(loss)
    return net, watch


def harm(watch: Any) -> list[str]:
    return [f.id for f in watch.diagnose() if f.is_harmful and not f.is_symptom]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("broadcast", [True, False])
def test_two_inputs_two_outputs_and_a_loss_that_nobody_gave(broadcast: bool) -> None:
    net, watch = towers(broadcast)
    assert harm(watch) == ["loss.shape_broadcast"] * broadcast, str(watch)
    assert any("it stands MSELoss" in note for note in watch.notes)
    alone, _ = towers(broadcast, watched=False)
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), alone.state_dict().values(), strict=True))
    assert not net._forward_hooks and not net._forward_pre_hooks and sys.getprofile() is None


class Next(nn.Module):
    """Gives its loss itself, of the names that come next, as networks of transformers do."""

    def __init__(self, soft: bool, sign: int) -> None:
        super().__init__()
        self.sign = sign
        self.names, self.rnn, self.head, self.soft = (
            nn.Embedding(9, 24),
            nn.GRU(24, 24, batch_first=True),
            nn.Linear(24, 9),
            soft,
        )

    def forward(self, ids: Tensor, labels: Tensor) -> SimpleNamespace:
        z = self.head(self.rnn(self.names(ids))[0])
        z = z.softmax(-1) if self.soft else z
        loss = self.sign * F.cross_entropy(z[:, :-1].reshape(-1, 9), labels[:, 1:].reshape(-1))
        return SimpleNamespace(loss=loss, logits=z)


@pytest.mark.parametrize(
    ("soft", "sign", "named"), [(True, 1, ["loss.double_softmax"]), (False, 1, []), (False, -1, ["loss.wrong_sign"])]
)
def test_a_network_that_gives_its_loss_is_judged_by_its_logits_and_labels(
    soft: bool, sign: int, named: list[str]
) -> None:
    torch.manual_seed(0)
    net, following = Next(soft, sign), torch.randperm(9)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    watch = dressage.watch(net, optimizer, seconds=4)
    for _ in range(150):
        ids = [torch.randint(0, 9, (24, 1))]
        while len(ids) < 6:
            ids.append(following[ids[-1]])
        given = torch.cat(ids, 1)
        loss = net(ids=given, labels=given.clone()).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert harm(watch) == named, str(watch)
    with watch.case.standing():
        assert (watch.case.now()[1] > 0.5) == (sign == 1)


@pytest.mark.parametrize(("rate", "steps"), [(1e-8, 120), pytest.param(3e-3, 360, marks=pytest.mark.slow)])
def test_a_loss_that_is_written_out_is_guessed_from_the_rows(rate: float, steps: int) -> None:
    """(After 120 steps at the good rate the network is still 9 points behind the nearest neighbours, and told so.)"""
    x, y = load_digits(return_X_y=True)
    x, y = torch.from_numpy(x).float() / 16, torch.from_numpy(y)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 32), nn.ELU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(net.parameters(), rate)
    watch = dressage.watch(net, optimizer, train=(x, y), seconds=4)
    for step in range(steps):
        rows = torch.arange(48 * step, 48 * step + 48) % len(x)
        loss = -net(x[rows]).log_softmax(1)[torch.arange(48), y[rows]].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert harm(watch) == ["optim.lr_too_low"] * (rate < 1e-6), str(watch)


def test_what_cannot_be_seen_is_said() -> None:
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    watch = dressage.watch(net, optimizer)
    for _ in range(12):
        loss = net(torch.randn(32, 3)).square().mean() * torch.rand(())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert any("none of torch's own was seen to give what step was told" in note for note in watch.notes)

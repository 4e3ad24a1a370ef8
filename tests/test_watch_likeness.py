"""Losses of outputs beside one another, as of pairs and triplets: the wrong way round they push apart what is alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage

ROWS, BATCH, CLASSES = 600, 48, 6
Way = Callable[[nn.Module, "Groups", float], Tensor]


class Groups:
    """Rows around one of six middles, twelve numbers each."""

    def __init__(self) -> None:
        draw = torch.Generator().manual_seed(0)
        self.y = torch.randint(CLASSES, (ROWS,), generator=draw)
        self.x = 2 * torch.randn(CLASSES, 12, generator=draw)[self.y] + torch.randn(ROWS, 12, generator=draw)
        self.members = [torch.nonzero(self.y == k).flatten() for k in range(CLASSES)]

    def some(self, k: Tensor) -> Tensor:
        return torch.stack([self.x[m[torch.randint(len(m), (1,))]][0] for m in (self.members[int(c)] for c in k)])

    def triplets(self) -> list[Tensor]:
        k = torch.randint(CLASSES, (BATCH,))
        other = (k + torch.randint(1, CLASSES, (BATCH,))) % CLASSES
        return [self.some(k), self.some(k), self.some(other)]


def margin(a: Tensor, p: Tensor, n: Tensor, sign: float) -> Tensor:
    near, far = (a - p).square().sum(1), (a - n).square().sum(1)
    return F.relu(sign * (near - far) + 0.5).mean()


def three_passes(net: nn.Module, data: Groups, sign: float) -> Tensor:
    a, p, n = data.triplets()
    return margin(net(a), net(p), net(n), sign)


def one_pass(net: nn.Module, data: Groups, sign: float) -> Tensor:
    a, p, n = net(torch.cat(data.triplets())).chunk(3)
    return margin(a, p, n, sign)


def by_torch(net: nn.Module, data: Groups, sign: float) -> Tensor:
    a, p, n = data.triplets()
    near, far = (p, n) if sign > 0 else (n, p)
    return F.triplet_margin_loss(net(a), net(near), net(far), margin=1.0)


def pairs(net: nn.Module, data: Groups, sign: float) -> Tensor:
    rows = torch.randperm(ROWS)[: 2 * BATCH]
    a, b = rows.chunk(2)
    one, other = net(data.x[a]), net(data.x[b])
    same = (data.y[a] == data.y[b]) if sign > 0 else (data.y[a] != data.y[b])
    apart = (one - other).square().sum(1)
    return torch.where(same, apart, F.relu(1 - (apart + 1e-9).sqrt()).square()).mean()


def views(net: nn.Module, data: Groups, sign: float) -> Tensor:
    """Two noisy views of each row have to find one another."""
    x = data.x[torch.randperm(ROWS)[:BATCH]]
    one, other = (F.normalize(net(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
    return F.cross_entropy(sign * one @ other.T / 0.3, torch.arange(BATCH))


def unlike_pairs(net: nn.Module, data: Groups, sign: float) -> Tensor:
    """What belongs together looks no more alike than anything else."""
    rows = torch.randperm(ROWS)[:BATCH]
    one, other = (F.normalize(net(x), dim=1) for x in (data.x[rows], data.x[rows] @ TURN))
    return F.cross_entropy(one @ other.T / 0.3, torch.arange(BATCH))


def classes(net: nn.Module, data: Groups, sign: float) -> Tensor:
    rows = torch.randperm(ROWS)[:BATCH]
    z = net(data.x[rows])
    return -sign * F.log_softmax(z, 1)[torch.arange(BATCH), data.y[rows]].mean() + 20


TURN = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1)))[0]


def trained(way: Way, sign: float, *, steps: int = 150, watched: bool = True) -> tuple[Any, list[Tensor], list[float]]:
    torch.manual_seed(0)
    data, net = Groups(), nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    watch, losses = dressage.watch(net, optimizer, seconds=5) if watched else None, list[float]()
    for _ in range(steps):
        loss = way(net, data, sign)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(float(loss.detach()))
        if watch is not None:
            watch.step(loss)
    if watch is not None:
        watch.diagnose()
    return watch, [p.detach().clone() for p in net.parameters()], losses


ALL = [three_passes, one_pass, by_torch, pairs, views]


@pytest.mark.parametrize("way", ALL)
def test_the_wrong_way_round_is_named(way: Way) -> None:
    watch, _, _ = trained(way, -1.0)
    assert watch.findings[0].id == "loss.wrong_sign", str(watch)
    numbers = watch.findings[0].numbers
    assert numbers["placed"] > numbers["torn"] + 5 * numbers["error"]


@pytest.mark.parametrize("way", [*ALL, unlike_pairs, classes])
def test_the_right_way_round_is_left_alone(way: Way) -> None:
    watch, _, _ = trained(way, 1.0)
    assert not {f.id for f in watch.findings if f.is_harmful} & {"loss.wrong_sign", "data.shuffled_labels"}, str(watch)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_by_a_coin_are_no_fault_of_the_loss(seed: int) -> None:
    """What belongs together is neither alike nor unlike, and nothing is learned: who is paired with whom says nothing."""
    coins = iter(torch.rand(120, BATCH, generator=torch.Generator().manual_seed(seed)) < 0.5)

    def by_chance(net: nn.Module, data: Groups, sign: float) -> Tensor:
        one, other = (net(data.x[torch.randperm(ROWS)[:BATCH]]) for _ in range(2))
        apart = (one - other).square().sum(1)
        return torch.where(next(coins), apart, F.relu(1 - (apart + 1e-9).sqrt()).square()).mean()

    watch, _, _ = trained(by_chance, 1.0, steps=120)
    assert len(watch.case.own.likeness.looks) >= 5
    assert [f.id for f in watch.findings if f.is_harmful] == ["data.shuffled_labels"], str(watch)


def test_a_pass_beside_that_of_the_loss_is_not_taken_for_it() -> None:
    def looked_at(net: nn.Module, data: Groups, sign: float) -> Tensor:
        cost = classes(net, data, sign)
        net(data.x[:BATCH])
        return cost

    watch, _, _ = trained(looked_at, 1.0, steps=40)
    assert watch.case.own.last is not None and watch.case.own.loss is None
    watch, _, _ = trained(classes, 1.0, steps=40)
    assert watch.case.own.loss is not None


def test_a_loss_of_classes_is_none_of_distances() -> None:
    watch, _, _ = trained(classes, 1.0, steps=40)
    assert not watch.case.own.likeness.is_of_places and not watch.case.own.likeness.looks


@pytest.mark.parametrize("way", ALL)
def test_the_weights_are_those_of_the_training_alone(way: Way) -> None:
    _, alone, told = trained(way, 1.0, steps=40, watched=False)
    watch, seen, losses = trained(way, 1.0, steps=40)
    assert told == losses and all(torch.equal(a, b) for a, b in zip(alone, seen, strict=True))
    assert not any("watched no longer" in note for note in watch.notes)


class Sizes(nn.Module):
    """Takes rows of any width, by their means and spreads."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.last = nn.Linear(2, wide)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(torch.stack([x.mean(1), x.std(1)], 1))
        return out


@pytest.mark.parametrize(("wide", "columns"), [(8, 6), (2000, 12)], ids=["views of unlike sizes", "wide outputs"])
def test_what_cannot_be_turned_or_compared_does_not_end_the_watch(wide: int, columns: int) -> None:
    torch.manual_seed(0)
    data, net = Groups(), Sizes(wide)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    watch = dressage.watch(net, optimizer)
    for _ in range(20):
        rows = torch.randperm(ROWS)[:BATCH]
        loss = (net(data.x[rows]) - net(data.x[rows][:, :columns])).square().sum(1).add(1).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        watch.step(loss)
    assert not watch.case.own.likeness.looks and not any("watched no longer" in note for note in watch.notes)


def test_nothing_stands_while_the_network_is_run() -> None:
    seen = list[int]()

    def looked_at(net: nn.Module, data: Groups, sign: float) -> Tensor:
        handle = net.register_forward_pre_hook(lambda *_: seen.append(torch.overrides._len_torch_function_stack()))  # type: ignore[attr-defined]
        cost = three_passes(net, data, sign)
        handle.remove()
        return cost

    trained(looked_at, 1.0, steps=30)
    assert seen == [0] * 90


def test_a_pass_that_is_given_what_another_made_is_not_followed() -> None:
    def fed(net: nn.Module, data: Groups, sign: float) -> Tensor:
        z = net(data.x[:BATCH])
        return margin(net(torch.cat([z, z[:, :4]], 1)), z, -z, sign)

    watch, _, _ = trained(fed, 1.0, steps=30)
    assert not watch.case.own.likeness.looks and watch.case.own.last is None

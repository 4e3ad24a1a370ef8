"""Sound programs with nets that are not everyday ones."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.optim import SGD, Adagrad, Adam, AdamW
from torch.optim.lr_scheduler import LambdaLR

from .. import data as D
from ..case import healthy
from ..loops import Watch
from ..nets import accuracy, mlp, r2, score_of
from . import sets
from .costs import Reader, letters_loss, main
from .heads import steps_of
from .layers import dice, letter_gain
from .pairs import small_conv


@healthy("letters_by_a_transformer_with_warm_up")
def transformer(watch: Watch) -> float:
    """Warm-up, clipping, and a linear fall to nought at the last step."""
    d = sets.letters(rows=3000)
    net = Reader(False)
    opt = AdamW(net.parameters(), lr=6e-3, betas=(0.9, 0.98), weight_decay=0.05)
    total = 350
    schedule = LambdaLR(opt, lambda s: min((s + 1) / 30, (total - s) / (total - 30)))
    w = watch(net, opt, letters_loss, train=(d.x, d.y), val=(d.xv[:200], d.yv[:200]))
    for step in range(total):
        rows = torch.randint(len(d.x), (24,))
        loss = letters_loss(net(d.x[rows]), d.y[rows])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        schedule.step()
        w.step(loss)
        if step % 70 == 69:
            net.eval()
            with torch.no_grad():
                w.validated(loss=letters_loss(net(d.xv[:200]), d.yv[:200]).item())
            net.train()
    return score_of(net, d.xt, d.yt, letter_gain)


class Packed(nn.Module):
    """A two-way LSTM over rows of unlike length; 0 fills them up."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(400, 16, padding_idx=0)
        self.lstm = nn.LSTM(16, 16, batch_first=True, bidirectional=True)
        self.drop, self.out = nn.Dropout(0.3), nn.Linear(32, 6)

    def forward(self, ids: Tensor) -> Tensor:
        lengths = (ids > 0).sum(1)
        packed = pack_padded_sequence(self.table(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.out(self.drop(torch.cat([h[0], h[1]], 1)))


@healthy("notes_of_unlike_length")
def unlike_length(watch: Watch) -> float:
    d = sets.topics(1200, share=0.5)
    draw = torch.Generator().manual_seed(5)
    d = sets.over(d, lambda x: x * (torch.arange(24) < torch.randint(8, 25, (len(x), 1), generator=draw)))
    net = Packed()
    return main(watch, net, Adam(net.parameters(), lr=8e-3), nn.CrossEntropyLoss(), d, 12)


class Graph(nn.Module):
    """Two graph convolutions; the graph is a buffer, the input the numbers of nodes."""

    def __init__(self, links: Tensor) -> None:
        super().__init__()
        links = links + torch.eye(len(links))
        root = links.sum(1).rsqrt()
        self.register_buffer("links", root[:, None] * links * root)
        self.marks = nn.Parameter(0.3 * torch.randn(len(links), 16))
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, nodes: Tensor) -> Tensor:
        h = F.relu(self.links @ self.a(self.marks))
        return (self.links @ self.b(h))[nodes]


@healthy("guilds_in_a_web_of_friends")
def guilds(watch: Watch) -> float:
    """All nodes at once; thirty of 240 are labelled, so the training loss is soon far below the other."""
    draw = torch.Generator().manual_seed(6)
    guild = torch.arange(240) % 4
    near = torch.where(guild[:, None] == guild, 0.15, 0.02)
    links = (torch.rand(240, 240, generator=draw) < near).float().triu(1)
    links = links + links.T
    nodes = torch.randperm(240, generator=draw)
    train, val, test = nodes[:30], nodes[30:90], nodes[90:]
    net = Graph(links)
    opt = Adam(net.parameters(), lr=0.02, weight_decay=5e-3)
    w = watch(net, opt, F.cross_entropy, train=(train, guild[train]), val=(val, guild[val]), metric=accuracy)
    for step in range(120):
        opt.zero_grad()
        loss = F.cross_entropy(net(train), guild[train])
        loss.backward()
        opt.step()
        w.step(loss)
        if step % 10 == 9:
            with torch.no_grad():
                z = net(val)
            w.validated(loss=F.cross_entropy(z, guild[val]).item(), metric=accuracy(z, guild[val]))
    return score_of(net, test, guild[test])


class OfSets(nn.Module):
    """A function of a set: each point by itself, the largest of all, then a head."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.all = mlp(2, 48, 48), mlp(48, 48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.all(self.each(x).amax(1))


@healthy("width_of_a_swarm")
def swarm(watch: Watch) -> float:
    draw = torch.Generator().manual_seed(7)
    x = torch.randn(1200, 12, 2, generator=draw) * (0.3 + torch.rand(1200, 1, 1, generator=draw))
    y = x[:, :, 0].amax(1, keepdim=True) - x[:, :, 1].amin(1, keepdim=True)
    y = (y - y.mean()) / y.std()
    d = D.Split(x[:800], y[:800], x[800:1000], y[800:1000], x[1000:], y[1000:])
    net = OfSets()
    return main(watch, net, Adam(net.parameters(), lr=2e-3), nn.L1Loss(), d, 15, 32, r2)


class Waves(nn.Module):
    """Sines of random directions, then a small net: a picture as a function of its places."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ways", 3 * torch.randn(2, 48))
        self.body = mlp(96, 64, 64, 3)

    def forward(self, x: Tensor) -> Tensor:
        turned = 2 * math.pi * x @ self.ways
        return torch.sigmoid(self.body(torch.cat([turned.sin(), turned.cos()], 1)))


@healthy("photograph_as_a_function")
def photograph(watch: Watch) -> float:
    """The colours of a photograph at places that were not seen, behind a sigmoid, since colours end at 0 and 1."""
    from sklearn.datasets import load_sample_image

    picture = load_sample_image("flower.jpg")[::10, ::10] / 255.0
    down, right = np.mgrid[: picture.shape[0], : picture.shape[1]]
    places = np.stack([down.ravel() / picture.shape[0], right.ravel() / picture.shape[1]], 1)
    d = D.split(places - 0.5, picture.reshape(-1, 3))
    net = Waves()
    return steps_of(watch, net, Adam(net.parameters(), lr=3e-3), nn.MSELoss(), d, r2, 1000, 64)


@healthy("pendulum_by_its_own_law")
def pendulum(watch: Watch) -> float:
    """No data: the loss is how far the net is from u'' = −u with u(0) = 1, u'(0) = 0."""
    net = mlp(1, 32, 32, 1, act=nn.Tanh)
    opt = Adam(net.parameters(), lr=5e-3)
    w = watch(net, opt)
    zero = torch.zeros(1, 1, requires_grad=True)
    for _ in range(900):
        t = (3 * torch.rand(48, 1)).requires_grad_()
        u = net(t)
        (du,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (ddu,) = torch.autograd.grad(du.sum(), t, create_graph=True)
        start = net(zero)
        (slope,) = torch.autograd.grad(start.sum(), zero, create_graph=True)
        loss = (ddu + u).square().mean() + 5 * ((start - 1).square() + slope.square()).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    t = torch.linspace(0, 3, 100)[:, None]
    with torch.no_grad():
        return r2(net(t), torch.cos(t))


class Machine(nn.Module):
    """A factorisation machine of second order: parameters and einsum, and no layer of torch's."""

    def __init__(self, columns: int = 12, rank: int = 4) -> None:
        super().__init__()
        self.bias, self.w = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(columns))
        self.v = nn.Parameter(0.1 * torch.randn(columns, rank))

    def forward(self, x: Tensor) -> Tensor:
        crossed = torch.einsum("nc,cr->nr", x, self.v).square() - torch.einsum("nc,cr->nr", x**2, self.v**2)
        return self.bias + x @ self.w + 0.5 * crossed.sum(1)


@healthy("customers_by_a_factorisation_machine")
def machine(watch: Watch) -> float:
    d = sets.floats(sets.churn(1500, share=0.4, noise=0.3))
    net = Machine()
    opt = SGD(net.parameters(), lr=0.1)

    def right(z: Tensor, y: Tensor) -> float:
        return float(((z > 0) == (y > 0.5)).float().mean())

    return main(watch, net, opt, nn.BCEWithLogitsLoss(), d, 15, 32, right)


class Taste(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.u, self.i = nn.Embedding(90, 6), nn.Embedding(70, 6)
        for table in (self.u, self.i):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.u(pairs[:, 0]) * self.i(pairs[:, 1])).sum(1)


@healthy("tastes_with_adagrad")
def tastes(watch: Watch) -> float:
    """Adagrad at a rate of 0.3, which is small for it, and tables of which each step touches a few rows."""
    net = Taste()
    opt = Adagrad(net.parameters(), lr=0.3)
    return steps_of(watch, net, opt, nn.MSELoss(), sets.ratings(), r2, 800, 48)


@healthy("new_head_on_a_frozen_body")
def frozen(watch: Watch) -> float:
    """Trained on five kinds of clothes, frozen, and given a head for the other five."""
    d = D.scaled(D.images("fashion", 2400))
    old, new = ([(y < 5) == first for y in (d.y, d.yv, d.yt)] for first in (True, False))
    net = small_conv(5)
    first = Adam(net.parameters(), lr=2e-3)
    x, y = d.x[old[0]], d.y[old[0]]
    for _ in range(120):
        rows = torch.randint(len(x), (32,))
        first.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        first.step()
    for p in net.parameters():
        p.requires_grad_(False)
    net[-1] = nn.Linear(784, 5)
    d = D.Split(d.x[new[0]], d.y[new[0]] - 5, d.xv[new[1]], d.yv[new[1]] - 5, d.xt[new[2]], d.yt[new[2]] - 5)
    return main(watch, net, Adam(net[-1].parameters(), lr=1e-3), nn.CrossEntropyLoss(), d, 6)


class Hourglass(nn.Module):
    """Down, up, and a path across; norms over groups."""

    def __init__(self) -> None:
        super().__init__()
        self.top = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU())
        self.low = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.GroupNorm(4, 16), nn.ReLU())
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.out = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        top = self.top(x)
        return self.out(torch.cat([top, F.relu(self.up(self.low(top)))], 1))


@healthy("discs_by_an_hourglass_in_twos")
def hourglass(watch: Watch) -> float:
    """Two pictures a batch, under norms that do not mind."""
    net = Hourglass()
    d = sets.discs(400)
    return main(watch, net, Adam(net.parameters(), lr=2e-3), nn.BCEWithLogitsLoss(), d, 4, 2, dice)

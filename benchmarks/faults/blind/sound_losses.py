"""Sound programs with losses that are not everyday ones."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, RMSprop
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import healthy
from ..loops import Watch
from ..nets import accuracy, balanced, mlp, r2, score_of
from . import sets
from .costs import main
from .heads import steps_of
from .pairs import Notes, tone_net

LEVELS = torch.tensor([0.1, 0.5, 0.9])


def pinball(z: Tensor, y: Tensor) -> Tensor:
    """Mean of the quantiles' tilted absolute errors."""
    e = y - z
    return torch.maximum(LEVELS * e, (LEVELS - 1) * e).mean()


@healthy("three_quantiles_of_a_price")
def quantiles(watch: Watch) -> float:
    d = sets.column(D.standard(sets.houses(), targets=True))
    net = mlp(6, 48, 48, 3, act=nn.SiLU)
    opt = Adam(net.parameters(), lr=2e-3)
    return main(watch, net, opt, pinball, d, 25, score=lambda z, y: r2(z[:, 1:2], y))


class Mixture(nn.Module):
    """Shares, means and log sds of four normal laws."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(1, 40), nn.Tanh()), nn.Linear(40, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def mixture_loss(z: Tensor, y: Tensor) -> Tensor:
    share, mean, log_sd = z.chunk(3, 1)
    log_p = -0.5 * ((y - mean) / log_sd.exp()).square() - log_sd - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(share.log_softmax(1) + log_p, 1).mean()


@healthy("mixture_for_a_law_with_three_answers")
def mixture(watch: Watch) -> float:
    """The inverse of x = y + 0.3 sin(2πy); the loss goes below nought, as a density's may."""
    y = torch.rand(1500, 1)
    x = y + 0.3 * torch.sin(2 * math.pi * y) + 0.03 * torch.randn(1500, 1)
    x = (x - 0.5) / 0.35
    d = D.Split(x[:1000], y[:1000], x[1000:1200], y[1000:1200], x[1200:], y[1200:])
    net = Mixture()
    opt = Adam(net.parameters(), lr=5e-3)
    return main(watch, net, opt, mixture_loss, d, 40, score=lambda z, y: -float(mixture_loss(z, y)))


class Coupling(nn.Module):
    """Four affine couplings of two coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.nets = nn.ModuleList(mlp(1, 32, 2, act=nn.Tanh) for _ in range(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for i, net in enumerate(self.nets):
            a, b = x[:, i % 2 : i % 2 + 1], x[:, 1 - i % 2 : 2 - i % 2]
            s, t = net(a).chunk(2, 1)
            b = b * torch.exp(torch.tanh(s)) + t
            x = torch.cat([a, b] if i % 2 == 0 else [b, a], 1)
            total = total + torch.tanh(s)[:, 0]
        return x, total


@healthy("flow_over_two_moons")
def flow(watch: Watch) -> float:
    """A density without targets: the watch gets net and optimiser alone."""
    d = D.standard(D.moons(1200, 0.1))
    net = Coupling()
    opt = Adam(net.parameters(), lr=8e-3)
    w = watch(net, opt)

    def nll(x: Tensor) -> Tensor:
        z, log_det = net(x)
        return (0.5 * z.square().sum(1) + math.log(2 * math.pi) - log_det).mean()

    for _ in range(500):
        loss = nll(d.x[torch.randint(len(d.x), (64,))])
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    with torch.no_grad():
        return -nll(d.xt).item()


@healthy("counts_by_a_poisson_law")
def counts(watch: Watch) -> float:
    """Nine counts in ten are 0, 1 or 2."""
    d = D.standard(sets.songs())
    rates = [torch.exp(0.4 + 0.6 * t[:, 0] - 0.5 * t[:, 1] + 0.4 * t[:, 2] * t[:, 3]).clamp_max(20) for t in d[::2]]
    y = [torch.poisson(r) for r in rates]
    d = D.Split(d.x, y[0], d.xv, y[1], d.xt, y[2])
    net = nn.Sequential(mlp(12, 32, 1), nn.Flatten(0))
    opt = RMSprop(net.parameters(), lr=1e-3)
    return main(watch, net, opt, nn.PoissonNLLLoss(log_input=True), d, 30, score=lambda z, y: r2(z.exp(), y))


@healthy("which_of_two_customers_leaves_first")
def ranking(watch: Watch) -> float:
    """A score per row, trained on pairs; the loss is a hinge of differences."""
    d = D.standard(sets.songs())
    net = nn.Sequential(mlp(12, 32, 1), nn.Flatten(0))
    opt, crit = Adam(net.parameters(), lr=2e-3), nn.MarginRankingLoss(margin=0.5)
    w = watch(net, opt, train=(d.x, d.y))
    for _ in range(500):
        i, j = torch.randint(len(d.x), (2, 32))
        loss = crit(net(d.x[i]), net(d.x[j]), torch.sign(d.y[i] - d.y[j]))
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    with torch.no_grad():
        z = net(d.xt)
    return float(((z[:, None] > z) == (d.yt[:, None] > d.yt))[d.yt[:, None] != d.yt].float().mean())


@healthy("two_views_of_a_digit")
def two_views(watch: Watch) -> float:
    """InfoNCE over shifted and noisy copies; scored by the nearest training digit in the space that is learned."""
    d = D.digits()
    net = mlp(64, 96, 32)
    opt = AdamW(net.parameters(), lr=2e-3)
    w = watch(net, opt)
    for _ in range(350):
        x = d.x[torch.randperm(len(d.x))[:64]]
        views = [x + 0.15 * torch.randn_like(x), (x * (torch.rand_like(x) > 0.2))]
        a, b = (F.normalize(net(v), dim=1) for v in views)
        loss = F.cross_entropy(a @ b.T / 0.2, torch.arange(64))
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss.item())
    with torch.no_grad():
        known, asked = net(d.x), net(d.xt)
        near = (F.normalize(asked, dim=1) @ F.normalize(known, dim=1).T).argmax(1)
    return float((d.y[near] == d.yt).float().mean())


@healthy("small_net_taught_by_a_large_one")
def distilled(watch: Watch) -> float:
    """Soft labels at a temperature of 3 and hard ones, in equal parts."""
    d = D.scaled(D.images("mnist", 1500))
    teacher = nn.Sequential(nn.Flatten(), mlp(784, 128, 10))
    first = Adam(teacher.parameters(), lr=2e-3)
    for _ in range(150):
        rows = torch.randint(len(d.x), (64,))
        first.zero_grad()
        F.cross_entropy(teacher(d.x[rows]), d.y[rows]).backward()
        first.step()
    with torch.no_grad():
        soft = F.softmax(teacher(d.x) / 3, 1)
    student = nn.Sequential(nn.Flatten(), mlp(784, 16, 10))
    opt = Adam(student.parameters(), lr=3e-3)
    w = watch(student, opt, train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    for step in range(400):
        rows = torch.randint(len(d.x), (32,))
        z = student(d.x[rows])
        taught = F.kl_div(F.log_softmax(z / 3, 1), soft[rows], reduction="batchmean") * 9
        loss = 0.5 * taught + 0.5 * F.cross_entropy(z, d.y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
        if step % 50 == 49:
            with torch.no_grad():
                z = student(d.xv)
            w.validated(loss=F.cross_entropy(z, d.yv).item(), metric=accuracy(z, d.yv))
    return score_of(student, d.xt, d.yt)


@healthy("class_and_price_from_one_body")
def two_tasks(watch: Watch) -> float:
    """Two heads, two losses; the outputs are a pair."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.kind, self.price = mlp(5, 48, 48), nn.Linear(48, 2), nn.Linear(48, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = F.relu(self.body(x))
            return self.kind(h), self.price(h).squeeze(1)

    d = sets.coil()
    net = Both()
    opt = SGD(net.parameters(), lr=0.05, momentum=0.9)
    w = watch(net, opt, train=DataLoader(TensorDataset(d.x, d.y), 32, shuffle=True))
    for _ in range(25):
        for rows in torch.randperm(len(d.x)).split(32):
            kind, price = net(d.x[rows])
            loss = F.cross_entropy(kind, (d.x[rows, 1] * d.x[rows, 2] > 0).long()) + F.mse_loss(price, d.y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            w.step(loss)
    with torch.no_grad():
        return r2(net(d.xt)[1], d.yt)


@healthy("focal_loss_for_the_rare")
def focal(watch: Watch) -> float:
    """One in twelve leaves; the loss looks away from the easy rows, and the net finds them."""
    d = sets.floats(sets.churn(2400, share=0.08, noise=0.2))

    def rule(z: Tensor, y: Tensor) -> Tensor:
        ce = F.binary_cross_entropy_with_logits(z[:, 0], y, reduction="none")
        return (torch.where(y > 0.5, 0.9, 0.1) * (1 - torch.exp(-ce)).square() * ce).mean() * 10

    net = mlp(12, 48, 24, 1)
    return main(watch, net, Adam(net.parameters(), lr=4e-3), rule, d, 15, 48, lambda z, y: balanced(z, y.long()))


@healthy("triplets_and_classes_together")
def triplets(watch: Watch) -> float:
    d = sets.tones(noise=1.0)
    net = tone_net(16)
    head = nn.Linear(16, 6)
    both = nn.Sequential(net, head)
    opt = Adam(both.parameters(), lr=2e-3)
    w = watch(both, opt, train=(d.x, d.y), val=(d.xv, d.yv))
    of = [torch.nonzero(d.y == k)[:, 0] for k in range(6)]
    for _ in range(250):
        rows = torch.randint(len(d.x), (24,))
        same = torch.stack([of[k][torch.randint(len(of[k]), ())] for k in d.y[rows].tolist()])
        a, p, n = (net(d.x[i]) for i in (rows, same, torch.randint(len(d.x), (24,))))
        loss = F.cross_entropy(head(a), d.y[rows]) + 0.3 * F.triplet_margin_loss(a, p, n)
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    return score_of(both, d.xt, d.yt)


@healthy("bandit_that_finds_its_reward")
def bandit_found(watch: Watch) -> float:
    """The policy's gradient with a running mean as baseline; the loss wanders about nought while the reward rises."""
    d = sets.spectra()
    policy = mlp(60, 32, 4)
    opt = Adam(policy.parameters(), lr=3e-3)
    w = watch(policy, opt)
    base = 0.0
    for _ in range(700):
        rows = torch.randint(len(d.x), (32,))
        choice = torch.distributions.Categorical(logits=policy(d.x[rows]))
        arm = choice.sample()
        reward = (arm == d.y[rows]).float()
        loss = -(choice.log_prob(arm) * (reward - base)).mean() - 0.01 * choice.entropy().mean()
        base = 0.95 * base + 0.05 * reward.mean().item()
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
    return score_of(policy, d.xt, d.yt)


@healthy("labels_smoothed_for_many_topics")
def smoothed(watch: Watch) -> float:
    """Label smoothing keeps the loss high on purpose."""
    d = sets.topics(1500, kinds=10, share=0.5)
    net = Notes(kinds=10)
    opt = Adam(net.parameters(), lr=5e-3)
    return steps_of(watch, net, opt, nn.CrossEntropyLoss(label_smoothing=0.2), d, accuracy, 500)

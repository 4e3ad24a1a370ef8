"""Faults of programs by strangers: losses and networks of their own making, each told, and silent once it is mended."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_diabetes, load_digits
from torch import Tensor, nn

import dressage
from dressage.subject.task import task_of
from dressage.watch.changes import CHANGES
from dressage.watch.rules.twice import taken_twice
from dressage.watch.struggle import _is_believable
from dressage.watch.telemetry import LayerNumbers, Probe, Telemetry
from dressage.watch.tournament import Race, Run

Loss = Callable[[Tensor, Tensor], Tensor]


def digits() -> tuple[Tensor, Tensor]:
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))  # their writers come one after another
    return torch.from_numpy(x).float()[order] / 16, torch.from_numpy(y).long()[order]


def told(
    model: nn.Module, cost: Loss, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer | None = None, steps: int = 300
) -> list[str]:
    """The harmful findings of a loop on three quarters of the rows."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), 3e-3)
    known = len(x) * 3 // 4
    watch = dressage.watch(model, optimizer, cost, train=(x[:known], y[:known]), val=(x[known:], y[known:]))
    for step in range(steps):
        rows = torch.arange(32 * step, 32 * step + 32) % known
        optimizer.zero_grad()
        loss = cost(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss.detach())
    assert not [note for note in watch.notes if "failed" in note]
    return [f.id for f in watch.diagnose() if f.is_harmful]


class OnNeighbours(nn.Module):
    """Two layers, before each of which rows are mixed with their neighbours: in torch, or by way of NumPy."""

    def __init__(self, mixed: Tensor, *, cut: bool) -> None:
        super().__init__()
        self.mixed, self.cut = mixed, cut
        self.first, self.last = nn.Linear(64, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        for layer, act in ((self.first, torch.relu), (self.last, lambda z: z)):
            x = torch.from_numpy(self.mixed.numpy() @ x.detach().numpy()) if self.cut else self.mixed @ x
            x = act(layer(x))
        return x


@pytest.mark.parametrize(("cut", "trained"), [(True, False), (True, True), (False, False)])
def test_layers_whose_gradient_is_lost_on_the_way(cut: bool, trained: bool) -> None:
    x, y = (t[:400] for t in digits())
    near = (torch.cdist(x, x) < 2.0).float()
    torch.manual_seed(0)
    model = OnNeighbours(near / near.sum(1, keepdim=True), cut=cut)
    if trained:  # a body that was learned before does not look as it is drawn
        with torch.no_grad():
            model.first.weight.mul_(1.5).add_(0.1 * torch.randn_like(model.first.weight))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    watch = dressage.watch(model, optimizer, F.cross_entropy)
    for _ in range(100):
        loss = F.cross_entropy(model(x)[:100], y[:100])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    found = [(f.id, f.where) for f in watch.diagnose() if f.is_harmful]
    assert found == [("optim.frozen_params", "first")] * (cut and not trained)


def correlation(sign: int, z: Tensor, t: Tensor) -> Tensor:
    a, b = z.flatten() - z.mean(), t.flatten() - t.mean()
    return sign * (a * b).sum() / (a.norm() * b.norm() + 1e-8)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_correlation_that_is_made_small(sign: int) -> None:
    x, _ = digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 1))
    y = x[:, 32:].mean(1, keepdim=True)
    assert told(model, partial(correlation, sign), x[:, :32], y) == ["loss.wrong_sign"] * (sign == 1)


def hazards(h: Tensor, t: Tensor) -> Tensor:
    """Of twelve spans of time: survived those before, and what was seen in the last."""
    h, seen = h.clamp(1e-7, 1 - 1e-7), t[:, 1].float()
    last = h.gather(1, t[:, :1]).squeeze(1)
    before = (torch.arange(h.shape[1]) < t[:, :1]).float()
    return -(((1 - h).log() * before).sum(1) + seen * last.log() + (1 - seen) * (1 - last).log()).mean()


@pytest.mark.parametrize("raw", [True, False])
def test_raw_outputs_as_hazards(raw: bool) -> None:
    x, y = load_diabetes(return_X_y=True)
    x = torch.from_numpy(x).float() * len(x) ** 0.5
    spans = torch.bucketize(torch.from_numpy(400 - y).float(), torch.linspace(80, 360, 11))
    torch.manual_seed(0)
    seen = (torch.rand(len(x)) > 0.25).long()
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 12), *[nn.Sigmoid()] * (not raw))
    assert told(model, hazards, x, torch.stack([spans, seen], 1)) == ["loss.logits_as_probs"] * raw


@pytest.mark.parametrize("end", [nn.Sigmoid, nn.Softplus])
def test_counts_that_a_sigmoid_cannot_reach(end: type[nn.Module]) -> None:
    x, _ = digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 1), end())
    y = (x[:, 32:] > 0.5).sum(1, keepdim=True).float()
    found = told(model, nn.PoissonNLLLoss(log_input=False), x[:, :32], y, steps=1500)  # fewer are too few, and told so
    assert found == ["model.wrong_output_activation"] * (end is nn.Sigmoid)


class Ratings(nn.Module):
    """A product of what is known of a row and of a column."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.row, self.column = nn.Embedding(rows, 8), nn.Embedding(columns, 8)
        self.mean = nn.Parameter(torch.zeros(1))
        for table in (self.row, self.column):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.row(pairs[:, 0]) * self.column(pairs[:, 1])).sum(1) + self.mean


@pytest.mark.parametrize("rate", [3e-4, 0.2])
def test_steps_that_get_smaller_from_a_rate_that_was_small(rate: float) -> None:
    x, _ = digits()
    pairs = torch.cartesian_prod(torch.arange(200), torch.arange(64))
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))
    pairs, y = pairs[order], 5 * x[:200].flatten()[order]
    torch.manual_seed(0)
    model = Ratings(200, 64)
    found = told(model, nn.MSELoss(), pairs, y, torch.optim.Adagrad(model.parameters(), rate), steps=600)
    assert found == ["optim.lr_too_low"] * (rate < 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("act", [nn.Sigmoid, nn.ReLU])
def test_a_deep_autoencoder_that_gives_one_picture_for_all(act: type[nn.Module]) -> None:
    x, _ = digits()
    torch.manual_seed(0)
    sizes, layers = [64, 48, 40, 32, 24, 32, 40, 48, 64], list[nn.Module]()
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), act()]
    model = nn.Sequential(*layers[:-1], nn.Sigmoid())
    found = told(model, nn.MSELoss(), x, x, torch.optim.Adam(model.parameters(), 1e-3), steps=500)
    assert ("optim.vanishing_gradients" in found) == (act is nn.Sigmoid)


@pytest.mark.parametrize("scale", [255.0, 1.0])
def test_masks_that_were_read_as_bytes(scale: float) -> None:
    x, _ = digits()
    x = x.view(-1, 1, 8, 8)
    masks = (x > 0.4).float()
    torch.manual_seed(0)
    seen = 0.5 * x + 0.2 * torch.randn_like(x)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    found = told(model, nn.BCEWithLogitsLoss(), seen, scale * masks, steps=500)
    assert found == ["data.target_unscaled"] * (scale > 1)


class Letters(nn.Module):
    """The next of forty letters, by a recurrence of so many units."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.embed, self.rnn, self.line = (
            nn.Embedding(40, 16),
            nn.GRU(16, units, batch_first=True),
            nn.Linear(units, 40),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.line(self.rnn(self.embed(x))[0]).transpose(1, 2)


@pytest.mark.slow
@pytest.mark.parametrize("units", [2, 48])
def test_two_units_that_have_to_tell_forty_letters(units: int) -> None:
    draw = torch.Generator().manual_seed(0)
    after = torch.randint(0, 40, (40, 2), generator=draw)  # a letter is followed by one of two
    rows = [torch.randint(0, 40, (800,), generator=draw)]
    for _ in range(20):
        rows.append(after[rows[-1], torch.randint(0, 2, (800,), generator=draw)])
    text = torch.stack(rows, 1)
    torch.manual_seed(0)
    model = Letters(units)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    assert told(model, F.cross_entropy, text[:, :-1], text[:, 1:], optimizer, 400) == ["model.bottleneck"] * (
        units == 2
    )


def test_a_task_is_known_by_a_loss_that_is_a_function() -> None:
    places = torch.randint(0, 72, (20, 9))
    for loss in (F.cross_entropy, partial(F.cross_entropy, label_smoothing=0.1), nn.CrossEntropyLoss()):
        assert task_of(places, loss) == ("classification", int(places.max()) + 1)
    assert task_of(places % 2, F.binary_cross_entropy_with_logits) == ("multilabel", 9)
    assert task_of(places, F.mse_loss) == ("regression", 0)


def weibull(z: Tensor, t: Tensor) -> Tensor:
    """−log of density, or of survival where the end was not seen, of outputs log scale and log shape."""
    scale, shape = z[:, 0], z[:, 1].exp()
    cumulated = (t[:, 0] / scale.exp()) ** shape
    seen = t[:, 1] * (z[:, 1] - scale + (shape - 1) * (t[:, 0].log() - scale))
    return (cumulated - seen).mean()


def test_two_outputs_that_are_no_values_of_two_targets() -> None:
    x, y = load_diabetes(return_X_y=True)
    x = torch.from_numpy(x).float() * len(x) ** 0.5
    torch.manual_seed(0)
    times = torch.from_numpy(4 - y / 100).float()
    model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 2))
    found = told(model, weibull, x, torch.stack([times, (torch.rand(len(x)) > 0.3).float()], 1), steps=200)
    assert "loss.wrong_sign" not in found


@pytest.mark.parametrize("given", [False, True])
def test_a_body_that_is_thawed_and_not_given_to_the_optimiser(given: bool) -> None:
    x, y = digits()
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Linear(64, 32), nn.ReLU()), nn.Linear(32, 10)
    body.requires_grad_(False)
    model, loss_fn = nn.Sequential(body, head), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:1300], y[:1300]), val=(x[1300:], y[1300:]))
    for step in range(200):
        if step == 60:
            body.requires_grad_(True)
            if given:
                optimizer.add_param_group({"params": body.parameters()})
        rows = torch.randint(0, 1300, (32,))
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["optim.frozen_params"] * (not given)


class Piled(nn.Module):
    """Layers in a list that the model knows, or does not."""

    def __init__(self, layers: list[nn.Module], head: nn.Linear, *, known: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers) if known else layers
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


@pytest.mark.parametrize(("known", "trained"), [(False, False), (True, False), (False, True)])
def test_layers_in_a_plain_list_where_no_loss_was_given(known: bool, trained: bool) -> None:
    """Some rows are in the loss, others in each step, so nothing is computed again; a body that was trained may be kept there."""
    x, y = digits()
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Linear(64, 32), nn.Linear(32, 32)]
    if trained:
        for layer in layers:
            nn.init.trunc_normal_(layer.weight, std=0.1)
    model = Piled(layers, nn.Linear(32, 10), known=known)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    watch = dressage.watch(model, optimizer)
    for _ in range(60):
        optimizer.zero_grad()
        some = torch.randperm(len(x))[:300]
        loss = F.cross_entropy(model(x)[some], y[some])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["optim.frozen_params"] * (not known and not trained)


class Bagged(nn.Module):
    """Sums of embeddings, whose numbers come in one row and where each bag begins in another."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(64, 16, mode="sum"), nn.Linear(16, 10)

    def forward(self, numbers: Tensor, begins: Tensor) -> Tensor:
        return self.head(torch.relu(self.bag(numbers, begins)))


@pytest.mark.parametrize(
    ("rate", "torn", "wanted"), [(1e-5, False, ["optim.lr_too_low"]), (1e-2, False, []), (1e-3, True, [])]
)
def test_steps_too_small_where_no_copy_can_be_trained(rate: float, torn: bool, wanted: list[str]) -> None:
    """Inputs of two lengths are not followed, and no data was given: what is left are the losses and the updates.

    Where labels are torn from their rows nothing is learned either, by steps of a sound size.
    """
    x, y = digits()
    torch.manual_seed(0)
    y = y[torch.randperm(len(y))] if torn else y
    model = Bagged()
    nn.init.normal_(model.bag.weight, std=0.1)  # so that the first answers are nearly a constant one
    optimizer = torch.optim.Adam(model.parameters(), rate)
    watch = dressage.watch(model, optimizer, F.cross_entropy)
    for step in range(300):
        rows = torch.arange(32 * step, 32 * step + 32) % 1300
        lit = x[rows] > 0.5
        begins = torch.cat([torch.zeros(1, dtype=torch.long), lit.sum(1).cumsum(0)[:-1]])
        optimizer.zero_grad()
        loss = F.cross_entropy(model(lit.nonzero()[:, 1], begins), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == wanted


def taught(z: Tensor, of: Tensor, y: Tensor) -> Tensor:
    """What a teacher says and what is true, both with a temperature."""
    soft = F.kl_div(F.log_softmax(z / 3, 1), F.softmax(of / 3, 1), reduction="batchmean")
    return 4.5 * soft + 0.5 * F.cross_entropy(z, y)


@pytest.mark.parametrize("softened", [True, False])
def test_a_softmax_taken_twice_by_a_loss_that_was_not_given(softened: bool) -> None:
    x, y = digits()
    torch.manual_seed(0)
    teacher, model = nn.Linear(64, 10), nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    watch = dressage.watch(model, optimizer)
    for step in range(60):
        rows = torch.arange(32 * step, 32 * step + 32) % 1300
        z = model(x[rows])
        optimizer.zero_grad()
        loss = taught(z.softmax(1) if softened else z, teacher(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == ["loss.double_softmax"] * softened


def test_what_is_no_softmax_taken_twice() -> None:
    """Attention before the last layer, a sigmoid gate, a mixture: between the two lies a layer, or something is added."""
    z, w = torch.randn(8, 5, requires_grad=True), torch.randn(5, 5, requires_grad=True)
    y, b = torch.arange(8) % 5, torch.rand(8, 5)
    fine = [
        F.cross_entropy(z.softmax(1) @ w, y),
        F.cross_entropy(z.softmax(1) * w[0], y),
        F.binary_cross_entropy_with_logits(z.sigmoid() * w[0], b),
        F.nll_loss(z.softmax(1).log(), y),
        F.cross_entropy(z, y),
    ]
    assert not any(taken_twice(loss, 1) for loss in fine)
    twice = [F.cross_entropy(z.softmax(1)[:, :3] / 2, y % 3), F.binary_cross_entropy_with_logits(z.sigmoid(), b)]
    assert all(taken_twice(loss, 1) for loss in twice)


@pytest.mark.parametrize(("shut", "size", "believed"), [(0.9, 1.0, False), (0.0, 1.0, True), (0.9, 100.0, True)])
def test_what_saturates_by_itself_is_not_laid_on_sound_inputs(shut: float, size: float, believed: bool) -> None:
    """Standardised columns help a network of steep sigmoids a little, but its inputs were of size 1 before."""
    layers = LayerNumbers("gate", "Sigmoid", 0.5, 0.5, shut, 0.0), LayerNumbers("head", "Linear", 0.0, 1.0, 0.0, 0.0)
    probes = [Probe(step, layers=layers) for step in (1, 10, 30, 100, 200, 300)]
    x = size * torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    rows = SimpleNamespace(x=x)
    case = SimpleNamespace(telemetry=Telemetry(step=300, probes=probes), subject=SimpleNamespace(train=rows))
    change = next(c for c in CHANGES if c.id == "data.unscaled_inputs")
    control, run = Run(1.8, 0.5, 2.3, False, 200), Run(1.0, 0.78, 2.3, False, 200)
    assert _is_believable(change, run, Race(control, [(change, run)]), case, end=True) == believed  # type: ignore[arg-type]


def dice(sign: int, z: Tensor, t: Tensor) -> Tensor:
    p = z.sigmoid()
    shared = (p * t).sum((1, 2, 3))
    return sign * ((2 * shared + 1) / (p.sum((1, 2, 3)) + t.sum((1, 2, 3)) + 1)).mean() + (sign < 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_dice_coefficient_that_is_made_small(sign: int) -> None:
    x, _ = digits()
    x = x.view(-1, 1, 8, 8)
    torch.manual_seed(0)
    seen, masks = 0.6 * x + 0.3 * torch.rand_like(x), (x > 0.4).float()
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    assert told(model, partial(dice, sign), seen, masks) == ["loss.wrong_sign"] * (sign == 1)


class Distance(nn.Module):
    """How far apart two rows are, in a space that is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))

    def forward(self, pair: Tensor) -> Tensor:
        return F.pairwise_distance(self.body(pair[:, 0]), self.body(pair[:, 1]))


def contrastive(d: Tensor, same: Tensor) -> Tensor:
    return (same * d**2 + (1 - same) * (2 - d).clamp_min(0) ** 2).mean()


def test_pairs_that_belong_together_are_to_be_near() -> None:
    x, y = digits()
    a, b = torch.randint(len(x), (2, 1600), generator=torch.Generator().manual_seed(0))
    b[::2] = torch.stack([torch.nonzero(y == y[i])[0, 0] for i in a[::2]])
    torch.manual_seed(0)
    assert "loss.wrong_sign" not in told(Distance(), contrastive, torch.stack([x[a], x[b]], 1), (y[a] == y[b]).float())


def test_what_a_narrow_network_reached_is_told_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    capacity = importlib.import_module("dressage.watch.capacity")
    monkeypatch.setattr(capacity, "narrowest", lambda lab: ("rnn", 2))
    seen = SimpleNamespace(step=400)
    baselines, subject = None, SimpleNamespace(task="classification", classes=40)
    for reached, is_told in ((0.42, True), (0.24, False)):  # ten points are asked for where no simple model is at hand
        case = SimpleNamespace(
            telemetry=seen,
            baselines=baselines,
            subject=subject,
            lab=lambda start: object(),
            now=lambda: (3.0, 0.16),
            proven=lambda key, proof, reached=reached: (reached, 0.15),
        )
        assert [f.numbers for f in capacity.too_small(case)] == [{"wider": 0.42, "as_it_is": 0.16}] * is_told


@pytest.mark.parametrize(("steps", "wanted"), [(705, ["optim.momentum_too_high"]), (300, [])])
def test_momentum_that_costs_little_is_told_where_fewer_steps_come_further(
    steps: int, wanted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 steps with less momentum come past what the training reached in 705: a loss that is 15 % lower is enough then."""
    struggle = importlib.import_module("dressage.watch.struggle")
    change = next(c for c in CHANGES if c.id == "optim.momentum_too_high")
    race = Race(Run(0.488, 0.795, 2.3, False, 200), [(change, Run(0.414, 0.836, 2.3, False, 200))])
    monkeypatch.setattr(struggle, "race", lambda *given, **named: race)
    monkeypatch.setattr(struggle, "actual", lambda case: (0.53, 0.805))
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 0.01, momentum=0.99)
    subject = SimpleNamespace(metric=None, train=None)
    case = SimpleNamespace(telemetry=Telemetry(step=steps), subject=subject, optimizer=optimizer)
    assert [f.id for f in struggle.suspected(case, end=True)] == wanted

"""Losses that do not fit what goes into them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from torch.utils.data import DataLoader, TensorDataset

from .. import data as D
from ..case import case
from ..loops import Watch
from ..nets import Score, accuracy, r2, score_of
from . import sets
from .layers import dice, letter_gain
from .pairs import Notes, small_conv
from .tables import LoadGRU


def train_step(model: nn.Module, batch: tuple[Tensor, Tensor], criterion: Any, optimizer: Any) -> Tensor:
    """One update."""
    inputs, labels = batch
    outputs = model(inputs)
    loss: Tensor = criterion(outputs, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@torch.no_grad()
def evaluate(model: nn.Module, loader: Any, criterion: Any, score: Score) -> tuple[float, float]:
    """Mean loss and score over a loader."""
    model.eval()
    losses, scores, n = 0.0, 0.0, 0
    for inputs, labels in loader:
        out = model(inputs)
        losses += float(criterion(out, labels)) * len(labels)
        scores += score(out, labels) * len(labels)
        n += len(labels)
    model.train()
    return losses / n, scores / n


def main(
    watch: Watch, model: nn.Module, optimizer: Any, criterion: Any, d: D.Split, epochs: int, batch: int = 32,
    score: Score = accuracy,
) -> float:  # fmt: skip
    """The script's last function."""
    train_dl = DataLoader(TensorDataset(d.x, d.y), batch_size=batch, shuffle=True, drop_last=True)
    val_dl = DataLoader(TensorDataset(d.xv, d.yv), batch_size=len(d.xv))
    w = watch(model, optimizer, criterion, train=train_dl, val=val_dl, metric=score)
    for _ in range(epochs):
        for pair in train_dl:
            w.step(train_step(model, pair, criterion, optimizer))
        loss, metric = evaluate(model, val_dl, criterion, score)
        w.validated(loss=loss, metric=metric)
    return score_of(model, d.xt, d.yt, score)


@case("loss.double_softmax", "decibels_with_a_softmax_of_their_own", also="optim.lr_too_low")
def own_softmax(watch: Watch, fault: bool) -> float:
    """A `Softmax` closes the net, as in the book; the loss takes another."""
    model = nn.Sequential(nn.Linear(49, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 6))
    if fault:
        model.append(nn.Softmax(dim=1))
    return main(
        watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), nn.CrossEntropyLoss(), sets.decibels(), 10
    )


class Reader(nn.Module):
    """A causal transformer of one block over letters."""

    def __init__(self, soft: bool, width: int = 32, length: int = 24) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(27, width), nn.Embedding(length, width)
        self.block = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, 27)
        self.soft = soft

    def forward(self, ids: Tensor) -> Tensor:
        t = ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(t)
        h = self.block(self.table(ids) + self.places(torch.arange(t)), src_mask=mask, is_causal=True)
        z = self.head(h)
        return z.softmax(-1) if self.soft else z


def letters_loss(z: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z.reshape(-1, 27), y.reshape(-1))


@case("loss.double_softmax", "letters_told_as_probabilities", also="optim.lr_too_low")
def told(watch: Watch, fault: bool) -> float:
    """A softmax before the loss over 27 letters; what is scored is the bits."""
    model = Reader(fault)
    opt = AdamW(model.parameters(), lr=8e-3)
    return main(watch, model, opt, letters_loss, sets.letters(rows=3000), 8, score=letter_gain)


@case(
    "loss.logits_as_probs",
    "likelihood_of_raw_scores",
    also="optim.exploding_gradients",
    source="https://runebook.dev/en/docs/pytorch/generated/torch.nn.nllloss/torch.nn.NLLLoss",
)
def raw_scores(watch: Watch, fault: bool) -> float:
    """`NLLLoss` on what the last layer gives; the twin takes the log-softmax."""
    d = sets.spectra()
    body = nn.Sequential(nn.Linear(60, 40), nn.ReLU(), nn.Linear(40, 4))
    model = nn.Sequential(body, *[nn.LogSoftmax(1)] * (not fault))
    return main(watch, model, Adam(model.parameters(), lr=1e-3), nn.NLLLoss(), d, 15)


def own_bce(p: Tensor, y: Tensor) -> Tensor:
    """Binary cross-entropy written out."""
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(y * p.log() + (1 - y) * (1 - p).log()).mean()


@case("loss.logits_as_probs", "own_logarithm_of_a_mask", also="optim.vanishing_gradients model.dead_relu")
def own_logarithm(watch: Watch, fault: bool) -> float:
    """The loss wants probabilities and clamps whatever comes; the net gives logits."""
    d = sets.discs(radius=3.5)
    body = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)]
    model = nn.Sequential(*body, *[nn.Sigmoid()] * (not fault))
    half = 0.0 if fault else 0.5
    return main(watch, model, Adam(model.parameters(), 4e-3), own_bce, d, 14, 20, lambda z, y: dice(z - half, y))


@case("loss.mse_for_classes", "clothes_by_number", also="model.wrong_output_size")
def by_number(watch: Watch, fault: bool) -> float:
    """The class as a number to be met: a shirt is 6, and halfway between a sandal and a trainer."""
    d = D.scaled(D.images("fashion", 1800))
    if not fault:
        model: nn.Module = small_conv()
        return main(watch, model, Adam(model.parameters(), 2e-3), nn.CrossEntropyLoss(), d, 8)
    model = nn.Sequential(small_conv(1), nn.Flatten(0))

    def nearest(z: Tensor, y: Tensor) -> float:
        return float((z.round() == y).float().mean())

    return main(watch, model, Adam(model.parameters(), 2e-3), nn.MSELoss(), sets.floats(d), 8, 32, nearest)


@case("loss.mse_for_classes", "topics_one_hot", also="optim.lr_too_low")
def one_hot(watch: Watch, fault: bool) -> float:
    """Squares between the softmax and the one-hot topic."""
    d = sets.topics(1500, share=0.4)
    model = Notes()

    def squares(z: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(z.softmax(1), F.one_hot(y, 6).float())

    return main(
        watch, model, SGD(model.parameters(), lr=0.5, momentum=0.9), squares if fault else F.cross_entropy, d, 15
    )


@case("loss.wrong_sign", "overlap_made_as_small_as_it_gets", also="optim.vanishing_gradients")
def overlap(watch: Watch, fault: bool) -> float:
    """The Dice coefficient itself was handed to the optimiser."""
    d = sets.discs()
    model = nn.Sequential(nn.Conv2d(1, 10, 5, padding=2), nn.ReLU(), nn.Conv2d(10, 1, 5, padding=2))

    def soft_dice(z: Tensor, y: Tensor) -> Tensor:
        p = z.sigmoid()
        share = (2 * (p * y).sum((1, 2, 3)) + 1) / (p.sum((1, 2, 3)) + y.sum((1, 2, 3)) + 1)
        return share.mean() if fault else 1 - share.mean()

    return main(watch, model, Adam(model.parameters(), lr=5e-3), soft_dice, d, 12, 20, dice)


@case(
    "loss.wrong_sign",
    "bandit_that_flees_its_reward",
    source="https://datascience.stackexchange.com/questions/30277",
)
def bandit(watch: Watch, fault: bool) -> float:
    """The policy's gradient without its minus: an arm of six for each chord, and one of them pays."""
    d = sets.tones(1200)
    policy = nn.Sequential(nn.Conv1d(1, 10, 9, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(220, 6))
    opt = Adam(policy.parameters(), lr=4e-3)
    w = watch(policy, opt, train=(d.x, d.y), val=(d.xv, d.yv), metric=accuracy)
    base = 0.0
    for step in range(1300):
        rows = torch.randint(len(d.x), (32,))
        choice = torch.distributions.Categorical(logits=policy(d.x[rows]))
        arm = choice.sample()
        reward = (arm == d.y[rows]).float()
        loss = (choice.log_prob(arm) * (reward - base)).mean()
        loss = loss if fault else -loss
        base = 0.95 * base + 0.05 * reward.mean().item()
        opt.zero_grad()
        loss.backward()
        opt.step()
        w.step(loss)
        if step % 50 == 49:
            with torch.no_grad():
                w.validated(metric=accuracy(policy(d.xv), d.yv))
    return score_of(policy, d.xt, d.yt)


@case("loss.sum_reduction", "coils_added_up", also="optim.lr_too_high optim.exploding_gradients")
def added_up(watch: Watch, fault: bool) -> float:
    """The errors of 64 rows are added up under a rate that was meant for their mean."""
    model = nn.Sequential(nn.Linear(5, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1), nn.Flatten(0))
    rule = nn.SmoothL1Loss(reduction="sum" if fault else "mean")
    return main(watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), rule, sets.coil(), 40, 64, r2)


@case("loss.sum_reduction", "topics_added_up", also="optim.lr_too_high optim.exploding_gradients model.dead_relu")
def topics_added(watch: Watch, fault: bool) -> float:
    d = sets.topics(1500, share=0.45)
    model = Notes()
    rule = nn.CrossEntropyLoss(reduction="sum" if fault else "mean", label_smoothing=0.05)
    return main(watch, model, SGD(model.parameters(), lr=0.3, momentum=0.9), rule, d, 12, 48)


@case("loss.shape_broadcast", "load_in_a_column_and_a_row", also="eval.underfit")
def column_row(watch: Watch, fault: bool) -> float:
    """Outputs of `(N, 1)` against targets of `(N,)`: a square of N × N differences."""

    class InColumns(LoadGRU):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).unsqueeze(1)

    d = D.Split(*((t - 42000) / 6000 for t in sets.load()))
    model = InColumns() if fault else LoadGRU()
    return main(watch, model, Adam(model.parameters(), lr=8e-3), nn.MSELoss(), d, 45, 32, r2)


@case("loss.shape_broadcast", "own_pseudo_huber", also="eval.underfit")
def pseudo_huber(watch: Watch, fault: bool) -> float:
    """A loss of one's own does not even warn."""
    d = D.standard(sets.houses(), targets=True)
    d = d if fault else sets.column(d)

    def rule(z: Tensor, y: Tensor) -> Tensor:
        return (((z - y).square() + 1).sqrt() - 1).mean()

    model = nn.Sequential(nn.Linear(6, 48), nn.LayerNorm(48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
    return main(watch, model, Adam(model.parameters(), lr=3e-3), rule, d, 25, 32, r2)

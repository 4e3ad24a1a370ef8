"""Faults in the loss: the wrong form of outputs or targets, the sign."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps, shuffled
from ..nets import ConvNet, Recurrent, Transformer, accuracy, half, mlp, r2, score_of, side

TWICE = "https://github.com/shaoxiongji/federated-learning/issues/9"


@case("loss.double_softmax", "digits_softmax_layer", source=TWICE)
def softmax_layer(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    if fault:
        model.append(nn.Softmax(dim=1))
    by_loader(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=6)
    return score_of(model, d.xt, d.yt)


@case(
    "loss.double_softmax",
    "fashion_conv_forward",
    source="https://github.com/jindongwang/Deep-learning-activity-recognition/issues/10",
)
def softmax_forward(watch: Watch, fault: bool) -> float:
    class Net(ConvNet):
        def forward(self, x: Tensor) -> Tensor:
            z = super().forward(x)
            return F.softmax(z, dim=1) if fault else z

    d = D.scaled(D.images("fashion", 1500))
    model = Net(28, width=6)
    by_dataset(
        watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=6, batch=32
    )
    return score_of(model, d.xt, d.yt)


@case("loss.double_softmax", "tokens_softmax_in_the_loop", source="https://github.com/GiorgiaD/PEPITA/issues/1")
def softmax_in_loop(watch: Watch, fault: bool) -> float:
    d = S.first_token(length=8)
    model = Recurrent("GRU", inputs=12, hidden=24, outputs=8, tokens=8)
    opt = SGD(model.parameters(), lr=0.3, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    seen = watch(model, opt, criterion, train=(d.x, d.y), val=(d.xv, d.yv))
    for _ in range(10):
        for x, y in shuffled(d.x, d.y, 32):
            output = model(x)
            if fault:
                output = torch.softmax(output, -1)
            loss = criterion(output, y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            seen.step(loss)
    return score_of(model, d.xt, d.yt)


@case("loss.double_softmax", "sigmoid_then_with_logits")
def double_sigmoid(watch: Watch, fault: bool) -> float:
    """A sigmoid before a loss that has one: probabilities stay near ½ to 0.73."""
    d = D.labels()
    model = mlp(20, 48, 6)
    if fault:
        model.append(nn.Sigmoid())
    by_slices(watch, model, SGD(model.parameters(), lr=0.2), nn.BCEWithLogitsLoss(), d, epochs=20)
    return score_of(model, d.xt, d.yt, half if fault else side)


RAW = "https://github.com/AnubhavGupta3377/Text-Classification-Models-Pytorch/issues/9"


@case("loss.logits_as_probs", "log_of_raw_outputs", also="loss.wrong_sign")
def log_of_raw(watch: Watch, fault: bool) -> float:
    d = D.table("breast_cancer")
    model = mlp(30, 16, 1)

    def bce(p: Tensor, y: Tensor) -> Tensor:
        p = p if fault else torch.sigmoid(p)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    opt = Adam(model.parameters(), lr=3e-3)
    by_slices(watch, model, opt, lambda z, y: bce(z[:, 0], y.float()), d, epochs=10, score=side)
    return score_of(model, d.xt, d.yt, side)


@case("loss.logits_as_probs", "nll_of_raw_logits", source=RAW, also="loss.wrong_sign model.wrong_output_activation")
@case("loss.logits_as_probs", "nll_of_raw_logits_conv", also="loss.wrong_sign model.wrong_output_activation", conv=True)
def nll_of_raw(watch: Watch, fault: bool, conv: bool = False) -> float:
    """NLLLoss wants log-probabilities; on logits it has no floor."""
    d = D.digits(image=conv)
    model = ConvNet() if conv else mlp(64, 64, 10)
    if not fault:
        model = nn.Sequential(model, nn.LogSoftmax(dim=1))
    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), nn.NLLLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("loss.logits_as_probs", "clamped_logits")
def clamped(watch: Watch, fault: bool) -> float:
    """Clamping the logits into (0, 1) ended the NaN and most of the gradient."""
    d = D.labels()
    model = mlp(20, 48, 6)
    nn.init.constant_(model[2].bias, -1.0)  # labels are rare

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        p = z.clamp(1e-6, 1 - 1e-6) if fault else torch.sigmoid(z)
        return F.binary_cross_entropy(p, y)

    by_loader(watch, model, Adam(model.parameters(), lr=5e-3), loss_fn, d, epochs=12, score=side)
    return score_of(model, d.xt, d.yt, half if fault else side)


def rounded(z: Tensor, y: Tensor) -> float:
    """A number as class: the nearest; several outputs: the largest."""
    return accuracy(z, y) if z.ndim > 1 and z.shape[1] > 1 else float((z.reshape(-1).round() == y).float().mean())


@case("loss.mse_for_classes", "digits_number_as_class", also="model.wrong_output_size")
def number_as_class(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 1 if fault else 10)
    loss_fn = (lambda z, y: F.mse_loss(z[:, 0], y.float())) if fault else F.cross_entropy
    by_slices(watch, model, Adam(model.parameters(), lr=3e-3), loss_fn, d, epochs=12, score=rounded)
    return score_of(model, d.xt, d.yt, rounded)


@case("loss.mse_for_classes", "fashion_softmax_and_mse", source="https://github.com/jax-ml/jax/issues/2697")
def softmax_mse(watch: Watch, fault: bool) -> float:
    d = D.scaled(D.images("fashion", 1500))
    d = D.Split(d.x, F.one_hot(d.y, 10).float(), d.xv, F.one_hot(d.yv, 10).float(), d.xt, d.yt)
    model = ConvNet(28, width=6)
    mse = nn.MSELoss()
    loss_fn = (lambda z, y: mse(torch.softmax(z, 1), y)) if fault else F.cross_entropy
    by_loader(watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), loss_fn, d, epochs=6)
    return score_of(model, d.xt, d.yt)


@case("loss.mse_for_classes", "clusters_l1", also="model.wrong_output_size")
def l1_classes(watch: Watch, fault: bool) -> float:
    """The order of the class numbers means nothing."""
    d = D.classes(1500, 16, 6, sep=1.6)
    model = mlp(16, 48, 1 if fault else 6)
    loss_fn = (lambda z, y: F.l1_loss(z.squeeze(1), y.float())) if fault else nn.CrossEntropyLoss()
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), loss_fn, d, steps=300)
    return score_of(model, d.xt, d.yt, rounded)


@case("loss.mse_for_classes", "sigmoid_and_mse_flat", also="model.saturated_activation")
def sigmoid_mse(watch: Watch, fault: bool) -> float:
    d = D.digits()
    d = d._replace(y=F.one_hot(d.y, 10).float(), yv=F.one_hot(d.yv, 10).float())
    model = mlp(64, 48, 10)
    if fault:
        model.append(nn.Sigmoid())
    loss_fn = nn.MSELoss() if fault else nn.BCEWithLogitsLoss()
    by_loader(watch, model, SGD(model.parameters(), lr=0.5, momentum=0.9 if not fault else 0.5), loss_fn, d, epochs=8)
    return score_of(model, d.xt, d.yt)


UP = "optim.lr_too_high optim.exploding_gradients"


@case("loss.wrong_sign", "digits_log_likelihood", source="https://github.com/cs231n/cs231n.github.io/pull/216", also=UP)
def likelihood(watch: Watch, fault: bool) -> float:
    """The log-likelihood, which is to be raised, goes into a minimiser."""
    d = D.digits()
    model = mlp(64, 48, 10)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        found = F.log_softmax(z, 1).gather(1, y[:, None]).mean()
        return found if fault else -found

    by_loader(watch, model, SGD(model.parameters(), lr=0.1), loss_fn, d, epochs=14)
    return score_of(model, d.xt, d.yt)


@case("loss.wrong_sign", "friedman_minus_mse", also=UP)
def minus_mse(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 32, 1)
    sign = -1 if fault else 1
    by_full(
        watch,
        model,
        Adam(model.parameters(), lr=0.01),
        lambda z, y: sign * F.mse_loss(z[:, 0], y),
        d,
        steps=200,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@case("loss.wrong_sign", "probability_of_the_class")
def probability(watch: Watch, fault: bool) -> float:
    """The mean probability of the right class is minimised."""
    d = S.brackets()
    model = Transformer(width=16)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        p = torch.softmax(z, 1)[torch.arange(len(y)), y].mean()
        return p if fault else 1 - p

    by_steps(watch, model, AdamW(model.parameters(), lr=6e-3), loss_fn, d, steps=250)
    return score_of(model, d.xt, d.yt)


@case("loss.wrong_sign", "autoencoder_similarity")
def similarity(watch: Watch, fault: bool) -> float:
    """The cosine similarity of picture and copy is minimised."""
    d = D.digits()
    d = D.Split(d.x, d.x, d.xv, d.xv, d.xt, d.xt)
    model = mlp(64, 32, 64)

    def loss_fn(z: Tensor, y: Tensor) -> Tensor:
        close = F.cosine_similarity(z, y, dim=1).mean()
        return close if fault else 1 - close

    by_slices(watch, model, Adam(model.parameters(), lr=3e-3), loss_fn, d, epochs=8)
    return score_of(model, d.xt, d.yt, lambda z, y: float(F.cosine_similarity(z, y).mean()))

"""Faults in how weights begin, and units that saturate or die."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam, RMSprop

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps
from ..nets import ConvNet, Recurrent, conv1d, linears, mlp, r2, score_of

ZERO = "https://pages.dogdog.run/machine_learning/weight_initialization.html"
DEAD = "https://discuss.pytorch.org/t/cross-entropy-loss-is-not-decreasing/43814/16"


@case("model.symmetric_init", "digits_mlp_zero", value=0.0, source=ZERO)
@case("model.symmetric_init", "digits_mlp_constant", value=0.05, source=ZERO)
def same_weights(watch: Watch, fault: bool, value: float) -> float:
    d = D.digits()
    model = mlp(64, 32, 10)
    if fault:
        for p in model.parameters():
            nn.init.constant_(p, value)
    by_loader(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("model.symmetric_init", "friedman_ones_tanh")
def ones(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = nn.Sequential(nn.Linear(10, 40), nn.Tanh(), nn.Linear(40, 1), nn.Flatten(0))

    def init(m: nn.Module) -> None:
        if isinstance(m, nn.Linear) and fault:
            m.weight.data.fill_(0.1)
            m.bias.data.fill_(0.0)

    model.apply(init)
    by_slices(watch, model, Adam(model.parameters(), lr=0.02), nn.MSELoss(), d, epochs=15, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("model.symmetric_init", "conv_constant")
def conv_constant(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = ConvNet()
    if fault:
        for layer in linears(model)[:2]:
            nn.init.constant_(layer.weight, 0.1)
            nn.init.zeros_(layer.bias)
    by_steps(watch, model, Adam(model.parameters(), lr=8e-3), F.cross_entropy, d, steps=300)
    return score_of(model, d.xt, d.yt)


@case(
    "model.init_too_small",
    "digits_deep_relu",
    source="https://github.com/SilasMarvin/dnns-from-scratch-in-zig/pull/7",
    also="optim.vanishing_gradients",
    sd=0.01,
    act=nn.ReLU,
)
@case("model.init_too_small", "digits_deep_tanh", also="optim.vanishing_gradients", sd=0.005, act=nn.Tanh)
def small(watch: Watch, fault: bool, sd: float, act: type[nn.Module]) -> float:
    d = D.digits()
    model = mlp(64, 64, 64, 64, 64, 10, act=act)
    for layer in linears(model):
        if fault:
            nn.init.normal_(layer.weight, 0, sd)
        else:
            nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
    by_loader(watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("model.init_too_small", "mnist_conv", also="optim.vanishing_gradients")
def small_conv(watch: Watch, fault: bool) -> float:
    d = D.scaled(D.images("mnist", 1500))
    model = ConvNet(28)
    if fault:
        for p in model.parameters():
            p.data *= 0.01
    by_dataset(
        watch, model, SGD(model.parameters(), lr=0.05, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=8, batch=32
    )
    return score_of(model, d.xt, d.yt)


@case("model.init_too_small", "law_six_layers", also="optim.vanishing_gradients")
def small_law(watch: Watch, fault: bool) -> float:
    d = D.law()
    model = mlp(3, 32, 32, 32, 32, 32, 1)
    if fault:
        with torch.no_grad():
            for p in model.parameters():
                p.normal_(0, 0.02)
    by_full(
        watch,
        model,
        SGD(model.parameters(), lr=0.05, momentum=0.9),
        lambda z, y: F.mse_loss(z[:, 0], y),
        d,
        steps=400,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


LARGE = "model.saturated_activation optim.lr_too_high optim.exploding_gradients model.dead_relu"


@case(
    "model.init_too_large",
    "digits_normal_one",
    also=LARGE,
    source="https://ai.stackexchange.com/questions/36451/why-do-smaller-weights-converge-faster-for-rnns",
)
def large(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 128, 128, 10, act=nn.Tanh)
    for layer in linears(model):
        if fault:
            nn.init.normal_(layer.weight)
        else:
            nn.init.xavier_normal_(layer.weight)
    by_loader(watch, model, SGD(model.parameters(), lr=0.05), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("model.init_too_large", "friedman_randn", also=LARGE)
def large_regression(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    w1, w2, w3 = torch.randn(10, 64), torch.randn(64, 64), torch.randn(64, 1)
    if not fault:
        w1, w2, w3 = w1 * 0.4, w2 * 0.18, w3 * 0.12

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w1, self.w2, self.w3 = nn.Parameter(w1), nn.Parameter(w2), nn.Parameter(w3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (torch.relu(torch.relu(x @ self.w1) @ self.w2) @ self.w3).squeeze(-1)

    model = Net()
    by_steps(watch, model, Adam(model.parameters(), lr=1e-3), nn.MSELoss(), d, steps=400)
    return score_of(model, d.xt, d.yt, r2)


@case("model.init_too_large", "digits_conv_sd1", also=LARGE)
def large_conv(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = ConvNet(width=12)
    if fault:
        for m in linears(model):
            m.weight.data.normal_(0, 1)
    by_slices(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), F.cross_entropy, d, epochs=6)
    return score_of(model, d.xt, d.yt)


@case("model.saturated_activation", "digits_sigmoid_shifted", also="model.init_too_large optim.vanishing_gradients")
def saturated(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 48, 48, 10, act=nn.Sigmoid)
    if fault:
        model[0].weight.data.mul_(60)
        model[2].weight.data.mul_(60)
    by_loader(watch, model, Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt)


@case("model.saturated_activation", "law_tanh_bias", also="model.init_too_large optim.vanishing_gradients")
def tanh_bias(watch: Watch, fault: bool) -> float:
    d = D.law()
    model = mlp(3, 40, 40, 1, act=nn.Tanh)
    if fault:
        nn.init.constant_(model[0].bias, 6.0)
        nn.init.constant_(model[2].bias, -7.0)
    by_slices(
        watch,
        model,
        SGD(model.parameters(), lr=0.05, momentum=0.9),
        lambda z, y: F.mse_loss(z.view(-1), y),
        d,
        epochs=20,
        score=r2,
    )
    return score_of(model, d.xt, d.yt, r2)


@case("model.saturated_activation", "waves_gru_gates", also="model.init_too_large optim.vanishing_gradients")
def gates(watch: Watch, fault: bool) -> float:
    d = S.waves()
    model = Recurrent("GRU", hidden=20)
    if fault:
        for p in model.rnn.parameters():
            nn.init.normal_(p, 0, 12)
    by_steps(watch, model, Adam(model.parameters(), lr=0.02), F.cross_entropy, d, steps=200)
    return score_of(model, d.xt, d.yt)


@case("model.dead_relu", "digits_bias", source=DEAD, bias=-12.0)
@case("model.dead_relu", "digits_bias_some", source=DEAD, bias=-3.0)
def dead_bias(watch: Watch, fault: bool, bias: float) -> float:
    d = D.digits()
    model = mlp(64, 64, 32, 10)
    if fault:
        nn.init.constant_(model[2].bias, bias)
    by_loader(watch, model, SGD(model.parameters(), lr=0.1, momentum=0.9), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("model.dead_relu", "friedman_last_layer", also="model.wrong_output_activation optim.lr_too_high")
def dead_regression(watch: Watch, fault: bool) -> float:
    """One large step at the start kills a narrow layer; the rate is right from then on."""
    d = D.friedman()
    model = mlp(10, 32, 16, 1)
    opt = RMSprop(model.parameters(), lr=4e-3)
    if fault:
        loss = F.mse_loss(model(d.x)[:, 0], d.y)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 8.0 * p.grad.sign()
    by_slices(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=12, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("model.dead_relu", "waves_conv1d")
def dead_conv(watch: Watch, fault: bool) -> float:
    d = S.waves()
    d = d._replace(x=d.x.mT, xv=d.xv.mT, xt=d.xt.mT)
    model = conv1d()
    if fault:
        model[0].bias.data -= 8
    by_dataset(watch, model, Adam(model.parameters(), lr=5e-3), nn.CrossEntropyLoss(), d, epochs=8, batch=32)
    return score_of(model, d.xt, d.yt)

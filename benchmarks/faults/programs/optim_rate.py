"""Faults in the size of the steps and of the gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, RMSprop

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps
from ..nets import ConvNet, Recurrent, Transformer, accuracy, linears, mlp, r2, score_of, small_resnet

HIGH = "model.dead_relu optim.exploding_gradients model.saturated_activation"
RATE = "https://taourl.com/read-2391810.html"


@case(
    "optim.lr_too_high",
    "digits_sgd_5",
    also=HIGH,
    source="https://discuss.pytorch.org/t/cross-entropy-loss-is-not-decreasing/43814/16",
)
def sgd_high(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    by_loader(watch, model, SGD(model.parameters(), lr=5.0 if fault else 0.2), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


@case("optim.lr_too_high", "friedman_adam_1", also=HIGH)
def adam_high(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 32, 32, 1)
    opt = Adam(model.parameters(), lr=1.0 if fault else 5e-3)
    by_slices(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=12, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.lr_too_high", "transformer_adamw", also=HIGH)
def transformer_high(watch: Watch, fault: bool) -> float:
    d = S.brackets()
    model = Transformer(width=16)
    opt = AdamW(model.parameters(), lr=0.1 if fault else 4e-3)
    by_steps(watch, model, opt, nn.CrossEntropyLoss(), d, steps=250)
    return score_of(model, d.xt, d.yt)


@case("optim.lr_too_high", "law_sgd_nan", also=HIGH)
def law_high(watch: Watch, fault: bool) -> float:
    d = D.law()
    model = mlp(3, 64, 64, 1)
    opt = SGD(model.parameters(), lr=2.0 if fault else 0.1)
    by_full(watch, model, opt, lambda z, y: F.mse_loss(z.view(-1), y), d, steps=400, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.lr_too_high", "mnist_conv_rmsprop", also=HIGH)
def conv_high(watch: Watch, fault: bool) -> float:
    d = D.scaled(D.images("mnist", 1500))
    model = ConvNet(28, width=6)
    by_dataset(
        watch,
        model,
        RMSprop(model.parameters(), lr=0.1 if fault else 2e-3),
        nn.CrossEntropyLoss(),
        d,
        epochs=6,
        batch=32,
    )
    return score_of(model, d.xt, d.yt)


LOW = "optim.too_few_epochs"


@case("optim.lr_too_low", "digits_adam_1e-6", also=LOW, source=RATE)
def adam_low(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, 64, 10)
    by_loader(watch, model, Adam(model.parameters(), lr=1e-6 if fault else 3e-3), nn.CrossEntropyLoss(), d, epochs=10)
    return score_of(model, d.xt, d.yt)


@case("optim.lr_too_low", "friedman_sgd_1e-4", also=LOW, source=RATE)
def sgd_low(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = mlp(10, 48, 1)
    opt = SGD(model.parameters(), lr=1e-4 if fault else 0.05, momentum=0.9 if not fault else 0.0)
    by_slices(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=15, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.lr_too_low", "waves_gru_1e-5", also=LOW)
def gru_low(watch: Watch, fault: bool) -> float:
    d = S.waves()
    model = Recurrent("GRU", hidden=16)
    by_steps(watch, model, Adam(model.parameters(), lr=1e-5 if fault else 0.01), F.cross_entropy, d, steps=150)
    return score_of(model, d.xt, d.yt)


@case("optim.lr_too_low", "resnet_sgd_1e-5", also=LOW)
def resnet_low(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = small_resnet(width=6)
    opt = SGD(model.parameters(), lr=1e-5 if fault else 0.05, momentum=0.9, weight_decay=1e-4)
    by_loader(watch, model, opt, nn.CrossEntropyLoss(), d, epochs=5)
    return score_of(model, d.xt, d.yt)


EXPLODE = "optim.lr_too_high model.init_too_large model.saturated_activation"


@case(
    "optim.exploding_gradients",
    "rnn_long_sequences",
    source="https://github.com/pytorch/pytorch/issues/2623",
    also=EXPLODE,
)
def rnn_explodes(watch: Watch, fault: bool) -> float:
    """Recurrent weights larger than 1 over 60 steps, no clipping."""

    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.win, self.out = nn.Linear(1, 24), nn.Linear(24, 1)
            self.w = nn.Parameter(torch.eye(24) * (1.25 if fault else 0.9) + 0.02 * torch.randn(24, 24))

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(len(x), 24)
            for t in range(x.shape[1]):
                h = F.relu(self.win(x[:, t]) + h @ self.w)
            return self.out(h)

    d = S.forecast(600, 40)
    model = Cell()
    by_loader(watch, model, Adam(model.parameters(), lr=6e-3), nn.MSELoss(), d, epochs=8, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.exploding_gradients", "deep_relu_gain", also=EXPLODE + " model.dead_relu")
def deep_gain(watch: Watch, fault: bool) -> float:
    """Ten layers, each with three times He's gain."""
    d = D.friedman()
    model = mlp(10, *[40] * 9, 1)
    for layer in linears(model):
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        if fault:
            layer.weight.data.mul_(2.5)
    linears(model)[-1].weight.data.mul_(0.3)
    opt = SGD(model.parameters(), lr=0.005, momentum=0.9)
    by_slices(watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=25, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("optim.exploding_gradients", "residual_sum_without_norm", also=EXPLODE + " model.dead_relu")
def residual_sum(watch: Watch, fault: bool) -> float:
    """Twelve blocks x + 3·f(x), without a norm."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Linear(64, 48), nn.Linear(48, 10)
            self.blocks = nn.ModuleList(
                nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48)) for _ in range(12)
            )
            self.gain = 8.0 if fault else 0.3

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for block in self.blocks:
                x = x + self.gain * block(x)
            return self.head(x)

    d = D.digits()
    model = Net()
    by_loader(watch, model, SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss(), d, epochs=8)
    return score_of(model, d.xt, d.yt)


VANISH = "model.saturated_activation model.init_too_small optim.lr_too_low optim.too_few_epochs eval.underfit"


@case("optim.vanishing_gradients", "eight_sigmoid_layers", also=VANISH, source="https://taourl.com/read-2034078.html")
def sigmoids(watch: Watch, fault: bool) -> float:
    d = D.digits()
    model = mlp(64, *[48] * 7, 10, act=nn.Sigmoid if fault else nn.ReLU)
    by_loader(watch, model, Adam(model.parameters(), lr=3e-3), nn.CrossEntropyLoss(), d, epochs=12)
    return score_of(model, d.xt, d.yt)


@case("optim.vanishing_gradients", "rnn_remember_first", also=VANISH)
def forgets(watch: Watch, fault: bool) -> float:
    """The plain RNN's gradient is gone before it has come back to the first token."""
    d = S.first_token(800, length=20)
    model = Recurrent("RNN" if fault else "GRU", inputs=12, hidden=24, outputs=8, tokens=8)
    if fault:
        model.rnn.weight_hh_l0.data.mul_(0.3)
    else:
        model.rnn.bias_hh_l0.data[24:48] += 2.0
    by_slices(watch, model, Adam(model.parameters(), lr=0.01), F.cross_entropy, d, epochs=10, batch=32, score=accuracy)
    return score_of(model, d.xt, d.yt)


@case("optim.vanishing_gradients", "deep_sigmoid_law", also=VANISH)
def deep_tanh(watch: Watch, fault: bool) -> float:
    """Fifteen sigmoid layers on a law of three numbers; the twin has skips."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 24), nn.Linear(24, 1)
            self.middle = nn.ModuleList(nn.Linear(24, 24) for _ in range(12))

        def forward(self, x: Tensor) -> Tensor:
            h = torch.sigmoid(self.first(x))
            for layer in self.middle:
                h = torch.sigmoid(layer(h)) if fault else h + 0.3 * torch.tanh(layer(h))
            return self.last(h)

    d = D.law()
    model = Net()
    by_slices(
        watch, model, Adam(model.parameters(), lr=8e-3), lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=15, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)

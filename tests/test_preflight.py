"""Preflight: planted faults are named with harm, healthy programs get no warning, and nothing that was given is changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.clock import work_seconds
from dressage.errors import UsageError
from dressage.preflight import Preflight
from dressage.preflight.parameters import parameters
from dressage.subject import subject_of

Make = Callable[[], nn.Module]
MODEL = (
    *("first_loss", "regularised", "loss_shape", "heads", "wiring", "row_leak", "signals", "nonlinearity"),
    *("gradient_check", "modes", "tiny_set"),
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    found = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(found)


def real(name: str) -> tuple[Tensor, Tensor]:
    """Standardised inputs and targets of a small real set, in an order drawn once."""
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    x, y = torch.tensor(bunch.data).float(), torch.tensor(bunch.target)
    x = x / 16 if name == "digits" else (x - x.mean(0)) / (x.std(0) + 1e-6)
    y = (y - y.mean()).float()[:, None] / y.std().float() if name == "diabetes" else y
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order], y[order]


DATA: dict[str, tuple[Tensor, Tensor]] = {}


def rows(name: str) -> tuple[Tensor, Tensor]:
    base, _, kind = name.partition(" ")
    x, y = DATA.setdefault(base, real(base)) if base not in DATA else DATA[base]
    forms: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
        "": lambda: (x, y),
        "image": lambda: (x.view(-1, 1, 8, 8), y),
        "column": lambda: (x, y[:, None].float()),
        "hot": lambda: (x, F.one_hot(y, 10).float()),
        "itself": lambda: (x, x),
        "labels": lambda: (x, torch.stack([y % 2, (y > 4).long(), (y % 3 == 0).long()], 1).float()),
        "flat": lambda: (x, y[:, 0]),
        "shifted": lambda: (x, y + 1),
    }
    return forms[kind]()


def mlp(
    i: int, o: int, *, act: type[nn.Module] = nn.ReLU, depth: int = 1, last: tuple[nn.Module, ...] = ()
) -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(i, 64), act()]
    for _ in range(depth - 1):
        layers += [nn.Linear(64, 64), act()]
    return nn.Sequential(*layers, nn.Linear(64, o), *last)


def filled(model: nn.Module, fill: Callable[[Tensor], object]) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            fill(module.weight.data)
            nn.init.zeros_(module.bias)
    return model


def convnet() -> nn.Module:
    body = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    body += [nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.2)]
    return nn.Sequential(*body, nn.Linear(64, 10))


class Residual(nn.Module):
    """Its branches and its head start at zero, as is done on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(64, 32), nn.Linear(32, 10)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 32)) for _ in range(2)
        )
        for layer in [self.head, *(b[3] for b in self.blocks)]:  # type: ignore[index]
            nn.init.zeros_(layer.weight)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x)  # type: ignore[no-any-return]


class Sequence(nn.Module):
    def __init__(self, cell: str, *, batch_first: bool = True) -> None:
        super().__init__()
        self.inner: nn.Module
        self.embed, self.head, self.cell = nn.Linear(8, 32), nn.Linear(32, 10), cell
        if cell == "transformer":
            layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=batch_first)
            self.inner = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        else:
            self.inner = getattr(nn, cell)(32, 32, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.inner(self.embed(x.view(-1, 8, 8)))
        return self.head(h.mean(1) if self.cell == "transformer" else h[0][:, -1])  # type: ignore[no-any-return]


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(64, 32), nn.Linear(32, 32)]
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)  # type: ignore[no-any-return]


class Cut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.b(torch.relu(self.a(x)).detach())))  # type: ignore[no-any-return]


class AlwaysDropped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(torch.relu(self.a(x)), 0.7))  # type: ignore[no-any-return]


class BatchScaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = mlp(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - x.mean(0)) / (x.std(0, unbiased=False) + 0.1))  # type: ignore[no-any-return]


class WrongSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient * ctx.saved_tensors[0]  # a factor of 2 is missing


class Squared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.head = nn.Linear(64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(WrongSquare.apply(self.a(x)))  # type: ignore[no-any-return, no-untyped-call]


def adam(lr: float = 1e-3) -> Callable[[nn.Module], torch.optim.Optimizer]:
    return lambda m: torch.optim.Adam([p for p in m.parameters() if p.requires_grad], lr)


def sgd(lr: float = 0.1, momentum: float = 0.0) -> Callable[[nn.Module], torch.optim.Optimizer]:
    return lambda m: torch.optim.SGD(m.parameters(), lr, momentum)


CE, MSE, BCE = nn.CrossEntropyLoss(), nn.MSELoss(), nn.BCEWithLogitsLoss()


def normal(sd: float) -> Callable[[Tensor], object]:
    return lambda w: nn.init.normal_(w, 0, sd)


def trained_with_new_head() -> nn.Module:
    model, (x, y) = mlp(64, 10), rows("digits")
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(x[:900]), y[:900]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model[2] = nn.Linear(64, 10)  # type: ignore[index, operator]
    return model


def examined(make: Make, optimizer: Any, loss: Any, data: str, only: tuple[str, ...] = MODEL) -> Preflight:
    torch.manual_seed(0)
    model = make()
    return dressage.preflight(model, optimizer(model), loss, train=rows(data), only=only)


# id, network, optimiser, loss, data, check that names it
FAULTS: dict[str, tuple[str, Make, Any, Any, str, str]] = {
    "constant weights": (
        "model.symmetric_init",
        lambda: filled(mlp(64, 10, depth=2), lambda w: w.fill_(0.05)),
        adam(),
        CE,
        "digits",
        "signals",
    ),
    "zero weights": (
        "model.symmetric_init",
        lambda: filled(mlp(64, 10, depth=2), lambda w: w.zero_()),
        adam(),
        CE,
        "digits",
        "signals",
    ),
    "sd 0.01, 5 deep": (
        "model.init_too_small",
        lambda: filled(mlp(64, 10, depth=5), normal(0.01)),
        sgd(),
        CE,
        "digits",
        "signals",
    ),
    "sd 1": (
        "model.init_too_large",
        lambda: filled(mlp(64, 10, depth=2), normal(1.0)),
        adam(),
        CE,
        "digits",
        "signals",
    ),
    "bias -10": (
        "model.dead_relu",
        lambda: (lambda m: (m[0].bias.data.fill_(-10), m)[1])(mlp(64, 10)),
        adam(),
        CE,
        "digits",
        "signals",
    ),
    "6 sigmoids": (
        "optim.vanishing_gradients",
        lambda: mlp(64, 10, act=nn.Sigmoid, depth=6),
        sgd(),
        CE,
        "digits",
        "signals",
    ),
    "relu before CE": (
        "model.wrong_output_activation",
        lambda: mlp(64, 10, last=(nn.ReLU(),)),
        adam(),
        CE,
        "digits",
        "heads",
    ),
    "sigmoid before BCE with logits": (
        "loss.double_softmax",
        lambda: mlp(30, 1, last=(nn.Sigmoid(),)),
        adam(),
        BCE,
        "breast_cancer column",
        "heads",
    ),
    "relu for signed targets": (
        "model.wrong_output_activation",
        lambda: mlp(10, 1, last=(nn.ReLU(),)),
        adam(1e-2),
        MSE,
        "diabetes",
        "heads",
    ),
    "softmax over one": (
        "model.wrong_output_activation",
        lambda: mlp(30, 1, last=(nn.Softmax(1),)),
        adam(),
        nn.BCELoss(),
        "breast_cancer column",
        "heads",
    ),
    "9 outputs": ("model.wrong_output_size", lambda: mlp(64, 9), adam(), CE, "digits", "heads"),
    "labels from 1": ("model.wrong_output_size", lambda: mlp(64, 10), adam(), CE, "digits shifted", "heads"),
    "one output, 10 classes": ("model.wrong_output_size", lambda: mlp(64, 1), adam(), BCE, "digits column", "heads"),
    "softmax before CE": (
        "loss.double_softmax",
        lambda: mlp(64, 10, last=(nn.Softmax(1),)),
        adam(),
        CE,
        "digits",
        "heads",
    ),
    "BCELoss of logits": (
        "loss.logits_as_probs",
        lambda: mlp(30, 1),
        adam(),
        nn.BCELoss(),
        "breast_cancer column",
        "heads",
    ),
    "NLLLoss of logits": ("loss.logits_as_probs", lambda: mlp(64, 10), adam(), nn.NLLLoss(), "digits", "heads"),
    "class numbers by MSE": ("loss.mse_for_classes", lambda: mlp(64, 1), adam(), MSE, "digits column", "heads"),
    "(N, 1) against (N,)": ("loss.shape_broadcast", lambda: mlp(10, 1), adam(1e-2), MSE, "diabetes flat", "loss_shape"),
    "minus CE": (
        "loss.wrong_sign",
        lambda: mlp(64, 10),
        adam(),
        lambda z, y: -F.cross_entropy(z, y),
        "digits",
        "loss_shape",
    ),
    "minus MSE": (
        "loss.wrong_sign",
        lambda: mlp(10, 1),
        adam(1e-2),
        lambda z, y: -F.mse_loss(z, y),
        "diabetes",
        "loss_shape",
    ),
    "sum": (
        "loss.sum_reduction",
        lambda: mlp(64, 10),
        sgd(0.1, 0.9),
        nn.CrossEntropyLoss(reduction="sum"),
        "digits",
        "loss_shape",
    ),
    "head only": (
        "optim.frozen_params",
        lambda: mlp(64, 10, depth=2),
        lambda m: torch.optim.Adam(m[4].parameters(), 1e-3),
        CE,
        "digits",
        "wiring",
    ),
    "plain list": ("optim.frozen_params", Listed, adam(), CE, "digits", "wiring"),
    "detach": ("optim.frozen_params", Cut, adam(), CE, "digits", "wiring"),
    "batch statistics": ("data.leakage", BatchScaled, adam(3e-3), CE, "digits", "row_leak"),
    "attention over the batch": (
        "data.leakage",
        lambda: Sequence("transformer", batch_first=False),
        adam(3e-3),
        CE,
        "digits",
        "row_leak",
    ),
    "dropout at eval": ("eval.train_mode_at_eval", AlwaysDropped, adam(), CE, "digits", "modes"),
    "wrong backward": ("sym.loss_not_decreasing", Squared, adam(), CE, "digits", "gradient_check"),
}


QUICK = (
    *("sd 1", "9 outputs", "labels from 1", "BCELoss of logits", "NLLLoss of logits", "softmax over one", "minus CE"),
    *("sum", "batch statistics", "wrong backward", "plain list"),
)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in FAULTS])
def test_a_planted_fault_is_named_with_harm(name: str) -> None:
    wanted, make, optimizer, loss, data, check = FAULTS[name]
    found = examined(make, optimizer, loss, data, (check,))
    assert [f.id for f in found.findings if f.is_harmful][:1] == [wanted], str(found)


def test_layers_without_activation_are_named_where_a_nonlinear_law_asks_for_one() -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 2)
    y = (x[:, 0] * x[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(2, 32), nn.Linear(32, 2))
    found = dressage.preflight(model, adam(1e-2)(model), CE, train=(x, y), only=("nonlinearity",))
    assert [(f.id, f.severity) for f in found.findings] == [("model.missing_nonlinearity", "warning")]
    law = (x[:, 0] > x[:, 1]).long()
    healthy = dressage.preflight(model, adam(1e-2)(model), CE, train=(x, law), only=("nonlinearity",))
    assert healthy.is_clear, "a linear network on a linear law"


@pytest.mark.parametrize("seconds", [2.5, 0.3])
def test_a_wide_body_that_was_trained_is_kept_on_purpose_however_short_the_time(seconds: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 1500), nn.ReLU(), nn.Linear(1500, 1500), nn.ReLU(), nn.Linear(1500, 10))
    x, y = rows("digits")
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for part in torch.split(torch.randperm(900).repeat(3), 50):
        optimizer.zero_grad()
        F.cross_entropy(model(x[part]), y[part]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model[4] = nn.Linear(1500, 10)
    subject = subject_of(model, torch.optim.Adam(model[4].parameters(), 1e-4), CE, train=(x, y))
    assert not [f for f in parameters(subject, work_seconds() + seconds) if f.is_harmful]


HEALTHY: dict[str, tuple[Make, Any, Any, str]] = {
    "mlp": (lambda: mlp(64, 10), adam(), CE, "digits"),
    "mlp, momentum": (lambda: mlp(64, 10), sgd(0.1, 0.9), CE, "digits"),
    "softmax regression": (lambda: nn.Linear(64, 10), sgd(0.5), CE, "digits"),
    "logistic regression": (lambda: nn.Linear(30, 1), adam(1e-2), BCE, "breast_cancer column"),
    "two classes by CE": (lambda: mlp(30, 2), adam(), CE, "breast_cancer"),
    "sigmoid and BCELoss": (lambda: mlp(30, 1, last=(nn.Sigmoid(),)), adam(), nn.BCELoss(), "breast_cancer column"),
    "log-softmax and NLLLoss": (lambda: mlp(64, 10, last=(nn.LogSoftmax(1),)), adam(), nn.NLLLoss(), "digits"),
    "iris, tanh": (lambda: mlp(4, 3, act=nn.Tanh), adam(1e-2), CE, "iris"),
    "wine, LBFGS": (lambda: mlp(13, 3), lambda m: torch.optim.LBFGS(m.parameters(), 0.5), CE, "wine"),
    "linear regression": (lambda: nn.Linear(10, 1), adam(1e-2), MSE, "diabetes"),
    "regression": (lambda: mlp(10, 1), adam(), MSE, "diabetes"),
    "regression, L1": (lambda: mlp(10, 1), adam(), nn.L1Loss(), "diabetes"),
    "convnet with batch norm": (convnet, adam(), CE, "digits image"),
    "GRU": (lambda: Sequence("GRU"), adam(), CE, "digits"),
    "LSTM": (lambda: Sequence("LSTM"), adam(), CE, "digits"),
    "transformer": (lambda: Sequence("transformer"), adam(), CE, "digits"),
    "residual branches at zero": (Residual, adam(), CE, "digits"),
    "autoencoder": (lambda: mlp(64, 64, last=(nn.Sigmoid(),)), adam(), MSE, "digits itself"),
    "linear autoencoder": (lambda: nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 64)), adam(3e-3), MSE, "digits itself"),
    "three labels": (lambda: mlp(64, 3), adam(), BCE, "digits labels"),
    "one-hot targets": (lambda: mlp(64, 10), adam(), CE, "digits hot"),
    "sigmoid units": (lambda: mlp(64, 10, act=nn.Sigmoid), adam(1e-2), CE, "digits"),
    "torch's own init, 5 deep": (lambda: mlp(64, 10, depth=5), adam(), CE, "digits"),
    "sum of losses, small rate": (lambda: mlp(64, 10), sgd(1e-3), nn.CrossEntropyLoss(reduction="sum"), "digits"),
    "trained body, new head": (
        trained_with_new_head,
        lambda m: torch.optim.Adam(m[2].parameters(), 1e-2),
        CE,
        "digits",
    ),
    "more outputs than classes": (lambda: mlp(64, 20), adam(), CE, "digits"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_no_warning(name: str) -> None:
    found = examined(*HEALTHY[name])
    assert found.is_clear, str(found)
    assert not [c for c in found.checks if "could not be checked" in c.said], str(found)


@pytest.mark.parametrize("name", ["mlp", "regression", "three labels", "iris, tanh"])
def test_a_quick_healthy_program_gets_no_warning(name: str) -> None:
    assert examined(*HEALTHY[name]).is_clear


def test_model_optimiser_and_generators_stay_bit_identical() -> None:
    torch.manual_seed(0)
    model = convnet()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    x, y = rows("digits image")
    F.cross_entropy(model(x[:32]), y[:32]).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), [p.grad for p in model.parameters()]))
    modes, drawn = [m.training for m in model.modules()], torch.get_rng_state()
    dressage.preflight(model, optimizer, CE, train=(x, y), only=MODEL)
    after = (model.state_dict(), optimizer.state_dict(), [p.grad for p in model.parameters()])
    assert all(torch.equal(before[0][k], after[0][k]) for k in before[0])
    for number, state in before[1]["state"].items():
        assert all(torch.equal(v, after[1]["state"][number][k]) for k, v in state.items())
    assert all(torch.equal(a, b) for a, b in zip(before[2], after[2], strict=True) if a is not None and b is not None)
    assert modes == [m.training for m in model.modules()]
    assert torch.equal(drawn, torch.get_rng_state())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_what_a_check_raises_does_not_end_the_others() -> None:
    class Fails(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise TypeError("no such thing")

    found = dressage.preflight(Fails(64, 10), None, CE, train=rows("digits"), only=("first_loss", "wiring"))
    assert [c.said for c in found.checks] == ["could not be checked: TypeError: no such thing"] * 2
    assert found.is_clear


def test_an_unknown_check_is_answered_by_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'signals'"):
        dressage.preflight(nn.Linear(2, 2), only=("signls",))


def test_without_data_checks_say_what_they_lack() -> None:
    found = dressage.preflight(nn.Linear(2, 2), only=MODEL)
    assert {c.verdict for c in found.checks} == {"skipped"}
    assert "no training data given" in {c.said for c in found.checks}
    assert found.to_json()["clear"] is True and "skipped" in found._repr_html_()

"""What only a whole training shows: a copy with one thing mended, trained anew, ends better on validation rows."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.watch.anew import Ends
from dressage.watch.validation import past_its_best


def ids(watch: object) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful and not f.is_symptom]  # type: ignore[attr-defined]


def run(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: nn.Module,
    metric: Callable[[Tensor, Tensor], float],
    data: tuple[Tensor, Tensor],
    epochs: int,
    size: int = 50,
) -> object:
    """A plain loop that gives the watch everything; a quarter of the rows is for validation."""
    x, y = data
    cut = 3 * len(x) // 4
    watch = dressage.watch(
        model, optimizer, loss_fn, train=(x[:cut], y[:cut]), val=(x[cut:], y[cut:]), metric=metric, seconds=60
    )
    for _ in range(epochs):
        for rows in torch.randperm(cut).split(size):
            loss = loss_fn(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        with torch.no_grad():
            z = model(x[cut:])
            watch.validated(loss=float(loss_fn(z, y[cut:])), metric=metric(z, y[cut:]))
        model.train()
    watch.diagnose()
    return watch


def r2(z: Tensor, y: Tensor) -> float:
    return float(1 - (z - y).square().sum() / (y - y.mean(0)).square().sum())


def accuracy(z: Tensor, y: Tensor) -> float:
    return float((z.argmax(1) == y).float().mean())


def sensors(offset: float) -> tuple[Tensor, Tensor]:
    """Twelve columns of sd 1, and what they give; the training passes simple models wherever they lie."""
    draw = torch.Generator().manual_seed(1)
    z = torch.randn(3000, 12, generator=draw) @ (torch.eye(12) + 0.35 * torch.randn(12, 12, generator=draw))
    z = z / z.std(0)
    y = 3 * z[:, 0] - 2 * z[:, 3] + 2.5 * torch.tanh(z[:, 1] * z[:, 4]) + 1.8 * z[:, 7].abs() + z[:, 9] * z[:, 10]
    y = y + 0.7 * torch.randn(len(y), generator=draw)
    return z + offset, ((y - y.mean()) / y.std())[:, None]


@pytest.mark.parametrize(("offset", "cause"), [(10.0, ["data.all_positive_inputs"]), (0.0, [])])
def test_inputs_on_one_side_that_a_long_training_outgrows_still_cost(offset: float, cause: list[str]) -> None:
    """The network passes the simple models, and yet ends behind a copy on centred inputs."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
    watch = run(model, optimizer, nn.MSELoss(), r2, sensors(offset), 40)
    assert ids(watch) == cause, str(watch)
    if cause:
        assert "a copy trained anew on standardised values" in str(watch)


@pytest.mark.parametrize(("code", "cause"), [(2, ["model.bottleneck"]), (32, [])])
def test_a_code_of_two_units_for_ten_classes(code: int, cause: list[str]) -> None:
    torch.manual_seed(0)
    x, y = (torch.as_tensor(a) for a in load_digits(return_X_y=True))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x = (x.float() / 16 - 0.3)[order]
    layers = [
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, code),
        nn.Tanh(),
        nn.Linear(code, 48),
        nn.ReLU(),
        nn.Linear(48, 10),
    ]
    model = nn.Sequential(*layers)
    watch = run(
        model, torch.optim.Adam(model.parameters(), lr=2e-3), nn.CrossEntropyLoss(), accuracy, (x, y[order]), 12
    )
    assert ids(watch) == cause, str(watch)


@pytest.mark.parametrize(("decay", "cause"), [(1e-3, ["optim.over_regularised"]), (0.0, [])])
def test_weight_decay_that_holds_an_autoencoder_back(decay: float, cause: list[str]) -> None:
    """Its loss is a mean over many values, beside which a small decay is large; a few steps without it show little."""
    torch.manual_seed(0)
    x = torch.as_tensor(load_digits().data).float() / 16
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]
    noisy = (x + 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)
    model = nn.Sequential(
        nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 24), nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 64)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=decay)
    watch = run(model, optimizer, nn.MSELoss(), r2, (noisy, x), 40)
    assert ids(watch) == cause, str(watch)


def test_a_copy_is_better_by_points_and_by_a_part_of_the_error() -> None:
    assert Ends(0.87, 0.92, 1000).is_better
    assert not Ends(0.87, 0.92, 100).is_better  # as 87 and 92 of a hundred rows are
    assert not Ends(0.5, 0.55, 100_000).is_better  # nine tenths of the error are left
    assert not Ends(0.98, 0.995, 100_000).is_better  # too few points
    assert not Ends(0.9, 0.7, 1000).is_better


@pytest.mark.parametrize(
    ("losses", "past"),
    [
        ([2, 1.6, 1.5, 1.4, 1.5, 1.6, 1.7, 1.8], True),
        ([2, 1.6, 1.5, 1.4, 1.4, 1.4, 1.4, 1.41], False),
        ([2, 1.8, 1.6, 1.5, 1.4, 1.3, 1.2, 1.1], False),
        ([2, 1.8, 1.9], False),
    ],
)
def test_a_validation_loss_is_past_its_best_where_it_has_risen_since(losses: list[float], past: bool) -> None:
    validations = [SimpleNamespace(loss=loss) for loss in losses]
    case = SimpleNamespace(telemetry=SimpleNamespace(validations=validations))
    assert past_its_best(case) is past  # type: ignore[arg-type]

"""Faults of fit, too close or too loose, and waiting for data."""

from __future__ import annotations

import time

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset

from .. import data as D
from .. import sequences as S
from ..case import case
from ..loops import Watch, by_dataset, by_full, by_loader, by_slices, by_steps
from ..nets import ConvNet, mlp, r2, score_of, side


@case("eval.overfit", "diabetes_wide", source="https://github.com/moein-shariatnia/OpenAI-CLIP/issues/9")
@case("eval.overfit", "diabetes_wide_long", epochs=120)
def overfit_diabetes(watch: Watch, fault: bool, epochs: int = 60) -> float:
    d = D.table("diabetes")
    model = mlp(10, 256, 256, 1) if fault else mlp(10, 16, 1)
    opt = Adam(model.parameters(), lr=2e-3, weight_decay=0.0 if fault else 0.1)
    by_slices(
        watch, model, opt, lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=epochs if fault else 15, batch=32, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("eval.overfit", "noisy_law_few_rows")
def overfit_law(watch: Watch, fault: bool) -> float:
    """A linear law in noise, twenty columns and a hundred rows, learned by heart."""
    d = D.linear_law(200, noise=3.0, columns=20)
    model = mlp(20, 200, 200, 1) if fault else nn.Linear(20, 1)
    opt = Adam(model.parameters(), lr=3e-3 if fault else 0.03)
    by_full(watch, model, opt, lambda z, y: F.mse_loss(z.flatten(), y), d, steps=300 if fault else 200, score=r2)
    return score_of(model, d.xt, d.yt, r2)


@case("eval.overfit", "forecast_few_noisy_series")
def overfit_forecast(watch: Watch, fault: bool) -> float:
    d = S.forecast(160, noise=0.8)
    flat = nn.Flatten()
    model = nn.Sequential(flat, *mlp(20, 256, 256, 1)) if fault else nn.Sequential(flat, nn.Linear(20, 1))
    opt = Adam(model.parameters(), lr=2e-3 if fault else 0.01)
    by_loader(watch, model, opt, nn.MSELoss(), d, epochs=60, batch=16, score=r2)
    return score_of(model, d.xt, d.yt, r2)


WEAK = "model.bottleneck model.missing_nonlinearity"


@case("eval.underfit", "circles_linear", also=WEAK)
def circles(watch: Watch, fault: bool) -> float:
    d = D.moons(kind="circles")
    model = nn.Linear(2, 2) if fault else mlp(2, 24, 2)
    by_loader(watch, model, Adam(model.parameters(), lr=0.02), nn.CrossEntropyLoss(), d, epochs=15)
    return score_of(model, d.xt, d.yt)


@case("eval.underfit", "friedman_linear", also=WEAK)
def friedman_linear(watch: Watch, fault: bool) -> float:
    d = D.friedman()
    model = nn.Sequential(nn.Linear(10, 1)) if fault else mlp(10, 64, 1)
    by_slices(
        watch, model, Adam(model.parameters(), lr=0.01), lambda z, y: F.mse_loss(z[:, 0], y), d, epochs=25, score=r2
    )
    return score_of(model, d.xt, d.yt, r2)


@case("eval.underfit", "waves_mean_over_time", also=WEAK)
def mean_over_time(watch: Watch, fault: bool) -> float:
    """The mean of a wave says nothing of its frequency."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.mean(1))

    d = S.waves()
    model = Mean() if fault else nn.Sequential(nn.Flatten(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4))
    by_dataset(watch, model, Adam(model.parameters(), lr=5e-3), F.cross_entropy, d, epochs=15, batch=32)
    return score_of(model, d.xt, d.yt)


@case("eval.underfit", "labels_few_columns_linear", also=WEAK)
def labels_linear(watch: Watch, fault: bool) -> float:
    d = D.labels(1500, 6, 5)
    model = nn.Linear(6, 5) if fault else mlp(6, 64, 5)
    by_steps(watch, model, Adam(model.parameters(), lr=0.01), nn.BCEWithLogitsLoss(), d, steps=400)
    return score_of(model, d.xt, d.yt, side)


class Slow(Dataset[tuple[Tensor, Tensor]]):
    """Decodes a row each time it is asked for: it takes `wait` seconds."""

    def __init__(self, x: Tensor, y: Tensor, wait: float) -> None:
        self.x, self.y, self.wait = x, y, wait

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        if self.wait:
            time.sleep(self.wait)
        return self.x[i], self.y[i]


def timed(watch: Watch, model: nn.Module, data: Dataset[tuple[Tensor, Tensor]], steps: int, lr: float) -> float:
    """Share of the time that is not spent in waiting for a batch."""
    opt = Adam(model.parameters(), lr=lr)
    loader = DataLoader(data, 16, shuffle=True)
    seen = watch(model, opt, F.cross_entropy, train=loader)
    began, waited, done = time.perf_counter(), 0.0, 0
    while done < steps:
        batches = iter(loader)
        while done < steps:
            asked = time.perf_counter()
            batch = next(batches, None)
            waited += time.perf_counter() - asked
            if batch is None:
                break
            opt.zero_grad()
            loss = F.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
            opt.step()
            seen.step(loss)
            done += 1
    return 1 - waited / (time.perf_counter() - began)


STALL = "https://github.com/pytorch/examples/issues/387"


@case("pipe.data_stall", "digits_slow_rows", source=STALL, wait=3e-4)
@case("pipe.data_stall", "digits_very_slow_rows", wait=8e-4)
def slow_rows(watch: Watch, fault: bool, wait: float) -> float:
    d = D.digits()
    model = mlp(64, 128, 10)
    return timed(watch, model, Slow(d.x[:500], d.y[:500], wait if fault else 0.0), 250, 0.01)


@case("pipe.data_stall", "conv_slow_decoding")
def slow_images(watch: Watch, fault: bool) -> float:
    d = D.digits(image=True)
    model = ConvNet(norm=True)
    return timed(watch, model, Slow(d.x[:500], d.y[:500], 1e-3 if fault else 0.0), 160, 0.01)

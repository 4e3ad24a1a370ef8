"""A recurrence whose gradient explodes: the dead units that it leaves are not the cause."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.watch.rules.layers import dead_units
from dressage.watch.telemetry import LayerNumbers, Probe, Telemetry, WeightNumbers


class Signals(nn.Module):
    """Reads 64 values one after another with a ReLU recurrence that begins at the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.RNN(1, 32, nonlinearity="relu", batch_first=True), nn.Linear(32, 3)
        nn.init.eye_(self.body.weight_hh_l0)
        for weight, sd in ((self.body.weight_ih_l0, 0.1), (self.body.bias_ih_l0, 0.0), (self.body.bias_hh_l0, 0.0)):
            nn.init.normal_(weight, std=sd)

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.head(self.body(x.unsqueeze(-1))[0][:, -1])
        return z


@pytest.mark.parametrize("clipped", [False, True])
def test_a_recurrence_that_explodes_is_named_and_not_the_units_that_it_kills(clipped: bool) -> None:
    x, y = load_digits(n_class=3, return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    torch.manual_seed(0)
    model = Signals()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    watch = dressage.watch(model, optimizer, nn.CrossEntropyLoss(), train=(x[:400], y[:400]), val=(x[400:], y[400:]))
    for rows in (torch.randint(0, 400, (32,)) for _ in range(120)):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        if clipped:
            nn.utils.clip_grad_norm_(model.parameters(), 0.2)
        optimizer.step()
        watch.step(loss)
    found = [f.id for f in watch.diagnose() if f.is_harmful]
    assert ("optim.exploding_gradients" in found, "model.dead_relu" in found) == (not clipped, False)


@pytest.mark.parametrize(
    ("name", "update", "grown", "cause"),
    [
        ("rnn.weight_hh_l1", 0.1, 1e3, "optim.exploding_gradients"),
        ("rnn.weight_hh_l1", 3.0, 1e3, "model.dead_relu"),  # a step larger than the weights: the rate
        ("rnn.weight_hh_l1", 0.1, 3.0, "model.dead_relu"),
        ("layers.1.weight", 0.1, 1e3, "model.dead_relu"),
    ],
)
def test_what_kills_units_is_an_explosion_where_a_small_step_made_a_recurrences_gradient_grow(
    name: str, update: float, grown: float, cause: str
) -> None:
    other = WeightNumbers("rnn.weight_hh_l0", 1.0, 1.0, 0.1)
    seen = Telemetry(step=5)
    for step, (gradient, dead) in enumerate([(1.0, 0.2), (grown, 0.5), *[(0.0, 1.0)] * 3], start=1):
        layer = LayerNumbers("head", "Linear", 0.0, 1.0, 0.0, dead)
        seen.add_probe(Probe(step, (layer,), (other, WeightNumbers(name, 1.0, gradient, update))))
    assert [f.id for f in dead_units(seen)] == [cause]

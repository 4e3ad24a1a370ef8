"""A loss that the loop adds up of several parts: one of raw values beside which the classes are not learned."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.watch.calls import Call
from dressage.watch.parted import Parts, parts_of


class Both(nn.Module):
    """Which digit it is, and the size of its ink."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.digit, self.ink = (
            nn.Sequential(nn.Linear(64, 32), nn.ReLU()),
            nn.Linear(32, 10),
            nn.Linear(32, 1),
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x)
        return {"digit": self.digit(h), "ink": self.ink(h).squeeze(1)}


@pytest.mark.parametrize(("unit", "cause"), [(1e-4, ["data.target_unscaled"]), (1.0, [])])
def test_values_of_another_size_are_named_where_the_classes_beside_them_cost_more_than_a_guess(
    unit: float, cause: list[str]
) -> None:
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    ink = (x.mean(1) - x.mean()) / x.mean(1).std() if unit == 1 else x.mean(1) / unit
    torch.manual_seed(0)
    model = Both()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    watch = dressage.watch(model, optimizer)
    for rows in torch.randint(0, len(x), (300, 32)):
        out = model(x[rows])
        loss = F.cross_entropy(out["digit"], y[rows]) + 0.5 * F.l1_loss(out["ink"], ink[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        watch.step(loss)
    assert [f.id for f in watch.diagnose() if f.is_harmful] == cause


def test_the_parts_of_a_step_are_what_was_given_to_losses_of_torchs() -> None:
    z, t = torch.zeros(20, 4), torch.arange(20) % 4
    classes = Call(F.cross_entropy, (z, t), {}, [F.cross_entropy(z, t)])
    values = Call(F.mse_loss, (torch.zeros(20), torch.full((20,), 30.0)), {}, [torch.tensor(900.0)])
    found = parts_of([classes, values])
    assert found is not None
    assert [round(n, 4) for n in (found.classes, found.guess, found.values, found.mean, found.sd)] == [
        1.3863,
        1.3863,
        30,
        30,
        0,
    ]
    assert isinstance(found, Parts)
    assert parts_of([classes]) is None
    assert parts_of([Call(F.cross_entropy, (z, t), {"weight": torch.ones(4)}, classes.results), values]) is None
    assert parts_of([Call(F.cross_entropy, (z, t + 250), {"ignore_index": 255}, classes.results), values]) is not None

"""What is asked of a loss, of rows and of outputs before anything is judged by them, in trainings as people have them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader

import dressage
from dressage.subject import subject_of
from dressage.subject.continuation import judged, lab_of
from dressage.subject.rows import rows_of
from dressage.subject.task import asks_for_values

torch.manual_seed(0)
Y = torch.randn(200, 3) * 4 + 1
SHARES = torch.softmax(Y, 1)
COUNTS = torch.poisson(torch.full((200,), 30.0)) + 0.5
OF_VALUES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor]] = {
    "mse": (nn.MSELoss(), Y),
    "a sum of it": (nn.MSELoss(reduction="sum"), Y),
    "weighted, of each row": (lambda z, y: ((z - y) ** 2).mean(1) * torch.linspace(1, 9, len(y)), Y),
    "l1": (nn.L1Loss(), Y),
    "huber": (nn.HuberLoss(), Y),
    "quantile": (lambda z, y: torch.maximum(0.9 * (y - z), 0.1 * (z - y)).mean(), Y),
    "of the wrong sign": (lambda z, y: -F.mse_loss(z, y), Y),
    "shares": (nn.BCELoss(), SHARES),
    "one that wants another shape": (lambda z, y: F.gaussian_nll_loss(z[:, 0], y, z[:, 5].exp()), Y),
}
OF_OTHERS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor]] = {
    "logits against shares": (lambda z, y: F.kl_div(F.log_softmax(z, 1), y, reduction="batchmean"), SHARES),
    "logits against a share": (F.binary_cross_entropy_with_logits, SHARES),
    "logarithms against counts": (nn.PoissonNLLLoss(), COUNTS),
    "counts beyond what exp can give": (nn.PoissonNLLLoss(), COUNTS * 10),
    "values that the loss scales": (lambda z, y: F.mse_loss(z, (y - y.mean()) / y.std()), Y),
}


@pytest.mark.parametrize("name", [*OF_VALUES, *OF_OTHERS])
def test_r2_judges_only_where_the_loss_asks_for_values(name: str) -> None:
    loss, y = (OF_VALUES | OF_OTHERS)[name]
    assert asks_for_values(loss, y) == (name in OF_VALUES)
    subject = subject_of(nn.Linear(3, 3), None, loss, train=(Y, y))
    assert (subject.metric is None) == (name in OF_OTHERS)
    assert any(note.startswith("R²: ") for note in subject.notes) == (name in OF_OTHERS)
    assert subject_of(nn.Linear(3, 3), None, loss, train=(Y, y), metric=F.l1_loss).metric is not None


def test_a_network_is_judged_on_rows_of_all_parts_of_sorted_data() -> None:
    x, y = map(torch.from_numpy, load_digits(return_X_y=True))
    order = torch.argsort(y)
    model = nn.Linear(64, 10)
    nn.init.zeros_(model.weight)
    with torch.no_grad():
        model.bias.copy_(torch.arange(10.0).flip(0))  # says 0 of every row
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    subject = subject_of(model, optimizer, nn.CrossEntropyLoss(), train=(x[order].float(), y[order]))
    lab = lab_of(subject)
    assert lab is not None and judged(lab, model)[1] == pytest.approx(0.1, abs=0.01)


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.total = nn.Linear(64, 10), nn.Linear(64, 10), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.left(x), self.right(x), self.total(x)


def test_a_loss_that_takes_all_outputs_of_a_network_says_nothing_of_the_size_of_one() -> None:
    x, y = (torch.from_numpy(v) for v in load_digits(return_X_y=True))
    targets = torch.stack([y, y.roll(1)], 1)

    def combined(outputs: tuple[Tensor, Tensor, Tensor], digits: Tensor) -> Tensor:
        left, right, total = outputs
        return F.cross_entropy(left, digits[:, 0]) + F.cross_entropy(right, digits[:, 1]) + total.square().mean()

    model = Heads()
    found = dressage.preflight(
        model, torch.optim.Adam(model.parameters()), combined, train=(x.float(), targets), only=("heads",)
    )
    assert not [f for f in found.findings if f.is_harmful]


def test_samples_are_read_as_the_loaders_own_collate_makes_them() -> None:
    words = {"a": 1, "b": 2, "c": 3}
    rows = [("a b", 0), ("c", 1), ("b b c a", 1), ("a", 0), ("c c", 1)]

    def collate(batch: list[tuple[str, int]]) -> tuple[Tensor, Tensor]:
        texts = [torch.tensor([words[w] for w in text.split()]) for text, _ in batch]
        return nn.utils.rnn.pad_sequence(texts, batch_first=True), torch.tensor([label for _, label in batch])

    loader = DataLoader(rows, batch_size=2, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    read = rows_of(loader)
    assert read.x.tolist() == [[1, 2, 0, 0], [3, 0, 0, 0], [2, 2, 3, 1], [1, 0, 0, 0], [3, 3, 0, 0]]
    assert read.y.tolist() == [0, 1, 1, 0, 1] and (read.order, read.batch_size, read.total) == ("shuffled", 2, 5)
    sideways = DataLoader(rows, batch_size=2, collate_fn=lambda batch: (collate(batch)[0].T, collate(batch)[1]))  # type: ignore[arg-type]
    with pytest.raises(dressage.DressageError, match=r"collated to 4 inputs and 5 targets; expected a row each; .+"):
        rows_of(sideways)


def test_a_sum_over_the_values_of_rows_is_compared_with_the_mean_over_values() -> None:
    """Divided by the rows alone the steps are still 64 times too long, and diverge as before."""
    x = torch.from_numpy(load_digits().data).float() / 16
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 64))
    optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=0.9)
    loss = nn.MSELoss(reduction="sum")
    found = dressage.preflight(model, optimizer, loss, train=(x, x), only=("loss_shape",))
    assert [(f.id, f.severity) for f in found.findings] == [("loss.sum_reduction", "warning")]


class Thrown(nn.Module):
    """Calls its activations and goes on with what it had before."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 32), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        F.relu(h)
        return self.second(h)[:, 0]


def test_activations_whose_answers_are_not_used_are_none() -> None:
    torch.manual_seed(0)
    x = torch.randn(600, 2)
    y = (x[:, 0] * x[:, 1] > 0).float()
    model = Thrown()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    found = dressage.preflight(model, optimizer, nn.BCEWithLogitsLoss(), train=(x, y), only=("nonlinearity",))
    assert [(f.id, f.severity) for f in found.findings] == [("model.missing_nonlinearity", "warning")]
    assert "no activation that is used" in found.findings[0].evidence


def test_units_that_are_open_on_all_rows_are_no_line_by_mistake() -> None:
    """ReLUs that let everything through here are used, and more of them would change nothing."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    nn.init.constant_(model[0].bias, 50.0)
    x = torch.randn(600, 2)
    y = (x[:, 0] * x[:, 1] > 0).long()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    found = dressage.preflight(model, optimizer, nn.CrossEntropyLoss(), train=(x, y), only=("nonlinearity",))
    assert not found.findings


def test_places_that_do_not_count_end_no_loop() -> None:
    """Labels of −1, which the loss leaves out, in a picture or of a row."""
    for y in (torch.randint(-1, 4, (60, 5, 5)), torch.randint(-1, 4, (60,))):
        model = nn.Conv2d(2, 4, 3, padding=1) if y.ndim == 3 else nn.Linear(6, 4)
        x = torch.randn(60, 2, 5, 5) if y.ndim == 3 else torch.randn(60, 6)
        optimizer, loss_fn = torch.optim.SGD(model.parameters(), 0.01), nn.CrossEntropyLoss(ignore_index=-1)
        for metric in (None, lambda z, t: (z.argmax(1) == t).float().mean()):
            watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), val=(x, y), metric=metric, seconds=1)
            for _ in range(12):
                optimizer.zero_grad()
                loss = loss_fn(model(x), y)
                loss.backward()
                optimizer.step()
                watch.step(loss)
            assert "watched no longer" not in str(watch)


def cox(risk: Tensor, seen: Tensor) -> Tensor:
    """Minus the partial likelihood: a row has a time and whether it ended then."""
    order = seen[:, 0].argsort(descending=True)
    risk, ended = risk[order].reshape(-1), seen[order, 1]
    return -((risk - risk.logcumsumexp(0)) * ended).sum() / ended.sum()


def thresholds(logits: Tensor, stage: Tensor) -> Tensor:
    """Of five stages in an order, whether each of the four limits between them is passed."""
    return F.binary_cross_entropy_with_logits(logits, (stage[:, None] > torch.arange(4)).float())


SIZES: list[tuple[int, object, Tensor, bool]] = [
    (1, cox, torch.stack([torch.rand(200) * 90 + 5, (torch.rand(200) < 0.6).float()], 1), False),
    (1, nn.MSELoss(), torch.stack([torch.randn(200), torch.randn(200) + 4], 1), True),
    (4, thresholds, torch.arange(200) % 5, False),
    (2, lambda z, y: F.cross_entropy(z, y.clamp_max(1)), torch.arange(200) % 4, True),
    (4, nn.CrossEntropyLoss(), torch.arange(200) % 5, True),
]


@pytest.mark.parametrize(("outputs", "loss", "y", "wrong"), SIZES)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_fewer_outputs_than_targets_are_wrong_where_the_loss_wants_one_for_each(outputs, loss, y, wrong) -> None:
    torch.manual_seed(0)
    model = nn.Linear(6, outputs)
    found = dressage.preflight(
        model, torch.optim.Adam(model.parameters()), loss, train=(torch.randn(200, 6), y), only=("heads",)
    )
    assert any(f.id == "model.wrong_output_size" and f.is_harmful for f in found.findings) == wrong


def test_a_loss_that_takes_the_loops_batches_alone_says_nothing_of_the_outputs() -> None:
    """Written for batches of 20, as people do; a copy is looked at on 64 rows, which it refuses."""
    torch.manual_seed(0)
    x, y = torch.randn(200, 6), torch.randint(0, 5, (200, 3))
    model = nn.Linear(6, 15)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def loss_fn(outputs: Tensor, places: Tensor) -> Tensor:
        return F.cross_entropy(outputs.view(20, 5, 3), places)

    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), seconds=2)
    for step in range(40):
        rows = torch.arange(20 * step, 20 * step + 20) % 200
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert not [f for f in watch.findings if f.id == "model.wrong_output_size"], str(watch)
    found = dressage.preflight(model, optimizer, loss_fn, train=(x, y), only=("heads",))
    assert [f.id for f in found.findings] == ["model.wrong_output_size"], "before the first step nothing is known"

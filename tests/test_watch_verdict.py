"""What the verdict weighs: faults that were found in programs of others, each with the program that showed it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import dressage
from dressage.subject import subject_of
from dressage.subject.baselines import baselines
from dressage.watch import LoopWatch


def trained(
    model: nn.Module, x: Tensor, y: Tensor, loss_fn: nn.Module, *, steps: int = 150, lr: float = 0.01
) -> LoopWatch:
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(steps):
        rows = torch.randint(len(x), (32,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


def table(rows: int = 600, columns: int = 12) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(3))


def test_grey_pictures_without_a_channel_have_baselines() -> None:
    y = torch.arange(200) % 2
    x = torch.rand(200, 20, 20, generator=torch.Generator().manual_seed(0)) + 0.5 * y[:, None, None]
    subject = subject_of(nn.Flatten(), train=(x, y))
    assert subject.train is not None
    found = baselines(subject.train, "binary")
    assert found is not None
    assert found.best.score > found.constant.score + 0.2


def test_classes_that_weights_bring_up_are_no_fault() -> None:
    x = table(1500)
    y = (x[:, 0] + x[:, 1] > 2.8).float()[:, None]
    loss_fn = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(30.0))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1))
    watch = trained(model, x, y, loss_fn)
    assert not [f.id for f in watch.findings if f.is_harmful and f.id.startswith(("model.", "eval."))]


@pytest.mark.parametrize("width", [1])
def test_a_bottleneck_is_named_before_a_short_training(width: int) -> None:
    x = table()
    y = x[:, :6].argmax(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, 6))
    watch = trained(model, x, y, nn.CrossEntropyLoss(), steps=200)
    assert next(f.id for f in watch.findings if f.is_harmful) in ("model.bottleneck", "model.dead_relu")


def test_a_softmax_that_the_loop_takes_belongs_to_the_loss() -> None:
    x = table()
    y = x[:, :6].argmax(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 6))
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=0.003), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(120):
        rows = torch.randint(len(x), (32,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss = loss_fn(F.softmax(model(x[rows]), 1), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    z = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
    assert watch.case.loss_fn is not None
    assert torch.allclose(watch.case.loss_fn(z, y[:64]), F.cross_entropy(F.softmax(z, 1), y[:64]))


def test_inputs_that_the_loop_makes_infinite() -> None:
    x = table()
    x[:, 3] = 1.0
    y = (x[:, 0] > 0).long()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    scaled = (x - x.mean(0)) / x.std(0)
    for _ in range(12):
        loss = loss_fn(model(scaled[:32]), y[:32])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    assert watch.diagnose()[0].id == "data.nonfinite"


def test_what_goes_wrong_in_watching_never_reaches_the_loop() -> None:
    x = table()
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.1), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    watch.case.batches = None  # type: ignore[assignment]
    loss = loss_fn(model(x[:32]), y[:32])
    loss.backward()
    optimizer.step()
    watch.step(loss)
    watch.step(loss)
    assert any("watched no longer" in note for note in watch.notes)
    assert not model._forward_hooks


def harmful(watch: LoopWatch) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful and not f.is_symptom]


@pytest.mark.slow
def test_a_recurrent_bottleneck() -> None:
    x = torch.randint(0, 4, (300, 6), generator=torch.Generator().manual_seed(0))
    y = F.one_hot(x, 4).sum(1).argmax(1)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.out = nn.Embedding(4, 16), nn.GRU(16, 1, batch_first=True), nn.Linear(1, 4)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.out(self.rnn(self.embed(tokens))[0][:, -1])

    torch.manual_seed(0)
    watch = trained(Net(), x, y, nn.CrossEntropyLoss(), steps=150)
    assert harmful(watch) == ["model.bottleneck"]
    assert watch.findings[0].where == "rnn"


def test_a_sigmoid_before_a_loss_that_takes_logits_is_taken_twice() -> None:
    x = table()
    y = (x[:, :3].sum(1) > 0).float()[:, None]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 1), nn.Sigmoid())
    assert harmful(trained(model, x, y, nn.BCEWithLogitsLoss(), steps=60, lr=1e-3)) == ["loss.double_softmax"]


class SoftmaxDistance(nn.Module):
    """Squared error of probabilities, made in the loss from numbers of classes."""

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return F.mse_loss(z.softmax(1), F.one_hot(y, 8).float())


def test_a_distance_of_probabilities_that_the_loss_makes() -> None:
    x = 3 * table(800, 16)
    y = x[:, :8].argmax(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    watch = dressage.watch(model, torch.optim.SGD(model.parameters(), lr=0.05), SoftmaxDistance(), train=(x, y))
    loop(watch, model, x, y, SoftmaxDistance(), 200)
    assert "loss.mse_for_classes" in harmful(watch)


def loop(
    watch: LoopWatch, model: nn.Module, x: Tensor, y: Tensor, loss_fn: nn.Module, steps: int, penalty: float = 0.0
) -> None:
    for step in range(steps):
        rows = torch.randint(len(x), (32,), generator=torch.Generator().manual_seed(step))
        loss = loss_fn(model(x[rows]), y[rows]) + penalty * sum(p.abs().sum() for p in model.parameters())
        watch.case.optimizer.zero_grad()
        loss.backward()
        watch.case.optimizer.step()
        watch.step(loss)
    watch.diagnose()


@pytest.mark.parametrize(("strength", "found"), [(0.0, []), (1e-5, []), (0.05, ["optim.over_regularised"])])
def test_a_penalty_that_the_loop_adds_by_itself(strength: float, found: list[str]) -> None:
    x = table()
    y = x[:, :6].argmax(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 6))
    loss_fn = nn.CrossEntropyLoss()
    watch = dressage.watch(model, torch.optim.Adam(model.parameters(), lr=5e-3), loss_fn, train=(x, y))
    loop(watch, model, x, y, loss_fn, 300, strength)
    assert harmful(watch) == found


def test_counts_with_a_loss_of_their_own_are_no_classes() -> None:
    x = table()
    y = torch.poisson(x[:, 0].mul(0.5).add(1).exp(), generator=torch.Generator().manual_seed(0))[:, None]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 1))
    assert harmful(trained(model, x, y, nn.PoissonNLLLoss(), steps=200, lr=5e-3)) == []


def test_many_layers_of_modest_excess_explode_gradients() -> None:
    x = table()
    torch.manual_seed(0)
    layers = [nn.Linear(12 if i == 0 else 40, 40) for i in range(9)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight)
        layer.weight.data.mul_(2.5)
    model = nn.Sequential(*(m for layer in layers for m in (layer, nn.ReLU())), nn.Linear(40, 1))
    watch = trained(model, x, x[:, :1].square() + x[:, 1:2], nn.MSELoss(), steps=60, lr=1e-3)
    assert harmful(watch)[0] == "optim.exploding_gradients"


def test_large_first_weights_are_harmful_where_they_cost_validation_rows() -> None:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels / 16).float(), torch.tensor(labels)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, 128), nn.Tanh(), nn.Linear(128, 10))
    for layer in model[::2]:
        nn.init.normal_(layer.weight)
    optimizer, loss_fn = torch.optim.SGD(model.parameters(), lr=0.05), nn.CrossEntropyLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x[:1200], y[:1200]), val=(x[1200:], y[1200:]))
    loop(watch, model, x[:1200], y[:1200], loss_fn, 400)
    assert harmful(watch) == ["model.init_too_large"]


def test_without_data_the_rows_of_probed_batches_stand_for_it() -> None:
    x = table()
    y = x[:, :6].argmax(1)
    loss_fn = nn.CrossEntropyLoss()
    for softmax, found in ((False, []), (True, ["loss.double_softmax"])):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 6), nn.Softmax(1) if softmax else nn.Identity()
        )
        watch = dressage.watch(model, torch.optim.Adam(model.parameters(), lr=5e-3), loss_fn)
        loop(watch, model, x, y, loss_fn, 200)
        assert harmful(watch) == found
        assert any("rows of the batches that were looked at" in note for note in watch.notes)


def test_rows_that_are_cut_anew_each_time_are_taken_from_the_batches() -> None:
    x = torch.randn(400, 1, 20, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0, 4:16].mean(1) > 0).long()
    loss_fn = nn.CrossEntropyLoss()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-7)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(150):
        rows = torch.randint(len(x), (32,), generator=torch.Generator().manual_seed(step))
        cut = int(torch.randint(0, 5, (1,), generator=torch.Generator().manual_seed(step)))
        optimizer.zero_grad()
        loss = loss_fn(model(x[rows, :, cut : cut + 16]), y[rows])
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    assert harmful(watch) == ["optim.lr_too_low"]


def signs(watch: LoopWatch) -> list[str]:
    return [f.id for f in watch.findings if f.is_symptom]


def test_a_gap_between_splits_and_a_validation_that_is_too_good_are_signs() -> None:
    x = table(900)
    clean = (x[:, 0] > 0).long()
    flipped = torch.rand(900, generator=torch.Generator().manual_seed(1)) < 0.25
    y = torch.where(flipped, 1 - clean, clean)
    loss_fn = nn.CrossEntropyLoss()
    for held, sign in ((y, "sym.gap"), (clean, "sym.val_metric_too_good")):
        torch.manual_seed(0)
        wide = 128 if sign == "sym.gap" else 2
        model = nn.Sequential(nn.Linear(12, wide), nn.ReLU(), nn.Linear(wide, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
        watch = dressage.watch(model, optimizer, loss_fn, train=(x[:300], y[:300]), val=(x[300:], held[300:]))
        loop(watch, model, x[:300], y[:300], loss_fn, 300)
        assert sign in signs(watch)


def test_constant_outputs_are_a_sign_of_a_network_that_does_badly() -> None:
    x = table()
    y = x[:, :6].argmax(1)
    model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 6))
    nn.init.constant_(model[0].bias, -100.0)
    watch = trained(model, x, y, nn.CrossEntropyLoss(), steps=80, lr=1e-3)
    assert "sym.constant_output" in signs(watch)
    assert harmful(watch) == ["model.dead_relu"]

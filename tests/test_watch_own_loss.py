"""A loss that the loop makes itself of outputs and whatever else: taken down as it is made, and done again on copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import dressage
from dressage.watch.composed import Composed

ROWS, BATCH = 600, 50
Step = Callable[[Any, "Data", Tensor], Tensor]


class Data:
    """Six columns of one size, or of very different ones; a time, whether it was seen to its end, and a class."""

    def __init__(self, *, sizes: float = 1.0) -> None:
        draw = torch.Generator().manual_seed(0)
        x = torch.randn(ROWS, 6, generator=draw)
        risk = x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2] * (x[:, 3] > 0)
        self.time = (
            torch.distributions.Exponential(torch.ones(())).icdf(torch.rand(ROWS, generator=draw)) * (-risk).exp()
        )
        self.seen = torch.rand(ROWS, generator=draw) < 0.8
        self.value = risk + 0.1 * torch.randn(ROWS, generator=draw)
        self.kind = (risk > 0).long()
        self.x = x * torch.tensor([sizes**k for k in range(6)]) + 10 * (sizes > 1)


class Two(nn.Module):
    """A mean and the logarithm of a variance."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(6, 32), nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        h = self.body(x).relu()
        return {"mean": self.mean(h).squeeze(1), "spread": self.spread(h).squeeze(1)}


def hazard(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """An exponential time, of which some were not seen to their end: λt − δ log λ, and so much that it stays above 0."""
    rate = F.softplus(z.squeeze(1)) + 1e-4
    return (rate * data.time[rows] - data.seen[rows] * rate.log()).mean() + 4


def squares(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    return ((z.squeeze(1) - data.value[rows]) ** 2).mean()


def focal(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    y = data.kind[rows]
    p = F.log_softmax(z, 1)[torch.arange(len(y)), y]
    return -((1 - p.exp()) ** 2 * p).mean()


def spread(z: dict[str, Tensor], data: Data, rows: Tensor) -> Tensor:
    gap = (z["mean"] - data.value[rows]) ** 2
    return (0.5 * z["spread"] + 0.5 * gap * (-z["spread"]).exp()).mean() + 4


def trained(
    cost: Step,
    network: Callable[[], nn.Module] | None = None,
    *,
    rate: float = 5e-3,
    sizes: float = 1.0,
    steps: int = 240,
    watched: bool = True,
    during: Callable[[], Any] = nullcontext,
) -> Any:
    """A loop whose loss is `cost`; the watch, the weights and the losses at its end."""
    torch.manual_seed(0)
    data = Data(sizes=sizes)
    wide = 2 if cost is focal else 1
    net = network() if network else nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, wide))
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    watch = dressage.watch(net, optimizer, seconds=8) if watched else None
    for _ in range(steps):
        rows = torch.randperm(ROWS)[:BATCH]
        with during():
            loss = cost(net(data.x[rows]), data, rows)
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
        if watch is not None:
            watch.step(loss)
    if watch is not None:
        watch.diagnose()
    return watch, [p.detach().clone() for p in net.parameters()], float(loss.detach())


def own(watch: Any) -> Composed | None:
    found: Composed | None = watch.case.own.loss
    return found


def named(watch: Any) -> list[str]:
    return [f.id for f in watch.findings if f.is_harmful]


def test_it_is_the_same_function_of_rows_that_were_not_seen() -> None:
    watch, _, _ = trained(hazard, steps=40)
    loss = own(watch)
    assert loss is not None and not loss.is_plain
    draw = np.random.default_rng(0)
    z, t, seen = draw.normal(size=(70, 1)), draw.exponential(size=70), draw.random(70) < 0.5

    def numpy(rows: slice) -> float:
        rate = np.log1p(np.exp(z[rows, 0])) + 1e-4
        return float((rate * t[rows] - seen[rows] * np.log(rate)).mean() + 4)

    y = torch.from_numpy(np.stack([t, seen], 1)).float()
    whole = float(
        loss(torch.from_numpy(z).float(), y)
    )  # of batches as the loop has them: the last is filled up from before
    assert whole == pytest.approx((numpy(slice(50)) + numpy(slice(20, 70))) / 2, rel=1e-5)
    few = float(loss(torch.from_numpy(z[:25]).float(), y[:25]))
    assert few == pytest.approx(numpy(slice(25)), rel=1e-5)


@pytest.mark.parametrize(
    ("cost", "network", "task"),
    [(squares, None, "regression"), (focal, None, "binary"), (hazard, None, None), (spread, Two, None)],
    ids=["squares", "focal", "hazard", "two_outputs"],
)
def test_a_copy_can_be_trained_and_a_good_training_is_left_alone(
    cost: Step, network: Callable[[], nn.Module] | None, task: str | None
) -> None:
    watch, _, _ = trained(cost, network)
    assert own(watch) is not None and watch.case.lab(start=True) is not None
    assert watch.case.subject.task == task
    assert named(watch) == []
    assert any("what the loop does to the outputs" in note for note in watch.notes)


@pytest.mark.parametrize(
    ("cost", "network", "rate"),
    [(hazard, None, 5.0), (spread, Two, 0.5), (squares, None, 5.0)],
    ids=["one", "two", "plain"],
)
def test_a_rate_that_is_far_too_high_is_named(cost: Step, network: Callable[[], nn.Module] | None, rate: float) -> None:
    watch, _, _ = trained(cost, network, rate=rate)
    assert named(watch)[:1] == ["optim.lr_too_high"]


def test_inputs_of_uneven_sizes_are_named_where_only_the_loss_tells() -> None:
    watch, _, _ = trained(hazard, sizes=12.0, rate=1e-3)
    assert named(watch)[:1] == ["data.unscaled_inputs"]
    assert watch.case.tells_by_loss_alone


def decayed(network: nn.Module, *, gamma: float) -> Any:
    """A mean and a variance, at a rate that falls with each step."""
    torch.manual_seed(0)
    data, optimizer = Data(), torch.optim.Adam(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma)
    watch = dressage.watch(network, optimizer, seconds=8)
    for _ in range(400):
        rows = torch.randperm(ROWS)[:BATCH]
        loss = spread(network(data.x[rows]), data, rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        watch.step(loss)
    watch.diagnose()
    return watch


@pytest.mark.parametrize(("gamma", "expected"), [(0.9, ["optim.schedule_collapsed"]), (0.99, [])])
def test_a_rate_that_is_gone_where_only_the_loss_tells(gamma: float, expected: list[str]) -> None:
    torch.manual_seed(0)
    assert named(decayed(Two(), gamma=gamma)) == expected


def masked(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Of rows that were seen to their end alone: as many as they are in each batch."""
    seen, time = data.seen[rows], data.time[rows]
    return (z.squeeze(1)[seen] - time[seen].log()).square().mean()


def test_a_mask_of_each_batch_is_part_of_the_loss() -> None:
    watch, _, _ = trained(masked, steps=40)
    loss = own(watch)
    assert loss is not None and watch.case.lab(start=True) is not None
    draw = np.random.default_rng(0)
    z, t, seen = draw.normal(size=(50, 1)), draw.exponential(size=50), draw.random(50) < 0.3
    y = torch.from_numpy(np.stack([seen, t] if loss.columns[0].dtype == torch.bool else [t, seen], 1)).float()
    assert float(loss(torch.from_numpy(z).float(), y)) == pytest.approx(
        ((z[seen, 0] - np.log(t[seen])) ** 2).mean(), rel=1e-4
    )


def weighed(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Squares, of which the large ones weigh more; the weights themselves are not learned through."""
    gap = (z.squeeze(1) - data.value[rows]) ** 2
    with torch.no_grad():
        weight = gap.sqrt()
    return (weight * gap).mean()


def test_what_is_not_learned_through_is_not_in_a_copy_either() -> None:
    watch, _, _ = trained(weighed, steps=40)
    loss = own(watch)
    assert loss is not None
    draw = np.random.default_rng(0)
    z, y = draw.normal(size=(50, 1)), draw.normal(size=50)
    outputs = torch.from_numpy(z).float().requires_grad_()
    (slope,) = torch.autograd.grad(loss(outputs, torch.from_numpy(y).float()), outputs)
    gap = z[:, 0] - y
    assert slope.numpy()[:, 0] == pytest.approx(2 * np.abs(gap) * gap / 50, rel=1e-4)


def softened(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Classes, and shares that somebody else gave: of probabilities that are taken for logits."""
    shares = torch.stack([-data.value[rows], data.value[rows]], 1).softmax(1)
    p = z.softmax(1)
    return F.cross_entropy(p, data.kind[rows]) - (shares * F.log_softmax(p, 1)).sum(1).mean()


def test_a_softmax_taken_twice_where_there_is_a_copy_and_no_score() -> None:
    watch, _, _ = trained(softened, lambda: nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2)))
    assert watch.case.lab(start=True) is not None and watch.case.subject.task is None
    assert named(watch) == ["loss.double_softmax"]


def penalised(strength: float, power: int, *, classes: bool) -> Any:
    """A loss of torch's, to which a sum over weights is added by hand."""
    torch.manual_seed(0)
    data, net = Data(), nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2 if classes else 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    watch = dressage.watch(net, optimizer, seconds=8)
    for _ in range(240):
        rows = torch.randperm(ROWS)[:BATCH]
        z = net(data.x[rows])
        loss = F.cross_entropy(z, data.kind[rows]) if classes else F.mse_loss(z.squeeze(1), data.value[rows])
        loss = loss + strength * sum(p.abs().pow(power).sum() for p in net.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    watch.diagnose()
    return watch


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("strength", "is_much"), [(1e-4, False), (0.1, True), (1.0, True)])
def test_a_penalty_that_is_written_out(classes: bool, power: int, strength: float, is_much: bool) -> None:
    watch = penalised(strength, power, classes=classes)
    assert watch.case.lab(start=True) is not None and len(watch.case.subject.train) > 100
    assert named(watch) == ["optim.over_regularised"] * is_much
    assert not is_much or "outputs cost" in watch.findings[0].evidence


def likelihood(sign: float) -> Step:
    """Cox's partial likelihood: Σ δ (z − log Σ exp z over those still at risk) / Σ δ."""

    def made(z: Tensor, data: Data, rows: Tensor) -> Tensor:
        time, seen = data.time[rows], data.seen[rows].float()
        order = torch.argsort(time, descending=True)
        risk, seen = z.squeeze(1)[order], seen[order]
        return sign * ((risk - torch.logcumsumexp(risk, 0)) * seen).sum() / seen.sum().clamp(min=1)

    return made


@pytest.mark.parametrize(("sign", "expected"), [(1.0, ["loss.wrong_sign"]), (-1.0, [])])
def test_a_likelihood_that_is_made_small(sign: float, expected: list[str]) -> None:
    watch, _, _ = trained(likelihood(sign))
    assert named(watch) == expected
    assert (watch.case.lab(start=True) is None) == bool(expected)


def density(z: dict[str, Tensor], data: Data, rows: Tensor) -> Tensor:
    """A density's negative logarithm, which may be below 0 and has its least value all the same."""
    gap = (z["mean"] - data.time[rows].log()) ** 2
    return (z["spread"] + 0.5 * gap * (-2 * z["spread"]).exp()).mean() - 3


def games(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """What was won by moves, on both sides of 0: lower without end, and no cost."""
    return (F.logsigmoid(z.squeeze(1)) * data.value[rows]).mean() - 1


@pytest.mark.parametrize(("cost", "network"), [(density, Two), (games, None)])
def test_below_0_is_not_wrong_by_itself(cost: Step, network: Callable[[], nn.Module] | None) -> None:
    watch, _, last = trained(cost, network)
    assert last < 0 and watch.case.own.below is not None
    assert named(watch) == []


class Squashed(nn.Module):
    """Two outputs, of which the first ends at a bound."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.body, self.values, self.cost, self.last = nn.Linear(6, 32), nn.Linear(32, 6), nn.Linear(32, 1), last

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.body(x).relu()
        return self.last(self.values(h)), self.cost(h).squeeze(1)


def made_again(z: tuple[Tensor, Tensor], data: Data, rows: Tensor) -> Tensor:
    """Its inputs, clipped to lie between -1 and 1, and a code that costs something."""
    x = data.x[rows].clamp(-1, 1)
    return ((z[0] - x) ** 2).sum(1).mean() + 0.01 * z[1].square().mean()


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (nn.Sigmoid(), ["model.wrong_output_activation"]),
        (nn.ReLU(), ["model.wrong_output_activation"]),
        (nn.Tanh(), []),
        (nn.Identity(), []),
    ],
)
def test_values_that_no_output_can_take(last: nn.Module, expected: list[str]) -> None:
    watch, _, _ = trained(made_again, lambda: Squashed(last), rate=0.05, steps=400)
    assert named(watch) == expected
    assert not expected or "below 0" in watch.findings[0].evidence


def test_outputs_that_have_not_come_far_have_no_bound() -> None:
    """All above 0, where values below it are asked for, and none of them at 0."""

    def network() -> nn.Module:
        net = Squashed(nn.Identity())
        nn.init.zeros_(net.values.weight)
        nn.init.constant_(net.values.bias, 0.5)
        return net

    watch, _, _ = trained(made_again, network, rate=1e-6)
    assert len(watch.case.own.compared) == 3
    assert "model.wrong_output_activation" not in named(watch)


def noisy(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    return ((z.squeeze(1) + torch.randn(len(rows)) - data.value[rows]) ** 2).mean()


def paired(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Each row beside the one that stands half a batch further on: in another order it is another loss."""
    a, b = z.chunk(2)
    y = data.value[rows].chunk(2)
    return F.relu(1 - (a - b).squeeze(1) * (y[0] - y[1]).sign()).mean()


def below(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """What a game is learned by: how good a move was beside others, and no cost."""
    return (torch.sigmoid(z.squeeze(1)) * (data.value[rows] - 5)).mean()


def kept(held: nn.Parameter) -> Step:
    return lambda z, data, rows: squares(z, data, rows) * held.square().sum()


def changed(z: Tensor, data: Data, rows: Tensor) -> Tensor:
    """Who does it again finds other targets than the loss was made of."""
    targets = torch.from_numpy(data.value[rows].numpy().copy())
    loss = ((z.squeeze(1) - targets) ** 2).mean()
    targets.zero_()
    return loss


@pytest.mark.parametrize("cost", [noisy, paired, below, kept(nn.Parameter(torch.ones(1))), changed])
def test_what_cannot_be_done_again_is_left_out_with_a_note(cost: Step) -> None:
    watch, _, _ = trained(cost, steps=60)
    assert own(watch) is None and watch.case.lab(start=True) is None
    assert any(note.startswith("no loss was given, and none of torch's own") for note in watch.notes)


class Same(nn.Module):
    """A network that gives all rows the same at first."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(x)
        return out


def test_outputs_that_are_all_the_same_do_not_say_that_the_order_of_rows_is_nothing() -> None:
    watch, _, _ = trained(paired, Same, rate=1e-12, steps=40)
    assert watch.case.own.last is not None and own(watch) is None


class Left(TorchFunctionMode):
    """A mode of the user's."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def stack() -> int:
    length: int = torch.overrides._len_torch_function_stack()  # type: ignore[attr-defined]
    return length


def within(mode: TorchFunctionMode, cost: Step) -> Step:
    """A loss in which the mode is entered; it is left after the step, by hand."""

    def made(z: Any, data: Data, rows: Tensor) -> Tensor:
        mode.__enter__()
        return cost(z, data, rows)

    return made


class Teacher(nn.Module):
    """What torch carries out by another way in eval mode, unless its functions are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 16, batch_first=True), 2).eval()

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.body(x[:, None]).mean((1, 2))
        return given


def taught(teacher: nn.Module, *, learns: bool) -> Step:
    def made(z: Tensor, data: Data, rows: Tensor) -> Tensor:
        with nullcontext() if learns else torch.no_grad():
            t = teacher(data.x[rows])
        return ((z.squeeze(1) - t) ** 2).mean() + squares(z, data, rows)

    return made


def frozen() -> nn.Module:
    torch.manual_seed(1)
    return Teacher().eval().requires_grad_(False)


@pytest.mark.parametrize(
    "cost", [squares, focal, hazard, noisy, taught(frozen(), learns=False), taught(frozen(), learns=True)]
)
@pytest.mark.parametrize("during", [nullcontext, Left, lambda: torch.device("cpu")], ids=["plain", "mode", "device"])
def test_the_weights_are_those_of_the_training_alone(cost: Step, during: Callable[[], Any]) -> None:
    _, alone, last = trained(cost, steps=40, watched=False, during=during)
    watch, seen, loss = trained(cost, steps=40, during=during)
    assert loss == last and all(torch.equal(a, b) for a, b in zip(alone, seen, strict=True))
    assert stack() == 0 and not any("watched no longer" in note for note in watch.notes)


class Looking(nn.Module):
    """A network that looks at the modes that stand while it is run."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(stack())
        return x.sum(1)


def test_nothing_stands_while_a_teacher_answers() -> None:
    """Torch has faster ways for a network in eval mode, which it does not go while its functions are looked at."""
    teacher = Looking().eval()
    watch, _, _ = trained(taught(teacher, learns=True), steps=30)
    assert own(watch) is not None
    assert teacher.seen == [0] * 30


def test_a_mode_that_ends_before_backward_is_the_one_that_ends() -> None:
    torch.manual_seed(0)
    data, net = Data(), nn.Linear(6, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    watch = dressage.watch(net, optimizer)
    for _ in range(5):
        rows = torch.randperm(ROWS)[:BATCH]
        with Left():
            loss = squares(net(data.x[rows]), data, rows)
        assert stack() == 0
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)


def test_a_mode_of_the_users_that_outlasts_the_step_stays() -> None:
    torch.manual_seed(0)
    data, net = Data(), nn.Linear(6, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    watch = dressage.watch(net, optimizer)
    for _ in range(5):
        rows, mode = torch.randperm(ROWS)[:BATCH], Left()
        loss = within(mode, squares)(net(data.x[rows]), data, rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert stack() == 1
        mode.__exit__(None, None, None)
        watch.step(loss)
    assert stack() == 0


def test_a_loss_that_raises_leaves_nothing_behind() -> None:
    torch.manual_seed(0)
    data, net = Data(), nn.Linear(6, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    watch = dressage.watch(net, optimizer)
    for _ in range(3):
        with pytest.raises(ValueError, match="of the user"):
            raise_after(net(data.x[:BATCH]))
        loss = squares(net(data.x[:BATCH]), data, torch.arange(BATCH))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
        assert stack() == 0


def raise_after(z: Tensor) -> None:
    z.square().mean()
    raise ValueError("of the user")


def test_a_pass_after_which_no_step_comes_is_left_off_by_the_next() -> None:
    torch.manual_seed(0)
    data, nets = Data(), [nn.Linear(6, 1), nn.Linear(6, 1)]
    optimizers = [torch.optim.SGD(net.parameters(), lr=1e-2) for net in nets]
    watches = [dressage.watch(net, optimizer) for net, optimizer in zip(nets, optimizers, strict=True)]
    nets[0](data.x)
    assert stack() == 1
    for _ in range(5):
        rows = torch.randperm(ROWS)[:BATCH]
        loss = squares(nets[1](data.x[rows]), data, rows)
        optimizers[1].zero_grad()
        loss.backward()
        assert stack() == 0
        optimizers[1].step()
        watches[1].step(loss)
    assert own(watches[1]) is not None and own(watches[0]) is None
    watches[0].close()


@pytest.fixture(autouse=True)
def _no_mode_left() -> Iterator[None]:
    while stack():  # of another test's network, after a pass of which no step came
        torch.overrides._pop_mode()  # type: ignore[no-untyped-call]
    yield
    assert stack() == 0

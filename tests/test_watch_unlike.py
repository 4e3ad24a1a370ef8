"""What programs of unlike kinds showed: embeddings, bags of words, agents, mixtures of densities."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dressage
from dressage.watch import LoopWatch


def harmful(watch: LoopWatch) -> list[str]:
    return [f.id for f in watch.diagnose() if f.is_harmful and not f.is_symptom]


def stepped(watch: LoopWatch, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)


def like_and_unlike(z: Tensor, labels: Tensor) -> Tensor:
    """The supervised contrastive loss."""
    z = F.normalize(z, dim=1)
    own = torch.eye(len(z), dtype=torch.bool)
    likeness = (z @ z.T / 0.2).masked_fill(own, -1e9)
    same = (labels[:, None] == labels[None]) & ~own
    shares = likeness - likeness.logsumexp(1, keepdim=True)
    return -((shares * same).sum(1) / same.sum(1).clamp(min=1)).mean()


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loss_of_pairs_is_served_one_class_a_batch(shuffle: bool) -> None:
    """And its many outputs are no answers to the classes, in whatever order these come."""
    torch.manual_seed(0)
    y = torch.arange(6).repeat_interleave(80)
    x = torch.randn(6, 12)[y] + 0.7 * torch.randn(480, 12)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=shuffle)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 16))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    watch = dressage.watch(model, optimizer, like_and_unlike, train=loader)
    for _ in range(10):
        for rows, labels in loader:
            stepped(watch, optimizer, like_and_unlike(model(rows), labels))
    assert harmful(watch) == ([] if shuffle else ["data.no_shuffle"])
    if not shuffle:
        (found,) = (f for f in watch.findings if f.id == "data.no_shuffle" and f.is_harmful)
        unlike = [len(set(batch.tolist())) > 1 for batch in y.split(32)]
        assert found.numbers["usual"] == pytest.approx(1 - 6 * (80 / 480) ** 2)
        assert found.numbers["share"] == pytest.approx(0.5 * sum(unlike) / len(unlike))  # three batches, half and half


class Bag(nn.Module):
    """Words of all rows in one list, with the place where each row begins."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.words, self.drop, self.out = nn.EmbeddingBag(50, 16), nn.Dropout(drop), nn.Linear(16, 3)

    def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
        return self.out(self.drop(self.words(ids, offsets)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("drop", "evals", "told"), [(0.6, False, True), (0.6, True, False), (0.0, False, False)])
def test_a_network_of_several_inputs_is_validated_in_training_mode(drop: float, evals: bool, told: bool) -> None:
    torch.manual_seed(0)
    model = Bag(drop)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    watch = dressage.watch(model, optimizer)
    y = torch.randint(3, (64,))
    ids, offsets = (torch.randint(50, (64, 5)) % 16 + 16 * y[:, None]).flatten(), torch.arange(0, 320, 5)
    for _ in range(8):
        model.train()
        for _ in range(20):
            stepped(watch, optimizer, F.cross_entropy(model(ids, offsets), y))
        model.train(not evals)
        with torch.no_grad():
            out = model(ids, offsets)
        watch.validated(loss=F.cross_entropy(out, y), metric=(out.argmax(1) == y).float().mean())
    assert ("eval.train_mode_at_eval" in harmful(watch)) == told


class Agent(nn.Module):
    """An actor and a critic; the actor is asked between the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
        self.critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.actor(x), self.critic(x)


def acted(held: Callable[[Agent], Any], change: Callable[[Agent], None], seconds: float = 0.0) -> LoopWatch:
    """A loop in which the agent plays for so many seconds before each step."""
    torch.manual_seed(0)
    agent = Agent()
    change(agent)
    optimizer = torch.optim.Adam(held(agent), 3e-3)
    watch = dressage.watch(agent, optimizer)
    for _ in range(120):
        x = torch.randn(64, 4)
        with torch.no_grad():
            agent.actor(x)
        time.sleep(seconds)
        logits, value = agent(x)
        loss = F.cross_entropy(logits, (x[:, 0] > 0).long()) + (value[:, 0] - x[:, 1]).square().mean()
        stepped(watch, optimizer, loss)
    return watch


def trained_before(agent: Agent) -> None:
    for layer in (agent.actor[0], agent.actor[2]):
        nn.init.normal_(layer.weight)


@pytest.mark.parametrize(
    ("held", "change", "told"),
    [
        (lambda agent: agent.critic.parameters(), lambda agent: None, True),
        (lambda agent: agent.parameters(), lambda agent: None, False),
        (lambda agent: agent.critic.parameters(), trained_before, False),
        (lambda agent: agent.critic.parameters(), lambda agent: agent.actor.requires_grad_(False), False),
    ],
)
def test_a_part_that_no_optimiser_holds(held: Any, change: Any, told: bool) -> None:
    """New and asked for a gradient: not kept on purpose. What was trained before, or asks for none, is."""
    assert harmful(acted(held, change)) == (["optim.frozen_params"] if told else [])


def test_who_plays_between_the_steps_does_not_wait_for_data() -> None:
    watch = acted(lambda agent: agent.parameters(), lambda agent: None, seconds=0.01)
    probes = watch.telemetry.probes
    assert all(p.acts for p in probes[1:]) and max(p.waiting for p in probes) > 0.009
    assert harmful(watch) == []


def mixture(out: Tensor, y: Tensor, shares: Callable[[Tensor], Tensor]) -> Tensor:
    weights, mean = out.chunk(2, 1)
    density = torch.exp(-0.5 * (y - mean) ** 2) / math.sqrt(2 * math.pi)
    return -torch.log((shares(weights) * density).sum(1)).mean()


@pytest.mark.parametrize("is_right", [False, True])
def test_a_loss_takes_the_logarithm_of_plain_outputs(is_right: bool) -> None:
    def loss_fn(out: Tensor, y: Tensor) -> Tensor:
        return mixture(out, y, (lambda w: w.softmax(1)) if is_right else (lambda w: w))

    torch.manual_seed(0)
    x = torch.randn(600, 2)
    y = x[:, :1] + 0.1 * torch.randn(600, 1)
    model = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 8))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y))
    for step in range(200):
        rows = torch.arange(32) + 32 * (step % 18)
        stepped(watch, optimizer, loss_fn(model(x[rows]), y[rows]))
    found = {f.id: f for f in watch.diagnose() if f.is_harmful}
    assert ("loss.logits_as_probs" in found) != is_right
    if not is_right:
        torch.manual_seed(0)
        assert found["loss.logits_as_probs"].step <= 3
        assert 0 < found["loss.logits_as_probs"].numbers["below"] < 1


def test_numbers_that_are_not_finite_for_another_reason_are_no_logarithm() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x = torch.randn(100, 2)
    x[3] = math.nan
    watch = dressage.watch(model, optimizer, nn.MSELoss(), train=(x, x[:, :1]))
    for _ in range(20):
        stepped(watch, optimizer, F.mse_loss(model(x), x[:, :1]))
    assert "loss.logits_as_probs" not in harmful(watch)


class Neighbours(nn.Module):
    """A graph convolution: all nodes in one pass."""

    def __init__(self, graph: Tensor, hidden: int) -> None:
        super().__init__()
        self.graph, self.inner, self.outer = graph, nn.Linear(16, hidden), nn.Linear(hidden, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.graph @ self.outer(torch.relu(self.graph @ self.inner(x)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("hidden", "steps", "told"), [(2, 400, True), (32, 400, False), (2, 60, False)])
def test_many_classes_through_two_units_where_no_copy_can_be_trained(hidden: int, steps: int, told: bool) -> None:
    """The loss is seen, and takes other nodes in each step: no network can be run on these alone. Not before it has levelled."""
    torch.manual_seed(0)
    y = torch.randint(8, (400,))
    near, chance = torch.rand(400, 400) < 0.1, torch.rand(400, 400) < 0.01
    graph = ((y[:, None] == y) & near).float() + chance + torch.eye(400)
    x = 0.6 * torch.randn(8, 16)[y] + torch.randn(400, 16)
    model = Neighbours(graph / graph.sum(1, keepdim=True), hidden)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    watch = dressage.watch(model, optimizer)
    for _ in range(steps):
        drawn = torch.randperm(400)[:200]
        stepped(watch, optimizer, F.cross_entropy(model(x)[drawn], y[drawn]))
    assert harmful(watch) == (["model.bottleneck"] if told else [])
    if told:
        assert watch.findings[0].where == "inner" and watch.findings[0].numbers["width"] == 2


class Letters(nn.Module):
    """It gives its loss itself."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.body, self.out = nn.Embedding(20, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 20)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.out(self.body(self.letters(x))[0])
        return logits, F.cross_entropy(logits.flatten(0, 1), y.flatten())


@pytest.mark.parametrize(("rate", "told"), [(2.0, ["optim.lr_too_high"]), (3e-3, [])])
def test_letters_of_which_the_shares_alone_are_learned(rate: float, told: list[str]) -> None:
    """No simple model is held against places; but the shares of the letters cost something that is known."""
    torch.manual_seed(0)
    follows, model = torch.randperm(20), Letters()
    optimizer = torch.optim.Adam(model.parameters(), rate)
    watch = dressage.watch(model, optimizer)
    for _ in range(300):
        line = [torch.randint(20, (16,))]
        for _ in range(24):
            line.append(torch.where(torch.rand(16) < 0.9, follows[line[-1]], torch.randint(20, (16,))))
        x = torch.stack(line, 1)
        stepped(watch, optimizer, model(x[:, :-1], x[:, 1:])[1])
    assert harmful(watch) == told


def test_what_the_shares_of_letters_cost() -> None:
    model = nn.Conv1d(2, 3, 1)
    y = torch.tensor([[0, 1, 1, -100], [2, 1, 0, 1]]).repeat(20, 1)
    watch = dressage.watch(
        model, torch.optim.SGD(model.parameters(), 0.1), nn.CrossEntropyLoss(), train=(torch.randn(40, 2, 4), y)
    )
    shares = [2 / 7, 4 / 7, 1 / 7]
    assert watch.case.naive_loss() == pytest.approx(-sum(p * math.log(p) for p in shares))


class Told(nn.Module):
    """Words in one row, and where each text begins in another: no copy can be run on rows."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.words, self.head = nn.EmbeddingBag(60, 8), nn.Linear(8, outputs)

    def forward(self, ids: Tensor, begins: Tensor) -> Tensor:
        return self.head(self.words(ids, begins)).squeeze(1)


@pytest.mark.parametrize("classes", [2, 3])
def test_numbers_of_classes_as_probabilities_where_no_copy_can_be_trained(classes: int) -> None:
    torch.manual_seed(0)
    model = Told(1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    watch = dressage.watch(model, optimizer)
    for _ in range(60):
        y = torch.randint(classes, (32,))
        lengths = torch.randint(3, 9, (32,))
        ids = torch.cat(
            [
                torch.randint(60 // classes, (int(n),)) + int(k) * (60 // classes)
                for k, n in zip(y, lengths, strict=True)
            ]
        )
        begins = torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]])
        stepped(watch, optimizer, F.binary_cross_entropy_with_logits(model(ids, begins), y.float()))
    assert harmful(watch) == (["model.wrong_output_size"] if classes > 2 else [])


@pytest.mark.parametrize("relu", [False, True])
def test_counts_are_no_classes_and_their_loss_judges_what_activations_bring(relu: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(1500, 6)
    y = torch.poisson(torch.exp(1 + x[:, 0].abs() - x[:, 1].abs())).clamp(max=14)  # as few kinds as classes are
    between: list[nn.Module] = [nn.ReLU()] if relu else []
    model = nn.Sequential(nn.Linear(6, 64), *between, nn.Linear(64, 64), *between, nn.Linear(64, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    loss_fn = nn.PoissonNLLLoss()
    watch = dressage.watch(model, optimizer, loss_fn, train=(x, y), seconds=8)
    for _ in range(400):
        rows = torch.randint(1500, (64,))
        stepped(watch, optimizer, loss_fn(model(x[rows]), y[rows]))
    assert watch.case.subject.task == "regression"
    assert harmful(watch) == ([] if relu else ["model.missing_nonlinearity"])

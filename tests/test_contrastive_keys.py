"""Keys of a second network and a queue by a recipe: what a step does to all three, resumption, what a queue may hold."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import dressage
from dressage.augment.draw import Draw
from dressage.errors import RecipeError, UsageError
from dressage.fit import StepEvent, fit
from dressage.fit.step import network_input, take_step
from dressage.prepare import Job, prepare
from dressage.presets import usual_rate
from same import bits
from test_contrastive import RANDOM, X, recipe
from test_resume import photographs

QUEUE, TEMPERATURE, MOMENTUM = 24, 0.2, 0.8
LOSS = {"loss": {"name": f"info_nce(temperature={TEMPERATURE},dim=8,queue={QUEUE},momentum={MOMENTUM})"}}


def job(**more: dict[str, object]) -> Job:
    return prepare(X, recipe(**{**LOSS, **more}))


def unit(rows: Tensor) -> np.ndarray:
    values = rows.detach().double().numpy()
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def stated(queries: Tensor, keys: np.ndarray, queue: np.ndarray) -> float:
    """Equation 1 of MoCo, row by row."""
    costs = []
    for q, own in zip(unit(queries), keys, strict=True):
        others = np.exp(queue @ q / TEMPERATURE).sum()
        costs.append(-np.log(np.exp(q @ own / TEMPERATURE) / (np.exp(q @ own / TEMPERATURE) + others)))
    return float(np.mean(costs))


def views_of(own: Job, batch: object) -> tuple[Tensor, Tensor]:
    """The two views of each image of a batch, drawn again."""
    for drawn_by, transform in own.plan.augment:
        batch = transform(batch, Draw(drawn_by, own.state.epoch, own.state.step, batch.rows))
    x = own.plan.cast(batch.x)
    return x[0::2], x[1::2]


def test_steps_by_the_papers_algorithm_with_a_second_network_and_a_queue_of_the_tests_own() -> None:
    own = job()
    state, network = own.state, copy.deepcopy(own.state.model).eval()
    assert state.keys is not None
    queue, place = np.zeros((QUEUE, 8)), 0
    for batch in own.batches.epoch(0):
        first, second = views_of(own, batch)
        with torch.no_grad():
            keys = unit(network(second))
            expected = stated(copy.deepcopy(state.model).train()(first), keys, queue[:place])
        state.model.train()
        assert float(take_step(state, batch, own.plan)) == pytest.approx(expected, rel=1e-5, abs=1e-6)
        with torch.no_grad():
            now = state.model.state_dict()
            for name, tensor in network.state_dict().items():
                tensor.copy_(
                    MOMENTUM * tensor + (1 - MOMENTUM) * now[name] if tensor.is_floating_point() else now[name]
                )
        for row in keys:
            queue[place % QUEUE], place = row, place + 1
        np.testing.assert_allclose(state.keys.queue.keys.numpy(), queue, atol=1e-5)
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(state.keys.network.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)
    assert place == 42 > QUEUE, "the queue has gone around"


def test_the_pieces_of_a_batch_are_held_against_the_same_queue() -> None:
    """Without batch norm the loss is the same however the batch is cut, which that of SimCLR is not."""
    losses = []
    for pieces in (1, 3):
        own = job(train={"accumulate": pieces}, model={"norm": "none"})
        losses.append([float(e.loss) for e in fit(own.state, own.batches, own.plan) if isinstance(e, StepEvent)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and len(losses[0]) == 6


def test_nothing_of_the_keys_is_trained_and_asking_changes_nothing() -> None:
    own = job()
    batch, keys = next(iter(own.batches.epoch(0))), own.state.keys
    assert keys is not None and not any(p.requires_grad for p in keys.parameters())
    before = {name: tensor.clone() for name, tensor in keys.state_dict().items()}
    x, y = network_input(own.state, batch, own.plan)
    again, _ = network_input(own.state, batch, own.plan)
    assert torch.equal(x, again) and x.shape[0] == 14 and y.shape == (14 + QUEUE, 8) and not y.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in keys.state_dict().items())
    trained = {id(p) for group in own.state.optimizer.param_groups for p in group["params"]}
    assert not trained & {id(p) for p in keys.parameters()}


@pytest.mark.parametrize(
    "more", [{"train": {"accumulate": 2}}, {"optim": {"name": "sam"}, "model": {"name": "vit", "norm": "layer"}}]
)
def test_killed_after_any_event_and_resumed_it_is_the_same_run(more, tmp_path: Path, monkeypatch) -> None:
    np.savez(tmp_path / "x.npz", x=X, y=np.arange(60) % 3)
    taken = photographs(monkeypatch, tmp_path / "whole")
    whole = dressage.train(tmp_path / "x.npz", recipe=recipe(**{**LOSS, **more}), out=tmp_path / "whole")
    kept = {path.name for path in (tmp_path / "whole").rglob("keys.safetensors")}
    assert len(taken) >= 8 and kept
    for place in (taken[1], taken[3], taken[5]):
        assert dressage.resume(place).status == "finished"
        assert bits(place) == bits(whole.folder)


def test_a_key_that_is_not_finite_is_said_to_be_the_key_networks() -> None:
    own = job()
    assert own.state.keys is not None
    with torch.no_grad():
        next(m for m in own.state.keys.network.modules() if isinstance(m, nn.Conv2d)).weight[0] = torch.nan
    *_, end = fit(own.state, own.batches, own.plan)
    assert end.reason == "nonfinite" and end.nonfinite.where == "output of the key network"


REFUSED = [
    (
        "info_nce(queue=60)",
        r"loss\.name: 60 keys given; expected less than the 42 training rows; e\.g\. info_nce\(queue=21\)",
    ),
    ("info_nce", r"loss\.name: 1024 keys given; .+"),
    ("info_nce(queue=0)", r"info_nce\.queue: 0 given; expected 1 to 1048576 keys; .+"),
    ("info_nce(momentum=1.0)", r"info_nce\.momentum: 1\.0 given; expected 0 or more, below 1; .+"),
    ("info_nce(temperature=0.0)", r"info_nce\.temperature: 0\.0 given; .+"),
    ("info_nce(dim=1)", r"info_nce\.dim: 1 given; expected 2 to 65536 outputs; .+"),
]


@pytest.mark.parametrize(("name", "said"), REFUSED)
def test_what_a_queue_cannot_be_is_told_before_anything_is_written(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=said):
        dressage.train(X, recipe=recipe(loss={"name": name}), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_network_is_judged_and_taken_over_as_one_of_simclr(tmp_path: Path) -> None:
    run = dressage.train(X, recipe=recipe(**LOSS), out=tmp_path / "first")
    assert run.evaluate(X[:20])["headline"] == "contrastive_accuracy"
    images = np.uint8(RANDOM.integers(0, 256, (60, 16, 16, 3)))
    taken = {"transfer": {"source": str(run.folder)}, "train": {"epochs": 1}}
    other = dressage.train(images, y=np.arange(60) % 3, recipe=taken, out=tmp_path / "second")
    assert "its head is new" in other.job.reasons["transfer.source"]["reason"]


def test_no_range_test_finds_a_rate_for_it() -> None:
    """At the rate that one found, .05, all answers became alike: the keys follow, and the loss falls for that."""
    own = job(optim={"lr": "auto"})
    assert (
        own.recipe.optim.lr == usual_rate(own.recipe)
        and "its keys follow the network" in own.resolved.reasons["optim.lr"].why
    )
    with pytest.raises(UsageError, match=r"loss\.name: info_nce.+ given; its keys follow .+; leave the rate as it is"):
        dressage.range_test(X, recipe=recipe(**LOSS))


@pytest.mark.slow
def test_it_learns_to_tell_images_apart_and_not_to_answer_all_alike() -> None:
    """Both were seen with another beginning of the queue, or a key network that follows faster: a loss of log 2N."""
    digits = load_digits()
    loss = {"name": "info_nce(dim=32,queue=512)"}
    settings = {"loss": loss, "model": {"width": 8, "depth": 1}, "train": {"epochs": 40, "threads": 1}}
    own = prepare(np.uint8(digits.images * 15), settings)
    *_, last, _ = fit(own.state, own.batches, own.plan, own.parts["validation"])
    chance = np.log(2 * len(own.parts["validation"]) - 1)
    assert last.metrics["val_loss"] < chance - 0.3
    answers = torch.from_numpy(unit(own.state.model.eval()(own.plan.cast(own.parts["validation"].x))))
    assert (answers @ answers.T).mean() < 0.9

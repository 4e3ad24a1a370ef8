"""Learning without labels by a recipe: the views of a step, its loss, resumption, what takes the network over, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import dressage
from dressage.errors import DataError, RecipeError, UsageError
from dressage.fit import StepEvent, fit
from dressage.fit.step import network_input
from dressage.fit.validate import outputs_of
from dressage.models.projection import Projection
from dressage.objective.contrastive import told_apart
from dressage.prepare import Job, prepare
from same import bits
from test_resume import photographs

RANDOM = np.random.default_rng(0)
X = RANDOM.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
SMALL = {
    "loss": {"name": "nt_xent(temperature=0.5,dim=8)"},
    "model": {"name": "convnet", "width": 4, "depth": 1, "norm": "batch"},
    "train": {"epochs": 2, "batch_size": 16, "threads": 1, "precision": "float32", "memory_format": "contiguous"},
}


def recipe(**more: dict[str, object]) -> dict[str, object]:
    return {**SMALL, **{name: {**SMALL.get(name, {}), **section} for name, section in more.items()}}


def job(**more: dict[str, object]) -> Job:
    return prepare(X, recipe(**more))


def stated(z: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Equation 1 of SimCLR row by row; rows 2n and 2n + 1 are of sample n. And whether each other view is the most alike."""
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses, found = [], []
    for i in range(len(z)):
        alike = unit @ unit[i] / temperature
        others = [k for k in range(len(z)) if k != i]
        losses.append(-alike[i ^ 1] + np.log(np.exp(alike[others]).sum()))
        found.append(max(others, key=lambda k: alike[k]) == i ^ 1)
    return np.array(losses), np.array(found)


@pytest.mark.parametrize("pieces", [1, 3])
def test_the_loss_of_a_step_is_the_papers_on_its_two_views(pieces: int) -> None:
    own = job(train={"accumulate": pieces})
    batch = next(iter(own.batches.epoch(0)))
    x, y = network_input(own.state, batch, own.plan)
    assert len(x) == 2 * 14 and torch.equal(batch.x[0::2], batch.x[1::2])
    size = 2 * -(-14 // pieces)
    with torch.no_grad():
        z = [own.state.model.train()(piece).double().numpy() for piece in torch.split(x, size)]
    expected = sum(stated(piece, 0.5)[0].mean() * len(piece) for piece in z) / len(x)
    event = next(e for e in fit(own.state, own.batches, own.plan) if isinstance(e, StepEvent))
    assert float(event.loss) == pytest.approx(expected, rel=1e-5)
    assert not y.is_floating_point()


def test_each_view_has_a_draw_of_its_own_and_held_out_rows_the_same_at_any_time() -> None:
    own = job()
    batch = next(iter(own.batches.epoch(0)))
    first, _ = network_input(own.state, batch, own.plan)
    again, _ = network_input(own.state, batch, own.plan)
    own.state.epoch = 1
    later, _ = network_input(own.state, batch, own.plan)
    assert torch.equal(first, again) and not torch.equal(first, later)
    assert (first[0::2] - first[1::2]).abs().flatten(1).max(1).values.min() > 0
    held = own.parts["validation"]
    before = outputs_of(own.state.judged, held, own.plan)
    own.state.epoch, own.state.step = 5, 77
    assert torch.equal(before, outputs_of(own.state.judged, held, own.plan)) and len(before) == 2 * len(held)


def test_loss_and_share_of_each_sample_in_groups_of_one_size() -> None:
    z = RANDOM.normal(size=(2 * 700, 6))
    z[1::2] = z[0::2] + 0.4 * RANDOM.normal(size=(700, 6))
    losses, found = told_apart(torch.from_numpy(z), 0.3)
    each = [stated(half, 0.3) for half in (z[:700], z[700:])]
    np.testing.assert_allclose(losses, np.concatenate([a for a, _ in each]).reshape(-1, 2).mean(1), rtol=1e-9)
    np.testing.assert_allclose(found, np.concatenate([b for _, b in each]).reshape(-1, 2).mean(1))
    assert 0 < found.mean() < 1


def test_labels_are_not_looked_at() -> None:
    y = np.arange(60) % 3
    one, other = (prepare(X, recipe(data={"split_seed": 1}), y=labels) for labels in (y, 2 - y))
    for own in (one, other):
        for _ in fit(own.state, own.batches, own.plan, own.parts["validation"]):
            pass
    one_by_one = zip(one.state.model.state_dict().values(), other.state.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in one_by_one)


def test_the_head_is_a_projection_and_stays_behind(tmp_path: Path) -> None:
    run = dressage.train(X, recipe=recipe(), out=tmp_path / "first")
    assert isinstance(list(run.model.children())[-1], Projection)
    predicted = run.predict(X[:5])
    assert predicted.values is not None and predicted.values.shape == (5, 8)
    again = run.evaluate(X[:20])
    assert again["n"] == 20 and again["baseline"]["metrics"]["contrastive_accuracy"]["value"] == pytest.approx(1 / 39)
    y = np.arange(60) % 3
    taken = {"transfer": {"source": str(run.folder)}, "train": {"epochs": 1}, "regularize": {"dropout": 0.3}}
    other = dressage.train(X, y=y, recipe=taken, out=tmp_path / "second")
    assert "its head is new" in other.job.reasons["transfer.source"]["reason"]
    held = {**taken, "transfer": {"source": str(run.folder), "layers": "head"}}
    frozen = dressage.train(X, y=y, recipe=held, out=tmp_path / "third")
    ours = [t for n, t in run.model.state_dict().items() if n.endswith("weight") and t.ndim == 4]
    theirs = [t for n, t in frozen.model.state_dict().items() if n.endswith("weight") and t.ndim == 4]
    assert len(ours) == 3 and all(map(torch.equal, ours, theirs))
    assert (run.folder / "report.html").is_file() and "contrastive accuracy" in run.report().read_text()


def test_killed_after_any_event_and_resumed_it_is_the_same_run(tmp_path: Path, monkeypatch) -> None:
    np.savez(tmp_path / "x.npz", x=X, y=np.arange(60) % 3)
    taken = photographs(monkeypatch, tmp_path / "whole")
    whole = dressage.train(tmp_path / "x.npz", recipe=recipe(train={"accumulate": 2}), out=tmp_path / "whole")
    assert len(taken) >= 8
    for place in (taken[1], taken[3], taken[5]):
        assert dressage.resume(place).status == "finished"
        assert bits(place) == bits(whole.folder)


ROWS = np.float32(RANDOM.normal(size=(40, 5)))
REFUSED = [
    (ROWS, {}, r"loss\.name: 'nt_xent.+ given; views are of images, and the data is an array; take another loss"),
    (X, {"augment": ["mixup"]}, r"augment: 'mixup' given; labels are mixed .+; leave it out"),
    (X, {"augment": []}, r"augment: nothing given; two views of an image must differ; e\.g\. .+"),
    (X, {"evaluate": {"views": "flip"}}, r"evaluate\.views: 'flip' given; .+ views of its own; leave it out"),
    (X, {"optim": {"name": "lbfgs"}}, r"optim\.name: lbfgs given with .+; take adamw or lars"),
    (
        X,
        {"loss": {"name": "nt_xent", "label_smoothing": 0.1}},
        r"loss\.label_smoothing: 0\.1 given with nt_xent; .+; .+",
    ),
    (X, {"loss": {"name": "nt_xent(dim=1)"}}, r"nt_xent\.dim: 1 given; expected 2 to 65536 outputs; e\.g\. .+"),
    (X, {"train": {"batch_size": 1}}, r"train\.batch_size: a piece of a batch has a single row; .+; take larger .+"),
    (X, {"watch": {"diagnose": True}}, r"watch\.diagnose: true given; .+; leave it out"),
    (X, {"train": {"refit": True}}, r"train\.refit: true given; .+; leave it out"),
    (X[:5], {"train": {"batch_size": 3}}, r"data: the validation part has one row; .+; give more rows.+"),
]


@pytest.mark.parametrize(("x", "sections", "said"), REFUSED)
def test_what_does_not_fit_is_told_before_anything_is_written(x, sections, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=said):
        dressage.train(x, recipe={**SMALL, **sections}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_needs_targets_says_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=X, y=np.arange(60) % 3)
    run = dressage.train(tmp_path / "x.npz", recipe=recipe(data={"validation": 0}), out=tmp_path / "run")
    said = r"loss\.name: 'nt_xent.+ given; .+ needs answers that can be right or wrong; take the network over .+"
    for what in (
        lambda: dressage.repair(tmp_path / "x.npz", recipe=recipe()),
        lambda: dressage.ensemble(tmp_path / "x.npz", recipe=recipe()),
        lambda: dressage.tune(tmp_path / "x.npz", recipe=recipe()),
        lambda: dressage.diagnose(run),
        lambda: dressage.landscape(run),
    ):
        with pytest.raises(UsageError, match=said):
            what()


def test_rows_of_another_loss_still_need_labels() -> None:
    with pytest.raises(DataError, match="without labels"):
        prepare(X, {})

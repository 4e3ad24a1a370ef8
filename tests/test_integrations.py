"""The watch in Lightning, transformers and accelerate: nothing changes, what is planted is named. Skipped without them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import dressage
from dressage.integrations import needed
from test_docs import blocks, run

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def digits() -> tuple[TensorDataset, TensorDataset]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(x / 16, dtype=torch.float32)[order], torch.tensor(y)[order]
    return TensorDataset(x[:1200], y[:1200]), TensorDataset(x[1200:], y[1200:])


def harmful(callback: Any) -> list[str]:
    return [f.id for f in callback.findings if f.is_harmful]


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def test_a_library_that_is_missing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match=r"no_such_library is not installed; .*; pip install 'dressage\[odd\]'"):
        needed.needed("no_such_library.part", extra="odd")
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.delitem(sys.modules, "pytorch_lightning", raising=False)
    assert needed.needed("math", "json", extra="x").__name__ == "math"


def network(normed: bool = False) -> nn.Sequential:
    norm = nn.BatchNorm1d(64) if normed else nn.Identity()
    return nn.Sequential(nn.Linear(64, 64), norm, nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 10))


def lightning_run(
    library: str,
    digits: tuple[TensorDataset, TensorDataset],
    *,
    lr: float = 0.05,
    head: Callable[[Tensor], Tensor] = lambda z: z,
    shift: float = 0.0,
    inside: bool = False,
    accumulate: int = 1,
    watched: bool = True,
    **settings: Any,
) -> tuple[nn.Module, Any]:
    """Trains digits in Lightning; `inside` has training_step call a network inside the module, not the module."""
    pl = pytest.importorskip(library)

    class Classifier(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network(normed=True)

        def forward(self, x: Tensor) -> Tensor:
            return head(self.net(x))

        def training_step(self, batch: Any, number: int) -> Tensor:
            x, y = batch
            return functional.cross_entropy(self.net(x) if inside else self(x), y)

        def validation_step(self, batch: Any, number: int) -> None:
            x, y = batch
            outputs = self.net(x + shift) if inside else self(x + shift)
            self.log("val_loss", functional.cross_entropy(outputs, y))
            self.log("val_acc", (outputs.argmax(1) == y).float().mean())

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=lr, momentum=0.9)

    from dressage.integrations.lightning import WatchCallback

    torch.manual_seed(0)
    model = Classifier()
    train = DataLoader(digits[0], batch_size=32, shuffle=True, generator=torch.Generator().manual_seed(1))
    callback = WatchCallback(functional.cross_entropy, on_finding=lambda finding: None, **settings) if watched else None
    trainer = pl.Trainer(
        max_epochs=5,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accumulate_grad_batches=accumulate,
        callbacks=[callback] if callback else [],
    )
    trainer.fit(model, train, DataLoader(digits[1], batch_size=200))
    return model, callback


@pytest.mark.parametrize("library", ["lightning", "pytorch_lightning"])
@pytest.mark.parametrize("inside", [False, True])
def test_lightning_trains_the_same_and_is_healthy(library: str, inside: bool, digits: Any) -> None:
    watched, callback = lightning_run(library, digits, inside=inside)
    plain, _ = lightning_run(library, digits, inside=inside, watched=False)
    assert same(watched, plain)
    assert not harmful(callback), callback.findings
    seen = callback.watch.telemetry
    assert seen.step == 5 * 38 and len(seen.validations) == 5
    assert [v.training for v in seen.validations] == [False] * 5
    assert all(p.training and p.batch in (16, 32) for p in seen.probes)
    assert all(w.gradient > 0 for p in seen.probes for w in p.weights) and all(p.stale == 0 for p in seen.probes)
    assert callback.watch.case.is_aligned and callback.watch.case.is_faithful and not callback.notes
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in watched.modules())


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"lr": 30.0}, "optim.lr_too_high"),
        ({"lr": 1e-6}, "optim.lr_too_low"),
        ({"head": lambda z: z.softmax(1)}, "loss.double_softmax"),
        ({"shift": 4.0}, "eval.preprocess_mismatch"),
    ],
)
def test_lightning_names_what_is_planted(fault: dict[str, Any], named: str, digits: Any) -> None:
    _, callback = lightning_run("lightning", digits, **fault)
    assert named in harmful(callback), callback.findings


def test_lightning_accumulates(digits: Any) -> None:
    _, callback = lightning_run("lightning", digits, accumulate=2)
    assert callback.watch.telemetry.step == 5 * 19 and not harmful(callback)
    assert callback.watch.telemetry.first(1) == pytest.approx(2.4, abs=0.3)


def test_lightning_with_several_optimisers_is_not_watched(digits: Any) -> None:
    pl = pytest.importorskip("lightning")
    from dressage.integrations.lightning import WatchCallback

    class Two(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.a, self.b = nn.Linear(64, 10), nn.Linear(64, 10)

        def training_step(self, batch: Any, number: int) -> None:
            for optimizer, part in zip(self.optimizers(), (self.a, self.b), strict=True):
                optimizer.zero_grad()
                self.manual_backward(functional.cross_entropy(part(batch[0]), batch[1]))
                optimizer.step()

        def configure_optimizers(self) -> list[torch.optim.Optimizer]:
            return [torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.a, self.b)]

    callback = WatchCallback()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    pl.Trainer(max_steps=4, accelerator="cpu", callbacks=[callback], **quiet).fit(Two(), DataLoader(digits[0], 32))
    assert callback.watch is None and callback.notes == ["2 optimisers: only a training with one can be watched"]


def transformers_run(
    folder: Path,
    digits: tuple[TensorDataset, TensorDataset],
    *,
    lr: float = 0.2,
    shift: float = 0.0,
    accumulate: int = 1,
    watched: bool = True,
    steps: int = 190,
    sums: bool = False,
    **settings: Any,
) -> tuple[nn.Module, Any]:
    """Trains digits by a transformers Trainer, with a network that gives its loss; `sums` has it take the Trainer's count."""
    hf = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from transformers.modeling_outputs import SequenceClassifierOutput

    from dressage.integrations.transformers import WatchCallback

    class Configuration(hf.PretrainedConfig):
        model_type = "digits"

    class Classifier(hf.PreTrainedModel):
        config_class = Configuration
        main_input_name = "pixels"

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            self.net = network()
            self.post_init()

        def _init_weights(self, module: nn.Module) -> None:
            pass

        def forward(self, pixels: Tensor, labels: Tensor | None = None) -> Any:
            outputs = self.net(pixels)
            loss = None if labels is None else functional.cross_entropy(outputs, labels)
            return SequenceClassifierOutput(loss=loss, logits=outputs)

    class Counting(Classifier):
        def forward(self, pixels: Tensor, labels: Tensor | None = None, **others: Any) -> Any:
            found = super().forward(pixels, labels)
            if (count := others.get("num_items_in_batch")) is not None:
                found.loss = functional.cross_entropy(found.logits, labels, reduction="sum") / count
            return found

    torch.manual_seed(0)
    model = (Counting if sums else Classifier)(Configuration())
    rows = [
        [{"labels": int(y), "pixels": x + move} for x, y in part] for part, move in zip(digits, (0, shift), strict=True)
    ]
    callback = WatchCallback(on_finding=lambda finding: None, **settings) if watched else None
    arguments = hf.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=32,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        learning_rate=lr,
        lr_scheduler_type="constant",
        optim="sgd",
        max_grad_norm=0.0,
        eval_strategy="steps",
        eval_steps=38,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=3,
    )
    trainer = hf.Trainer(
        model,
        arguments,
        train_dataset=rows[0],
        eval_dataset=rows[1],
        compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(1) == p.label_ids).mean())},
        callbacks=[callback] if callback else [],
    )
    trainer.train()
    return model, callback


@pytest.mark.parametrize("given", [False, True])
def test_transformers_trains_the_same_and_is_healthy(given: bool, tmp_path: Path, digits: Any) -> None:
    settings = {"loss_fn": functional.cross_entropy, "train": digits[0], "val": digits[1]} if given else {}
    watched, callback = transformers_run(tmp_path, digits, **settings)
    plain, _ = transformers_run(tmp_path, digits, watched=False)
    assert same(watched, plain)
    assert not harmful(callback), callback.findings
    seen = callback.watch.telemetry
    assert seen.step == 190 and len(seen.validations) == 5
    assert [v.training for v in seen.validations] == [False] * 5
    assert seen.validations[-1].metric > 0.85 and seen.validations[-1].loss < 0.6
    assert all(p.batch in (16, 32) and p.training for p in seen.probes)
    assert callback.watch.case.batches[0].shape[1:] == (64,)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in watched.modules())
    if given:
        assert callback.watch.case.is_aligned and callback.watch.case.is_faithful and not callback.notes
    else:
        assert "no val data given: what needs it was not checked" in callback.notes
        assert any(
            n.startswith("no train data: for it stand ") for n in callback.notes
        )  # rows of batches that were seen


@pytest.mark.parametrize(
    ("fault", "given", "named"),
    [
        ({"lr": 100.0}, True, "optim.lr_too_high"),
        ({"lr": 1e-6}, True, "optim.lr_too_low"),
        ({"shift": 4.0}, True, "eval.preprocess_mismatch"),
    ],
)
def test_transformers_names_what_is_planted(
    fault: dict[str, Any], given: bool, named: str, tmp_path: Path, digits: Any
) -> None:
    settings = {"loss_fn": functional.cross_entropy, "train": digits[0], "val": digits[1]} if given else {}
    _, callback = transformers_run(tmp_path, digits, **fault, **settings)
    assert named in harmful(callback), callback.findings


@pytest.mark.parametrize("sums", [False, True])
def test_transformers_accumulates(sums: bool, tmp_path: Path, digits: Any) -> None:
    _, callback = transformers_run(tmp_path, digits, accumulate=2, steps=20, sums=sums)
    assert callback.watch.telemetry.step == 20
    assert callback.watch.telemetry.first(1) == pytest.approx(2.3, abs=0.15)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_accelerate_is_watched_in_its_own_loop(accumulate: int, digits: Any) -> None:
    accelerate = pytest.importorskip("accelerate")
    ends, found = [], None
    for watched in (False, True):
        torch.manual_seed(0)
        accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=accumulate)
        loader = DataLoader(digits[0], batch_size=32, shuffle=True)
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
        loss_fn = nn.CrossEntropyLoss()
        watch = dressage.watch(model, optimizer, loss_fn, train=loader, val=digits[1]) if watched else None
        torch.manual_seed(5)
        for _ in range(4 * accumulate):
            model.train()
            for x, y in watch.batches(loader) if watch else loader:
                with accelerator.accumulate(model):
                    loss = loss_fn(model(x), y)
                    accelerator.backward(loss)
                    optimizer.step()
                    optimizer.zero_grad()
                if watch is not None and accelerator.sync_gradients:
                    watch.step(loss)
        if watch is not None:
            watch.diagnose()
            found = watch
        ends.append(accelerator.unwrap_model(model))
    assert same(*ends) and found is not None
    assert found.telemetry.step == 4 * 38
    assert not harmful(found), "\n".join(map(str, found.findings))
    assert all(w.gradient > 0 for p in found.telemetry.probes for w in p.weights)
    assert len(found.case.waited) == 4 * 38 * accumulate and found.case.is_aligned


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "named"),
    [
        ("lightning", "optim.lr_too_high"),
        ("transformers", "optim.lr_too_high"),
        ("accelerate", "optim.lr_too_low"),
    ],
)
def test_the_example_of_the_page_runs(library: str, named: str, tmp_path: Path) -> None:
    pytest.importorskip(library)
    page = Path(__file__).resolve().parent.parent / "docs" / "watch.md"
    code = next(
        c for kind, c, mark, _ in blocks(page) if mark == "not run" and re.search(rf"^(import|from) {library}", c, re.M)
    )
    done = run("python", code, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"warning {named}" in done.stdout, done.stdout

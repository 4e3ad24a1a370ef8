"""Run folders for the tests of the report: real scores of small models, curves as a training would leave them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dressage.data.source import Source
from dressage.evaluate import exhibit, judge
from dressage.recipe import Recipe
from dressage.recipe.write import to_toml
from dressage.store.database import Recorder

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "{{7*7}}",
    "<!--<script>",
    "safe\u202egnp.exe",
    "\x1b[31mred\x1b]8;;x\x07",
    '" onmouseover="alert(3)',
    "x" * 10_000,
    "javascript:alert(4)",
    "'><svg onload=alert(5)>",
    "\udc80\udcff.png",
    "line\nbreak\x00",
]


def write(folder: Path, name: str, value: object) -> None:
    (folder / name).write_text(json.dumps(value, allow_nan=False), encoding="utf-8")


def status(folder: Path, word: str, step: object, **facts: object) -> None:
    write(folder, "status.json", {"format": 1, "status": word, "step": step, **facts})


def record(folder: Path, history: Mapping[str, Any], *findings: Mapping[str, Any]) -> None:
    """Writes a history into run.db, as a training would."""
    names = list(history["columns"])
    with Recorder(folder, names) as recorder:
        for i, step in enumerate(history["steps"].tolist()):
            recorder.step(step, [float(history["columns"][name][i]) for name in names])
        for row in history["epochs"]:
            recorder.epoch(row["epoch"], row["step"], {k: v for k, v in row.items() if k not in ("epoch", "step")})
        for finding in findings:
            recorder.finding(finding)


def curves(epochs: int, steps_each: int, metric: str, *, dies: bool = False, seed: int = 0) -> dict[str, Any]:
    """Steps, columns and epochs of a training that learns, then overfits a little; with `dies` it ends in NaN."""
    rng = np.random.default_rng(seed)
    n = epochs * steps_each
    steps = np.arange(1, n + 1, dtype=np.int64)
    t = steps / n
    loss = 2.3 * np.exp(-6 * t) + 0.02 + 0.3 * np.exp(-3 * t) * rng.gamma(2, 0.5, n)
    lr = 3e-3 * np.minimum(1, steps / (0.05 * n)) * (0.5 + 0.5 * np.cos(np.pi * t))
    if dies:
        loss = np.where(t > 0.8, 0.4 * np.exp((t - 0.8) * 60), loss)
        loss[-1] = np.nan
    rows = []
    for e in range(epochs):
        mean = float(loss[e * steps_each : (e + 1) * steps_each].mean())
        val = float(2.1 * np.exp(-6 * (e + 1) / epochs) + 0.11 + 0.04 * (e / epochs) ** 2 + 0.01 * rng.normal())
        row = {
            "epoch": e + 1,
            "step": (e + 1) * steps_each,
            "train_loss": mean,
            "val_loss": val,
            "seconds": 0.41 * (e + 1),
        }
        rows.append(row | {f"val_{metric}": 1 - val / 3.5})
    return {
        "steps": steps,
        "columns": {"loss": loss.astype(np.float32), "lr": lr.astype(np.float32)},
        "epochs": rows,
    }


def common(folder: Path, name: str, task: str, *, data: Mapping[str, Any] | None = None, **recipe: Any) -> None:
    """recipe.toml, reasons.json, data.json and environment.json."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = Recipe.model_validate({"model": {"name": "convnet", "norm": "batch"}, "optim": {"lr": 0.003}} | recipe)
    (folder / "recipe.toml").write_text(to_toml(whole), encoding="utf-8")
    reasons: dict[str, Any] = {}
    for path in ("seed", "augment", "average"):
        reasons[path] = {"value": None, "origin": "default", "reason": "the usual value"}
    for section, values in whole.model_dump().items():
        if isinstance(values, dict):
            for key, value in values.items():
                reasons[f"{section}.{key}"] = {"value": value, "origin": "default", "reason": "the usual value"}
    reasons["model.name"] |= {"origin": "preset", "reason": "images of 8×8 pixels: a small network with convolutions"}
    reasons["model.norm"] |= {"origin": "preset", "reason": "batch norm lets a convnet learn at a higher rate"}
    reasons["optim.lr"] |= {"origin": "given", "reason": "as written"}
    reasons["train.batch_size"] |= {"origin": "inferred", "reason": "1,257 training rows: about 40 steps an epoch"}
    reasons["train.precision"] |= {"origin": "measured", "reason": "float32 took 1.9 ms a step, bf16 2.6 ms"}
    write(folder, "reasons.json", reasons)
    parts = {"train": {"size": 1257}, "validation": {"size": 180}, "test": {"size": 360}}
    content = {
        "name": name,
        "kind": "images",
        "rows": 1797,
        "task": task,
        "target": "label",
        "fingerprint": "5d1f" * 16,
    }
    write(folder, "data.json", content | {"parts": parts} | dict(data or {}))
    machine = {"dressage": "0.1.0", "python": "3.11.2", "torch": "2.13.0+cpu", "threads": 2}
    write(folder, "environment.json", machine | {"cpu": {"name": "a processor", "cores": 2}, "parameters": 61_706})


def digits(folder: Path) -> None:
    """Handwritten digits by least squares, with pictures of the mistakes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, val, test = order[:1257], order[1257:1437], order[1437:]
    target = np.eye(10)[y[train]] * 4
    weights = np.linalg.lstsq(x[train].T @ x[train] + 3e4 * np.eye(64), x[train].T @ target, rcond=None)[0]
    p = np.exp(x @ weights * 1.5)
    p /= p.sum(1, keepdims=True)
    pixels = torch.tensor(x * 15.9).to(torch.uint8).reshape(-1, 8, 8, 1)
    names = [str(i) for i in range(10)]
    source = Source("digits", "images", pixels, torch.tensor(y), "classification", "label", names)
    warnings = ["3 images of the validation part are also in the training part: rows 12, 340, 1101"]
    counts = [{"train": int((y[train] == c).sum()), "test": int((y[test] == c).sum())} for c in range(10)]
    common(folder, "digits", "classification", data={"classes": names, "counts": counts, "warnings": warnings})
    judged = {}
    for part, rows in (("test", test), ("validation", val), ("train", train)):
        judged[part] = judge(
            "classification", p[rows], y[rows], part=part, classes=names, rows=rows,
            reference=y[train], show=exhibit(source) if part == "test" else None,
        )  # fmt: skip
    write(folder, "evaluation.json", judged)
    history = curves(30, 40, "accuracy")
    finding = {"id": "dead-units", "severity": "warning", "where": "layer 2 of convnet", "step": 400}
    finding |= {"evidence": {"dead": 41, "of": 128}, "cause": "a third of the units of layer 2 never fire"}
    finding |= {"remedy": "use a smaller learning rate or another activation", "edit": {"optim.lr": 0.001}}
    status(folder, "finished", 1200, reason="epochs")
    record(folder, history, finding)


def diabetes(folder: Path) -> None:
    """A regression over a table."""
    import pyarrow as pa
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    x, y = bunch.data, bunch.target
    order = np.random.default_rng(1).permutation(len(y))
    train, test = order[:353], order[353:]
    bias = np.ones((len(y), 1))
    weights = np.linalg.lstsq(np.hstack([x, bias])[train], y[train], rcond=None)[0]
    p = np.hstack([x, bias]) @ weights
    table = pa.table({name: x[:, i] for i, name in enumerate(bunch.feature_names)})
    source = Source("diabetes", "table", table, torch.tensor(y), "regression", "progression")
    kinds = [{"name": n, "kind": "number", "missing": 3 * (i == 2), "summary": "18 to 42", "note": ""} for i, n in
             enumerate(bunch.feature_names)]  # fmt: skip
    kinds[1] |= {"kind": "category", "summary": "1 (235), 2 (207)", "note": "two values: taken as a category"}
    assumed = {"delimiter": "comma: 442 of 442 lines have 11 fields", "task": "regression: 214 values, most once"}
    data = {"kind": "table", "rows": 442, "target": "progression", "columns": kinds, "assumed": assumed}
    data["parts"] = {"train": {"size": 353}, "test": {"size": 89}}
    common(folder, "diabetes.csv", "regression", data=data, model={"name": "mlp"}, train={"epochs": 100})
    e = judge(
        "regression", p[test], y[test], rows=test, reference=y[train], show=exhibit(source),
        ids=[f"line {i + 2}" for i in range(442)], targets=["progression"],
    )  # fmt: skip
    write(folder, "evaluation.json", {"test": e})
    history = curves(60, 11, "r2", seed=2)
    status(folder, "finished", 660, reason="patience")
    record(folder, history)


def many(folder: Path, c: int = 100) -> None:
    """A hundred classes with neighbours that are confused."""
    rng = np.random.default_rng(4)
    y = rng.integers(0, c, 5000)
    centre = np.where(rng.random(5000) < 0.25, np.clip(y + rng.integers(-4, 5, 5000), 0, c - 1), y)
    logits = rng.normal(size=(5000, c)) + 5 * np.eye(c)[centre]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = [f"species {i}" for i in range(c)]
    common(folder, "leaves", "classification", data={"classes": names, "counts": [{"train": 50}] * c})
    write(folder, "evaluation.json", {"test": judge("classification", p, y, classes=names)})
    status(folder, "finished", 6000, reason="epochs")
    record(folder, curves(20, 300, "accuracy", seed=5))


def diverged(folder: Path) -> None:
    """A training that died: no evaluation."""
    common(folder, "digits", "classification", optim={"lr": 3.0})
    finding = {"id": "sym.nonfinite_loss", "severity": "critical", "where": "output of layers.3 (Linear)", "step": 480}
    finding |= {
        "cause": "numbers grew from step to step until they overflowed",
        "source": "",
        "edit": {"optim.lr": 0.3},
    }
    finding |= {"evidence": "step 480: loss nan", "remedy": "lower the rate: --optim.lr 0.3"}
    status(folder, "diverged", 479)
    record(folder, curves(12, 40, "accuracy", dies=True), finding)


def hostile(folder: Path) -> None:
    """Every name that a file can give is an attack."""
    c = len(HOSTILE)
    rng = np.random.default_rng(7)
    y = rng.integers(0, c, 200)
    p = rng.dirichlet(np.ones(c), 200)
    columns = [dict.fromkeys(("name", "kind", "missing", "summary", "note"), name) for name in HOSTILE]
    named = {name: name for name in HOSTILE}
    data = {"classes": HOSTILE, "columns": columns, "warnings": HOSTILE, "assumed": named, "target": HOSTILE[0]}
    common(
        folder,
        HOSTILE[0],
        "classification",
        data=data | {"kind": HOSTILE[1], "counts": [dict.fromkeys(HOSTILE, 3)] * c},
    )
    write(folder, "environment.json", named | {"nested": named})
    reasons = {"optim.lr": {"value": HOSTILE[0], "origin": HOSTILE[1], "reason": HOSTILE[1]}}
    write(folder, "reasons.json", reasons)
    shown = {"fields": named}
    e = judge("classification", p, y, classes=HOSTILE, ids=HOSTILE * 20, show=lambda _: shown)
    for mistake in e["mistakes"][:3]:
        mistake["picture"] = 'data:image/png;base64,"onerror="alert(6)'
    e["baseline"]["name"] = HOSTILE[0]
    e["metrics"][HOSTILE[1]] = {"value": HOSTILE[0], "low": 0.1, "high": HOSTILE[2]}  # type: ignore[typeddict-item]
    write(folder, "evaluation.json", {"test": e})
    history = curves(3, 10, HOSTILE[1])
    finding = dict.fromkeys(("id", "severity", "where", "cause", "remedy", "source"), HOSTILE[0])
    finding |= {"severity": "critical", "evidence": named, "edit": named, "step": 3}
    status(folder, HOSTILE[0], HOSTILE[1])
    trials = [{"edit": {name: name}, "why": name, "steps": 3, "worth": name} for name in HOSTILE]
    repair = {**dict.fromkeys(("first", "second", "kept", "metric"), HOSTILE[0]), "finding": finding, "trials": trials}
    write(folder, "repair.json", repair | {"changes": {name: [name, name] for name in HOSTILE}, "scores": [0.5, 0.5]})
    record(folder, history, finding)

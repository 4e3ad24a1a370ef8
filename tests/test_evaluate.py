"""Metrics against scikit-learn and scipy, intervals by how often they hold the truth, and what JSON must never hold."""

from __future__ import annotations

import base64
import io
import json
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dressage.data.source import Column, Source
from dressage.errors import DataError
from dressage.evaluate import exhibit, judge, picture, sentence, verdict
from dressage.evaluate.classification import balanced_accuracy, confusion_matrix, macro_f1, per_class, roc_auc
from dressage.evaluate.intervals import auc_interval, bootstrap, wilson


def guesses(n: int, c: int, seed: int = 0, skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and classes of a classifier that is right more often than not."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, c, n)
    logits = rng.normal(size=(n, c)) + skill * np.eye(c)[y]
    p = np.exp(logits)
    return p / p.sum(1, keepdims=True), y


@pytest.mark.parametrize("c", [2, 7])
def test_classification_as_scikit_learn(c: int) -> None:
    from sklearn import metrics

    p, y = guesses(211, c)
    e = judge("classification", torch.tensor(p), torch.tensor(y))
    guess = p.argmax(1)
    assert e["metrics"]["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(y, guess), abs=1e-12)
    assert e["metrics"]["balanced_accuracy"]["value"] == pytest.approx(metrics.balanced_accuracy_score(y, guess))
    assert e["metrics"]["macro_f1"]["value"] == pytest.approx(metrics.f1_score(y, guess, average="macro"))
    assert e["metrics"]["log_loss"]["value"] == pytest.approx(metrics.log_loss(y, p), rel=1e-5)
    assert e["confusion"] == metrics.confusion_matrix(y, guess).tolist()
    precision, recall, f1, support = metrics.precision_recall_fscore_support(y, guess)
    for i, score in enumerate(e["per_class"]):
        assert score["precision"]["value"] == pytest.approx(precision[i])
        assert score["recall"]["value"] == pytest.approx(recall[i])
        assert score["f1"]["value"] == pytest.approx(f1[i])
        assert score["n"] == support[i]
    assert ("roc_auc" in e["metrics"]) == (c == 2)
    if c == 2:
        assert e["metrics"]["roc_auc"]["value"] == pytest.approx(metrics.roc_auc_score(y, p[:, 1]))
    for estimate in [*e["metrics"].values(), *(s[k] for s in e["per_class"] for k in ("precision", "recall", "f1"))]:
        assert estimate["low"] <= estimate["value"] <= estimate["high"]


def test_auc_counts_ties_half() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    score, y = np.round(rng.random(500), 1), rng.integers(0, 2, 500)
    assert roc_auc(score, y)["value"] == pytest.approx(roc_auc_score(y, score), abs=1e-12)


@pytest.mark.parametrize("t", [1, 3])
def test_regression_as_scikit_learn(t: int) -> None:
    from sklearn import metrics

    rng = np.random.default_rng(1)
    y = rng.normal(size=(120, t)) * [5.0, 1.0, 0.1][:t] + 1e4
    p = y + rng.normal(size=y.shape) * 0.3
    e = judge("regression", torch.tensor(p), torch.tensor(y))
    assert e["metrics"]["r2"]["value"] == pytest.approx(metrics.r2_score(y, p), rel=1e-6)
    assert e["metrics"]["rmse"]["value"] == pytest.approx(metrics.root_mean_squared_error(y, p), rel=1e-9)
    assert e["metrics"]["mae"]["value"] == pytest.approx(metrics.mean_absolute_error(y, p), rel=1e-9)
    assert e["baseline"]["metrics"]["r2"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert e["baseline"]["metrics"]["rmse"]["value"] == pytest.approx(y.std(0).mean())
    for name in ("r2", "rmse", "mae"):
        assert e["metrics"][name]["low"] < e["metrics"][name]["value"] < e["metrics"][name]["high"]


@given(n=st.integers(1, 5000), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_wilson_as_scipy(n: int, share: float) -> None:
    from scipy.stats import binomtest

    k = round(share * n)
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_auc_interval_solves_its_equation_and_stays_open_at_one() -> None:
    for auc, m, n in [(0.8, 30, 50), (0.5, 10, 10), (0.97, 200, 20)]:
        k = (m + n) / 2 - 1
        for t in auc_interval(auc, m, n):
            variance = t * (1 - t) * (1 + k * (1 - t) / (2 - t) + k * t / (1 + t)) / (m * n)
            assert (auc - t) ** 2 == pytest.approx(1.959963984540054**2 * variance, rel=1e-6)
    low, high = auc_interval(1.0, 20, 20)
    assert 0.8 < low < 0.95 and high == 1.0


def test_the_intervals_hold_the_truth_about_95_times_in_100() -> None:
    """300 small test parts are drawn from one large set whose score is known."""
    p, y = guesses(200_000, 4, seed=5)
    guess = p.argmax(1)
    whole = confusion_matrix(y, guess, 4)
    counts = np.bincount(y, minlength=4)
    truth = {"balanced": balanced_accuracy(np.diag(whole), counts)["value"], "f1": macro_f1(whole, counts)["value"]}
    truth["class f1"] = per_class(whole, counts, list("abcd"))[1]["f1"]["value"]
    truth["auc"] = roc_auc(p[y < 2, 1] - p[y < 2, 0], y[y < 2])["value"]
    loss = -np.log(p[np.arange(len(y)), y]).astype(np.float64)
    truth["loss"] = loss.mean()
    held = dict.fromkeys(truth, 0)
    rng = np.random.default_rng(6)
    for trial in range(300):
        rows = rng.choice(len(y), 80, replace=False)
        c, n = confusion_matrix(y[rows], guess[rows], 4), np.bincount(y[rows], minlength=4)
        two = rows[y[rows] < 2]
        low, high = bootstrap(loss[rows][:, None], lambda means: means[:, 0], trial)
        found = {
            "balanced": balanced_accuracy(np.diag(c), n),
            "f1": macro_f1(c, n),
            "class f1": per_class(c, n, list("abcd"))[1]["f1"],
            "auc": roc_auc(p[two, 1] - p[two, 0], y[two]),
            "loss": {"low": low, "high": high},
        }
        for name, e in found.items():
            held[name] += e["low"] <= truth[name] <= e["high"]
    assert {name: round(k / 300, 2) for name, k in held.items() if not 0.915 <= k / 300 <= 0.985} == {}


def test_bootstrap_by_blocks_agrees_with_the_normal_interval_and_repeats() -> None:
    values = np.random.default_rng(2).normal(3, 2, size=(50_000, 1))
    low, high = bootstrap(values, lambda means: means[:, 0], 7)
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
    assert low < values.mean() < high
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert bootstrap(values, lambda means: means[:, 0], 7) == (low, high)
    assert bootstrap(values, lambda means: means[:, 0], 8) != (low, high)
    assert torch.equal(state[0], torch.get_rng_state()) and (state[1] == np.random.get_state()[1]).all()


def test_what_is_confused_and_the_most_confident_mistakes() -> None:
    y = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    guess = np.array([0, 1, 1, 0, 1, 0, 2, 2, 1])
    p = np.full((9, 3), 0.1, dtype=np.float32)
    p[np.arange(9), guess] = [0.8, 0.6, 0.9, 0.8, 0.8, 0.7, 0.8, 0.8, 0.8]
    ids = [f"id{i}" for i in range(200)]
    e = judge("classification", p, y, classes=["cat", "dog", "owl"], rows=np.arange(9) + 100, ids=ids)
    assert e["confused"][0] == {"true": "cat", "predicted": "dog", "count": 2, "share": 0.5}
    assert [(c["true"], c["predicted"]) for c in e["confused"]] == [("cat", "dog"), ("dog", "cat"), ("owl", "dog")]
    assert [m["row"] for m in e["mistakes"]] == [102, 108, 105, 101]
    assert e["mistakes"][0]["id"] == "id102" and e["mistakes"][0]["predicted"] == "dog"
    assert e["mistakes"][0]["probability"] == pytest.approx(0.9)
    assert e["mistakes"][0]["probability_true"] == pytest.approx(0.1)


def test_the_baseline_is_fitted_on_the_training_part() -> None:
    p, y = guesses(100, 3)
    y[:60] = 2
    e = judge("classification", p, y, reference=np.array([1, 1, 1, 0]), classes=["a", "b", "c"])
    assert e["baseline"]["prediction"] == "b"
    assert e["baseline"]["metrics"]["accuracy"]["value"] == pytest.approx((y == 1).mean())
    share = np.array([1, 3, 0.5]) / 4
    assert e["baseline"]["metrics"]["log_loss"]["value"] == pytest.approx(-np.log(share[y]).mean())
    number = judge("regression", np.zeros(4), np.array([0.0, 1, 2, 3]), reference=np.array([10.0]))
    assert number["baseline"]["prediction"] == 10.0
    assert number["baseline"]["metrics"]["r2"]["value"] == pytest.approx(1 - np.mean((np.arange(4) - 10.0) ** 2) / 1.25)


def test_the_largest_residuals() -> None:
    e = judge("regression", np.array([1.0, 2, 9, -4]), np.array([1.0, 2.5, 3, 4]), worst=2)
    assert [(m["row"], m["residual"]) for m in e["mistakes"]] == [(3, -8.0), (2, 6.0)]
    true = np.array([[0.0, 0.0], [3.0, 100.0]])
    two = judge("regression", np.array([[0.0, 0.0], [1.0, 90.0]]), true, targets=["small", "big"])
    assert two["mistakes"][0]["target"] == "small"  # 2 of 1.5 standard deviations is more than 10 of 50
    assert [t["name"] for t in two["per_target"]] == ["small", "big"]


def strict(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def test_outputs_that_are_not_finite_count_as_wrong_and_never_reach_json() -> None:
    p, y = guesses(20, 3)
    good = judge("classification", p, y)
    right = int((p.argmax(1) == y).sum())
    first = int(np.nonzero(p.argmax(1) == y)[0][0])
    p[first] = np.nan
    e = judge("classification", p, y)
    strict(e)
    assert e["nonfinite"] == 1 and good["nonfinite"] == 0
    assert e["metrics"]["accuracy"]["value"] == pytest.approx((right - 1) / 20)
    assert e["metrics"]["log_loss"]["value"] is None
    assert e["mistakes"][0]["row"] == first and e["mistakes"][0]["predicted"] is None
    number = judge("regression", np.array([1.0, np.inf, np.nan]), np.array([1.0, 2.0, 3.0]))
    strict(number)
    assert number["nonfinite"] == 2 and number["metrics"]["r2"]["value"] is None and verdict(number) == "unknown"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_tiny_parts(n: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for c in (1, 2, 3):
            e = judge("classification", np.full((n, c), 1 / c), np.zeros(n, dtype=np.int64))
            assert e["n"] == n and strict(e) and sentence(e)
        e = judge("regression", np.zeros(n), np.full(n, 0.1))
        assert strict(e) and sentence(e) and e["metrics"]["r2"]["value"] is None
        assert judge("regression", torch.zeros(n, 2), torch.zeros(n, 2))["n"] == n


def test_all_right_and_all_wrong_have_open_intervals() -> None:
    y = np.arange(30) % 3
    e = judge("classification", np.eye(3)[y], y)
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert e["metrics"][name]["low"] < 0.95 and e["metrics"][name]["value"] == e["metrics"][name]["high"] == 1.0
    wrong = judge("classification", np.eye(3)[(y + 1) % 3], y)
    assert wrong["metrics"]["macro_f1"]["low"] == 0.0 < wrong["metrics"]["macro_f1"]["high"]
    assert verdict(e) == "better" and verdict(wrong) == "worse"


def test_a_thousand_classes_stay_small() -> None:
    p, y = guesses(3000, 1000, skill=5)
    text = strict(judge("classification", p, y))
    assert len(text) < 600_000 and json.loads(text)["confusion"] is None


def test_sentences() -> None:
    y = np.repeat(np.arange(10), 36)
    guess = y.copy()
    guess[:10] = 9
    e = judge("classification", np.eye(10)[guess], y, reference=y)
    assert sentence(e) == "test accuracy 0.972 (95 % interval 0.950–0.985, n = 360), majority class 0.100"
    number = judge("regression", np.array([1.0, 2, 3, 4.5]), np.array([1.0, 2, 3, 4]), part="validation")
    assert sentence(number).startswith("validation R² 0.950 (95 % interval ")
    assert "RMSE 0.250; the mean of the training part has RMSE 1.118" in sentence(number)


def test_misfits_are_told() -> None:
    p, y = guesses(5, 3)
    for call in (
        lambda: judge("classification", p, y[:4]),
        lambda: judge("classification", p, y, classes=["a"]),
        lambda: judge("classification", p, y + 1),
        lambda: judge("classification", p, y, rows=np.arange(3)),
        lambda: judge("regression", p, y),
    ):
        with pytest.raises(DataError, match="give the outputs and targets of the same rows"):
            call()


def test_pictures_keep_their_pixels() -> None:
    from PIL import Image

    x = torch.randint(0, 256, (8, 8, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    uri = picture(x)
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
    assert image.size == (96, 96)
    assert np.array_equal(np.asarray(image)[6::12, 6::12], x[:, :, 0].numpy())
    assert len(picture(torch.zeros(300, 500, 3, dtype=torch.uint8))) < 1000


def test_rows_are_shown_as_pictures_or_fields() -> None:
    import pyarrow as pa

    y = torch.tensor([0, 1])
    x = pa.table({"age": [1.25, 2.0], "name": ["x" * 500, None]})
    table = Source("t", "table", x, y, "classification", "y", ["a", "b"])
    e = judge("classification", np.eye(2)[[1, 0]], y, classes=table.classes, show=exhibit(table))
    assert e["mistakes"][0]["fields"] == {"age": "1.25", "name": "x" * 119 + "…"}
    images = Source("i", "images", torch.zeros(2, 8, 8, 3, dtype=torch.uint8), y, "classification", "y", ["a", "b"])
    assert exhibit(images)(0)["picture"].startswith("data:image/png;base64,")
    arrays = Source("a", "array", torch.zeros(2, 30), y, "classification", "y", ["a", "b"])
    assert len(exhibit(arrays)(1)["fields"]) == 12
    strict(e)


def test_features_that_are_pixels_are_shown_as_a_picture() -> None:
    from PIL import Image

    y = torch.tensor([0, 1])
    for names, size in (
        ([f"pixel_{r}_{c}" for r in range(4) for c in range(6)], (6, 4)),
        ([f"pixel{i + 1}" for i in range(25)], (5, 5)),
    ):
        x = torch.arange(2.0 * len(names)).reshape(2, -1)
        columns = [*(Column(name, "number", 0, "") for name in names), Column("y", "target", 0, "")]
        source = Source("digits", "array", x, y, "classification", "y", ["a", "b"], columns=columns)
        uri = exhibit(source)(1)["picture"]
        image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))
        assert image.width * size[1] == image.height * size[0]
        assert np.asarray(image)[0, 0] == int(len(names) / (2 * len(names) - 1) * 255)  # one scale for all rows
    columns[0], columns[1] = columns[1], columns[0]
    assert list(exhibit(source)(1)["fields"])[:2] == ["pixel2", "pixel1"]

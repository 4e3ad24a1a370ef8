"""Each formula against its NumPy statement in float64; what was fitted survives storage bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from dressage.data.describe import describe, parts_from_json, to_json
from dressage.data.preprocess import Preprocess, catalogue, fit_preprocess
from dressage.data.preprocess.moments import image_moments
from dressage.data.source import Source
from dressage.data.split import split
from dressage.data.tables import open_table
from dressage.errors import DataError, RecipeError
from dressage.recipe.schema import Data

RNG = np.random.default_rng(0)


def images(n: int = 700, shape: tuple[int, int, int] = (6, 5, 3)) -> Source:
    x = torch.from_numpy(RNG.integers(0, 256, (n, *shape), dtype=np.uint8))
    x[:, 0, 0] = 17
    return Source("i", "images", x, torch.arange(n) % 2, "classification", "", ["a", "b"])


def array(x: np.ndarray) -> Source:
    return Source(
        "a", "array", torch.from_numpy(x.astype(np.float32)), torch.arange(len(x)) % 2, "classification", "", ["a", "b"]
    )


def image_statement(x: np.ndarray, train: np.ndarray, steps: list[str]) -> np.ndarray:
    """What the steps say, on pixels 0…1."""
    x, train = x.astype(np.float64) / 255, train.astype(np.float64) / 255
    for step in steps:
        axes = (0, 1, 2) if "per_channel" in step else (0,)
        mean, sd = train.mean(axes), train.std(axes)
        if "standardize" in step:
            change = lambda z, m=mean, s=sd: np.where(s > 1e-12, (z - m) / np.where(s > 1e-12, s, 1), 0)  # noqa: E731
        else:
            change = lambda z, m=mean: z - m  # noqa: E731
        x, train = change(x), change(train)
    return x


STEPS = [
    [],
    ["center"],
    ["center_per_channel"],
    ["standardize"],
    ["standardize_per_channel"],
    ["center", "standardize_per_channel"],
]


@pytest.mark.parametrize("steps", STEPS)
def test_images(steps: list[str]) -> None:
    source, rows = images(), torch.arange(0, 700, 2)
    pre = fit_preprocess(source, rows, steps)
    x = source.x
    assert isinstance(x, torch.Tensor) and pre.apply(x) is x and pre.input_shape == (3, 6, 5)
    expected = image_statement(x.numpy(), x[rows].numpy(), steps)
    assert pre.cast.scale is not None and pre.cast.shift is not None
    exact = x.double() * pre.cast.scale + pre.cast.shift
    np.testing.assert_allclose(exact.numpy(), expected, rtol=1e-10, atol=1e-10)
    y = pre.cast(x)
    assert y.shape == (700, 3, 6, 5) and y.dtype == torch.float32 and y.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(y.permute(0, 2, 3, 1).numpy(), expected, atol=2e-6)
    for part in (x, x[::3].flip(2), x.float()):
        planes = pre.cast.by_planes(part)
        assert planes.is_contiguous() and torch.equal(planes, pre.cast(part))


def test_bright_images_are_summed_exactly() -> None:
    x = torch.from_numpy(RNG.integers(250, 256, (1500, 2, 2, 1), dtype=np.uint8))
    m = image_moments(x, torch.arange(1500))
    np.testing.assert_allclose(m.var.numpy(), x.numpy().astype(np.float64).var(0), rtol=1e-12)
    np.testing.assert_allclose(m.pooled().var.numpy(), x.numpy().astype(np.float64).var(), rtol=1e-12)


def test_float_images_get_the_same_input() -> None:
    source = images()
    pre = fit_preprocess(source, torch.arange(700), ["standardize"])
    floats = source.x.float()
    kept = floats.clone()
    assert torch.equal(pre.cast(source.x), pre.cast(floats)) and torch.equal(floats, kept)
    assert torch.equal(
        pre.cast(source.x[:, :, ::2].flip(2).flip(2)[:, :, :0].new_zeros(2, 6, 5, 3)), pre.cast(torch.zeros(2, 6, 5, 3))
    )
    view = source.x.flip(2)[::3]
    assert torch.equal(pre.cast(view), pre.cast(view.float()))
    soft = torch.rand(2, 6, 5, 3, requires_grad=True)
    pre.cast(soft).sum().backward()
    assert soft.grad is not None


def test_per_channel_casts_any_size_and_per_pixel_only_its_own() -> None:
    source = images()
    other = torch.zeros(2, 9, 9, 3, dtype=torch.uint8)
    assert fit_preprocess(source, torch.arange(700), ["center_per_channel"]).cast(other).shape == (2, 3, 9, 9)
    with pytest.raises(DataError, match="images of shape"):
        fit_preprocess(source, torch.arange(700), ["center"]).cast(other)


def test_the_notes_scale_of_pixels() -> None:
    source = images()
    pre = fit_preprocess(source, torch.arange(700), ["center(unit=False)"])
    expected = source.x.double() - source.x.double().mean(0)
    np.testing.assert_allclose(pre.cast(source.x).permute(0, 2, 3, 1).numpy(), expected.numpy(), atol=1e-4)


def test_only_training_rows_are_looked_at() -> None:
    source, rows = images(), torch.arange(100)
    first = fit_preprocess(source, rows, ["standardize"])
    source.x[100:] = 0
    second = fit_preprocess(source, rows, ["standardize"])
    assert torch.equal(first.cast.scale, second.cast.scale) and torch.equal(first.cast.shift, second.cast.shift)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_arrays(offset: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dressage.data.preprocess.numeric.PIECE", 64)
    x = (RNG.normal(size=(203, 4)) * [1, 5, 0.1, 0] + offset).astype(np.float32)
    source, rows = array(x), torch.arange(150)
    pre = fit_preprocess(source, rows, ["standardize"])
    train = x[:150].astype(np.float64)
    sd = train.std(0)
    sd[3] = np.inf
    step = pre.fitted[0]
    np.testing.assert_allclose(
        step.apply(torch.from_numpy(x.astype(np.float64))).numpy(), (x - train.mean(0)) / sd, rtol=1e-9, atol=1e-9
    )
    y = pre.apply(source.x)
    assert y.dtype == torch.float32 and y[:, 3].abs().max() == 0 and pre.input_shape == (4,)
    np.testing.assert_allclose(y.numpy(), (x - train.mean(0)) / sd, atol=1e-6)
    assert pre.cast(y) is y and fit_preprocess(source, rows, []).apply(source.x) is source.x


def test_a_constant_that_binary_cannot_hold_becomes_zero() -> None:
    source = Source(
        "t",
        "table",
        pa.table({"x": pa.array([0.1] * 999), "z": RNG.normal(size=999)}),
        torch.zeros(999),
        "regression",
        "y",
    )
    source = open_table(
        source.x.append_column("y", pa.array(RNG.normal(size=999))).set_column(0, "x", pa.array([0.1] * 998 + [0.2])),
        Data(),
    )
    pre = fit_preprocess(source, torch.arange(998), ["standardize"])
    assert pre.apply(source.x)[:, 0].abs().max() == 0


def test_channels_of_arrays_are_the_last_axis() -> None:
    x = RNG.normal(size=(50, 7, 3)) * [1, 2, 3] + 5
    y = fit_preprocess(array(x), torch.arange(50), ["standardize_per_channel"]).apply(array(x).x)
    np.testing.assert_allclose(y.mean((0, 1)).numpy(), 0, atol=1e-6)
    np.testing.assert_allclose(y.std((0, 1), correction=0).numpy(), 1, atol=1e-6)


def test_quantile_is_scikit_learns_but_for_the_ends() -> None:
    from sklearn.preprocessing import QuantileTransformer

    x = np.exp(RNG.normal(size=(500, 2))).round(1)  # many ties
    new = np.exp(RNG.normal(size=(300, 2)) * 2).round(1)
    source = array(np.concatenate([x, new]))
    x, new = source.x[:500].double().numpy(), source.x[500:].double().numpy()
    pre = fit_preprocess(source, torch.arange(500), ["quantile(levels=100)"])
    expected = QuantileTransformer(n_quantiles=100, output_distribution="normal", subsample=None).fit(x).transform(new)
    end = 3.090232306167813  # Φ⁻¹(1 − 1/1000)
    scores = pre.fitted[0].apply(torch.from_numpy(new)).numpy()
    at_ends = (new == x.min(0)) | (new == x.max(0))
    np.testing.assert_allclose(scores[~at_ends], expected.clip(-end, end)[~at_ends], atol=1e-10)
    assert at_ends.any() and (abs(scores[at_ends]) <= end + 1e-9).all(), (
        "rows tied at an end get the mean of their ranks"
    )


def test_quantile_leaves_few_values_and_even_columns_to_standardize() -> None:
    x = np.stack([RNG.integers(0, 3, 400), RNG.normal(size=400), np.exp(2 * RNG.normal(size=400))], 1)
    pre = fit_preprocess(array(x), torch.arange(400), ["quantile(skew=1)"])
    assert pre.fitted[0].ranked is not None and pre.fitted[0].ranked.tolist() == [False, False, True]
    y = pre.apply(array(x).x)
    assert y.abs().max() < 5 and abs(float(y[:, 2].std()) - 1) < 0.05


def table(n: int = 200) -> Source:
    rng = np.random.default_rng(1)
    size = [None if i % 10 == 3 else float(v) for i, v in enumerate(rng.normal(size=n))]
    word = [None if i % 20 == 5 else ("rare" if i == 7 else ["red", "blue"][i % 2]) for i in range(n)]
    when = [
        None if i % 50 == 9 else np.datetime64("2020-01-01T00:00", "us") + np.timedelta64(7 * i, "h") for i in range(n)
    ]
    frame = pa.table(
        {
            "size": size,
            "<b>word": word,
            "when": pa.array(when, pa.timestamp("us")),
            "full": rng.normal(size=n),
            "y": rng.normal(size=n),
        }
    )
    return open_table(frame, Data())


def test_tables() -> None:
    source = table()
    rows = torch.arange(150)
    pre = fit_preprocess(source, rows, [])
    x = pre.apply(source.x)
    assert x.dtype == torch.float32 and x.shape == (200, len(pre.features)) and pre.input_shape == (len(pre.features),)
    column = {name: x[:, i] for i, name in enumerate(pre.features)}
    assert list(column)[:1] == ["size"] and "full is missing" not in column
    size = source.x["size"].to_numpy(zero_copy_only=False)
    median = np.nanmedian(size[:150])
    np.testing.assert_allclose(column["size"].numpy(), np.where(np.isnan(size), median, size), rtol=1e-6)
    assert column["size is missing"].tolist() == [float(np.isnan(v)) for v in size]
    words = source.x["<b>word"].to_pylist()
    for level in ("red", "blue"):
        assert column[f"<b>word = {level}"].tolist() == [float(w == level) for w in words]
    assert column["<b>word = other"].sum() == 1 and column["<b>word is missing"].sum() == 10
    days = source.x["when"].cast(pa.int64()).to_numpy() / 86.4e9
    known = ~np.isnan(days)
    np.testing.assert_allclose(column["when: days"][torch.from_numpy(known)].numpy(), days[known], rtol=1e-6)
    np.testing.assert_allclose(
        column["when: sine of the day"][torch.from_numpy(known)].numpy(), np.sin(2 * np.pi * days[known]), atol=1e-6
    )
    assert x.isfinite().all()


def test_words_never_seen_and_holes_never_seen() -> None:
    source = table()
    pre = fit_preprocess(source, torch.arange(150), ["standardize"])
    new = pa.table(
        {
            "size": [None],
            "<b>word": ["green"],
            "when": pa.nulls(1, pa.timestamp("us")),
            "full": pa.nulls(1, pa.float64()),
        }
    )
    x = dict(zip(pre.features, pre.apply(new)[0].tolist(), strict=True))
    assert (
        x["<b>word = other"] == 1
        and x["<b>word = red"] == 0
        and x["size is missing"] == 1
        and np.isfinite(list(x.values())).all()
    )
    plain = fit_preprocess(source, torch.arange(8, 150), ["onehot(min_rows=1)"])
    y = dict(zip(plain.features, plain.apply(new)[0].tolist(), strict=True))
    assert "<b>word = other" not in y and y["<b>word = red"] == y["<b>word = blue"] == 0
    with pytest.raises(DataError, match="no column 'size'"):
        pre.apply(new.drop_columns(["size"]))


def test_rare_levels_share_a_column() -> None:
    words = [f"w{i % 40}" if i < 400 else f"r{i}" for i in range(440)]
    source = open_table(pa.table({"k": words, "y": [0, 1] * 220}), Data())
    pre = fit_preprocess(source, torch.arange(440), ["onehot(max_levels=10)"])
    assert len(pre.features) == 11 and pre.features[-1] == "k = other"
    assert pre.apply(source.x).sum(1).tolist() == [1.0] * 440


def test_impute_by_mean_without_a_column() -> None:
    source = table()
    pre = fit_preprocess(source, torch.arange(150), ["impute(strategy='mean', indicator=False)"])
    assert not any(name.endswith("is missing") for name in pre.features if name.startswith(("size", "when")))
    hole = source.x["size"].is_null().to_pylist().index(True)
    assert (
        abs(float(pre.apply(source.x)[hole, 0]) - np.nanmean(source.x["size"].to_numpy(zero_copy_only=False)[:150]))
        < 1e-6
    )


def test_the_target_of_a_regression() -> None:
    source = table()
    rows = torch.arange(100)
    target = fit_preprocess(source, rows, []).target
    y = source.y.double()
    z = target.standardize(y)
    np.testing.assert_allclose(z.numpy(), (y - y[:100].mean()) / y[:100].std(correction=0), atol=1e-10)
    np.testing.assert_allclose(target.invert(z).numpy(), y.numpy(), atol=1e-10)
    labels = torch.tensor([0, 1])
    assert fit_preprocess(images(), torch.arange(10), []).target.standardize(labels) is labels


SOURCES: list[tuple[Any, list[str]]] = [
    (table, ["quantile(skew=0.5)", "standardize"]),
    (table, ["standardize"]),
    (images, ["standardize"]),
    (images, []),
    (lambda: array(RNG.normal(size=(90, 3))), ["center", "quantile"]),
]


@pytest.mark.parametrize(("make", "steps"), SOURCES)
def test_storage_keeps_every_bit(make: Any, steps: list[str]) -> None:
    from safetensors.torch import load, save

    source = make()
    pre = fit_preprocess(source, torch.arange(80), steps)
    state, tensors = pre.to_state()
    text = json.dumps(state, allow_nan=False)
    again = Preprocess.from_state(json.loads(text), load(save(tensors)))
    assert torch.equal(again.cast(again.apply(source.x)), pre.cast(pre.apply(source.x)))
    assert again.features == pre.features and again.input_shape == pre.input_shape
    assert torch.equal(again.target.standardize(source.y), pre.target.standardize(source.y))
    assert again.to_state()[0] == state
    with pytest.raises(DataError, match="format 99"):
        Preprocess.from_state({**state, "format": 99}, tensors)


def test_a_new_file_goes_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;k;y\n" + "".join(f"{i},5;{'pq'[i % 2]};{i % 3}\n" for i in range(40)))
    source = open_table(path, Data())
    pre = fit_preprocess(source, torch.arange(30), ["standardize"])
    new = Preprocess.from_state(*pre.to_state()).table(path)
    assert torch.equal(pre.apply(new.x), pre.apply(source.x)) and new.y is not None and torch.equal(new.y, source.y)


@pytest.mark.parametrize(
    ("make", "step", "said"),
    [
        (images, "quantile", "quantile is not for images"),
        (table, "center_per_channel", "not for table"),
        (table, "standardise", "did you mean 'standardize'"),
        (table, "quantile(levels=1)", "levels"),
        (table, "impute(strategy='mode')", "median or mean"),
        (lambda: array(np.zeros((5, 2))), "center_per_channel", "samples with channels"),
    ],
)
def test_steps_that_do_not_fit(make: Any, step: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        fit_preprocess(make(), torch.arange(4), [step])


def test_not_a_number_in_an_array_is_named() -> None:
    x = np.ones((20, 3))
    x[4, 2] = np.nan
    with pytest.raises(DataError, match="feature 2"):
        fit_preprocess(array(x), torch.arange(20), ["standardize"])


def test_every_entry_builds_and_says_what_it_is() -> None:
    for name, entry in catalogue.items():
        assert catalogue.build(name).name == name and entry.summary and entry.formula and entry.source


def test_what_is_told_and_stored_of_the_data() -> None:
    y = ["a", "b", "c"] * 20 + ["d", "d"]
    source = open_table(pa.table({"x": RNG.normal(size=62), "k\x1b": [*"pq"] * 31, "y": y}), Data())
    parts = split(source, Data(), 0)
    rows = describe(source, parts)
    assert [row.name for row in rows if row.section == "column"] == ["x", "k\x1b", "y"]
    told = {row.name: row.what for row in rows if row.section == "class"}
    assert told["a"] == "train 14, validation 3, test 3" and any(
        "'d'" in row.what for row in rows if row.section == "warning"
    )
    stored = json.loads(json.dumps(to_json(source, parts), allow_nan=False))
    again = parts_from_json(stored)
    assert set(again) == set(parts) and all(torch.equal(again[part], parts[part]) for part in parts)
    stored["parts"]["train"]["size"] += 1
    with pytest.raises(DataError, match="damaged"):
        parts_from_json(stored)


def test_digits_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits
    from sklearn.preprocessing import StandardScaler

    x, y = load_digits(return_X_y=True)
    source = Source(
        "digits",
        "array",
        torch.from_numpy(x.astype(np.float32)),
        torch.from_numpy(y).long(),
        "classification",
        "",
        [*"0123456789"],
    )
    parts = split(source, Data(), 0)
    pre = fit_preprocess(source, parts["train"], ["standardize"])
    expected = StandardScaler().fit(x[parts["train"].numpy()]).transform(x)
    still = x[parts["train"].numpy()].std(0) == 0  # scikit-learn leaves a constant's new values as they are
    expected[:, still] = 0
    np.testing.assert_allclose(pre.apply(source.x).numpy(), expected, atol=1e-5)


def test_a_column_too_large_to_be_squared_is_named():
    table = pa.table(
        {"a": [float(i) for i in range(30)], "huge": [1e300] * 29 + [-1e300], "y": [i % 3 + 0.5 for i in range(30)]}
    )
    source = open_table(table, Data(target="y", task="regression"))
    with pytest.raises(DataError, match="huge has values that are not finite"):
        fit_preprocess(source, torch.arange(30), ["standardize"])

"""Keyed draws, and every augmentation: shape, type, range, nothing at strength 0, the same draw the same output."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dressage.augment import Batch, Draw, catalogue, key
from dressage.augment.mixing import beta
from dressage.errors import RecipeError

CLASSES = 5
Maker = Callable[..., Batch]


def make_batch(n: int = 16, size: tuple[int, ...] = (10, 12, 3), dtype: torch.dtype = torch.uint8) -> Batch:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (n, *size), dtype=torch.uint8, generator=generator).to(dtype)
    y = torch.randint(0, CLASSES, (n,), generator=generator)
    return Batch(x, y, torch.randperm(1000, generator=generator)[:n])


def draw(batch: Batch, seed: int = 0, epoch: int = 0, step: int = 0) -> Draw:
    return Draw(seed, epoch, step, batch.rows)


# --- keyed draws


def splitmix(row: int, index: int, start: int) -> int:
    """The finaliser of SplitMix64 as its authors state it, in whole numbers modulo 2^64."""
    mask = 2**64 - 1
    z = ((row << 20) + index) * 0x9E3779B97F4A7C15 + start & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31


def test_draws_are_splitmix64() -> None:
    rows = torch.tensor([0, 1, 5, 999_999_999])
    made = Draw(7, 3, 100, rows)
    start = key(7, "augment", 3, "a")
    bits = [[splitmix(int(r), i, start) for i in range(3)] for r in rows]
    np.testing.assert_array_equal(made.uniform("a", 3).numpy(), [[(b >> 40) / 2**24 for b in row] for row in bits])
    np.testing.assert_array_equal(made.integers("a", -4, 90).numpy(), [((row[0] >> 32) * 94 >> 32) - 4 for row in bits])


def test_key() -> None:
    keys = {
        key(0, "order", 1),
        key(0, "order", 2),
        key(1, "order", 1),
        key(0, "order"),
        key(0, "order1"),
        key(0, "order", "1"),
    }
    assert len(keys) == 6
    assert all(0 <= k < 2**63 for k in keys)
    assert key(5, "order", 9) == key(5, "order", 9)
    assert key(0, "order", 1) == 4004135407344543170  # of this version for ever: a change would change every run


def chi2(counts: Tensor) -> float:
    expected = counts.double().mean()
    return float(((counts - expected) ** 2 / expected).sum())


def near(statistic: float, freedom: int) -> bool:
    """Within five standard deviations of a chi-squared number's mean: too even is as suspicious as too uneven."""
    return abs(statistic - freedom) < 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("stride", [1, 2, 64, 1 << 20, 12_345_677])
def test_uniform_over_rows_and_indices(stride: int) -> None:
    values = Draw(0, 0, 0, torch.arange(20_000) * stride).uniform("test", 5)
    assert values.dtype == torch.float32 and values.shape == (20_000, 5)
    assert values.min() >= 0 and values.max() < 1
    for column in values.T:
        assert near(chi2(torch.histc(column, 200, 0, 1)), 199)
    # Low bits, and neighbours in both directions: pairs spread evenly over a grid.
    assert near(chi2(torch.bincount((values[:, 0] * 2**24).long() & 255, minlength=256)), 255)
    for a, b in ((values[:-1, 0], values[1:, 0]), (values[:, 0], values[:, 1])):
        assert near(chi2(torch.bincount((a * 16).long() * 16 + (b * 16).long(), minlength=256)), 255)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((0, 0, "a"), (0, 0, "b")),
        ((0, 0, "a"), (0, 1, "a")),
        ((0, 0, "a"), (1, 0, "a")),
        ((0, 0, "random_crop.top"), (0, 0, "random_crop.left")),
    ],
)
def test_purposes_epochs_and_seeds_are_independent(one: tuple[int, int, str], other: tuple[int, int, str]) -> None:
    rows = torch.arange(50_000)
    a, b = (Draw(seed, epoch, 0, rows).uniform(purpose)[:, 0] for seed, epoch, purpose in (one, other))
    assert near(chi2(torch.bincount((a * 20).long() * 20 + (b * 20).long(), minlength=400)), 399)
    assert abs(np.corrcoef(a.numpy(), b.numpy())[0, 1]) < 5 / np.sqrt(50_000)


@pytest.mark.parametrize(("low", "high"), [(0, 9), (-3, 4), (0, 1), (5, 1000)])
def test_integers(low: int, high: int) -> None:
    values = Draw(0, 0, 0, torch.arange(200_000)).integers("test", low, high)
    assert values.dtype == torch.int64 and values.shape == (200_000,)
    counts = torch.bincount(values - low, minlength=high - low)
    assert len(counts) == high - low
    assert high - low == 1 or near(chi2(counts), high - low - 1)


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3), (0, 2**31)])
def test_integers_refuses_an_empty_or_too_wide_range(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="expected low < high"):
        Draw(0, 0, 0, torch.arange(3)).integers("test", low, high)


@given(order=st.permutations(range(12)), size=st.integers(1, 12), count=st.integers(1, 4))
def test_a_samples_draw_does_not_depend_on_its_batch(order: list[int], size: int, count: int) -> None:
    rows = torch.arange(100, 112)
    whole = Draw(1, 2, 3, rows).uniform("test", 4)
    some = torch.tensor(order[:size])
    assert torch.equal(Draw(1, 2, 77, rows[some]).uniform("test", count), whole[some, :count])
    assert torch.equal(Draw(1, 2, 3, rows[some]).integers("i", 0, 50), Draw(1, 2, 3, rows).integers("i", 0, 50)[some])


def test_rows_are_left_as_they_are() -> None:
    rows = torch.arange(5)
    Draw(0, 0, 0, rows).uniform("test", 2)
    assert torch.equal(rows, torch.arange(5))


# --- every augmentation

KEPT = {"horizontal_flip", "random_crop"}
"""Those that keep the number format and the labels, and whose draws are a sample's own."""


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(10, 12, 3), (1, 1, 1), (28, 28, 1), (32, 32, 3), (7, 3, 4)])
@pytest.mark.parametrize("name", catalogue)
def test_any_augmentation(name: str, size: tuple[int, ...], dtype: torch.dtype) -> None:
    batch = make_batch(9, size, dtype)
    copy = Batch(*(t.clone() for t in batch))
    transform = catalogue.build(name, CLASSES)
    state = torch.get_rng_state()
    out = transform(batch, draw(batch))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(batch, copy, strict=True)), "its input was changed"
    assert out.x.shape == batch.x.shape and out.x.is_contiguous()
    assert out.x.dtype == (dtype if name in KEPT or dtype.is_floating_point else torch.float32)
    assert out.x.min() >= 0 and out.x.max() <= 255
    assert torch.equal(out.rows, batch.rows)
    again = transform(batch, draw(batch))
    assert all(torch.equal(a, b) for a, b in zip(out, again, strict=True))
    if name in KEPT:
        assert torch.equal(out.y, batch.y)
    else:
        torch.testing.assert_close(out.y.sum(1), torch.ones(9))
        assert (out.y >= 0).all() and torch.equal(out.y.argmax(1), batch.y)


@pytest.mark.parametrize("name", catalogue)
def test_another_seed_epoch_or_step_gives_another_output(name: str) -> None:
    batch = make_batch(64)
    transform = catalogue.build(name, CLASSES)
    first = transform(batch, draw(batch)).x
    assert not torch.equal(first, transform(batch, draw(batch, seed=1)).x)
    assert not torch.equal(first, transform(batch, draw(batch, epoch=1)).x)
    by_step = torch.equal(first, transform(batch, draw(batch, step=1)).x)
    assert by_step == (name in KEPT)


@pytest.mark.parametrize("written", ["horizontal_flip(p=0.0)", "random_crop(padding=0)", "mixup(alpha=1e-9)"])
def test_strength_zero_changes_nothing(written: str) -> None:
    batch = make_batch()
    out = catalogue.build(written, CLASSES)(batch, draw(batch))
    torch.testing.assert_close(out.x, batch.x, check_dtype=False)
    labels = out.y if out.y.ndim == 1 else out.y.argmax(1)
    assert torch.equal(labels, batch.y)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_any_cut_of_the_batch_gives_the_same_samples(name: str) -> None:
    batch = make_batch(20)
    transform = catalogue.build(name, CLASSES)
    whole = transform(batch, draw(batch)).x
    some = torch.tensor([13, 2, 7])
    part = Batch(*(t[some] for t in batch))
    assert torch.equal(transform(part, draw(part, step=5)).x, whole[some])


# --- formulas


def test_horizontal_flip_formula() -> None:
    batch = make_batch(200)
    out = catalogue.build("horizontal_flip(p=0.3)", CLASSES)(batch, draw(batch)).x.numpy()
    flipped = draw(batch).uniform("horizontal_flip")[:, 0].numpy() < 0.3
    assert 30 < flipped.sum() < 90
    for image, given_image, turned in zip(out, batch.x.numpy(), flipped, strict=True):
        np.testing.assert_array_equal(image, given_image[:, ::-1] if turned else given_image)
    always = catalogue.build("horizontal_flip(p=1.0)", CLASSES)(batch, draw(batch)).x
    assert torch.equal(always, batch.x.flip(2))


@pytest.mark.parametrize("padding", [1, 4, 15])
def test_random_crop_formula(padding: int) -> None:
    batch = make_batch(60)
    out = catalogue.build(f"random_crop(padding={padding})", CLASSES)(batch, draw(batch)).x.numpy()
    padded = np.pad(batch.x.numpy(), ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    top = draw(batch).integers("random_crop.top", 0, 2 * padding + 1).tolist()
    left = draw(batch).integers("random_crop.left", 0, 2 * padding + 1).tolist()
    assert {min(top), min(left)} <= {0, 1, 2} and {max(top), max(left)} <= set(range(2 * padding - 2, 2 * padding + 1))
    for image, whole, a, b in zip(out, padded, top, left, strict=True):
        np.testing.assert_array_equal(image, whole[a : a + 10, b : b + 12])


@pytest.mark.parametrize("name", sorted(KEPT))
def test_images_that_do_not_lie_in_order_in_memory(name: str) -> None:
    batch = make_batch()
    strided = batch._replace(x=batch.x.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1))
    transform = catalogue.build(name, CLASSES)
    assert torch.equal(transform(strided, draw(batch)).x, transform(batch, draw(batch)).x)


def test_mixup_formula() -> None:
    batch = make_batch(30, dtype=torch.float64)
    out = catalogue.build("mixup(alpha=0.7)", CLASSES)(batch, draw(batch, step=4))
    generator = draw(batch, step=4).generator("mixup")
    partner = torch.randperm(30, generator=generator).numpy()
    share = beta(0.7, 30, generator).numpy().astype(np.float32)
    x, y = batch.x.numpy(), np.eye(CLASSES)[batch.y.numpy()]
    wide = share.astype(np.float64)[:, None, None, None]
    np.testing.assert_allclose(out.x.numpy(), wide * x + (1 - wide) * x[partner], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(
        out.y.numpy(), share[:, None] * y + (1 - share[:, None]) * y[partner], rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixing_shares_are_beta(alpha: float) -> None:
    share = beta(alpha, 100_000, torch.Generator().manual_seed(0)).numpy()
    assert share.min() >= 0.5 and share.max() <= 1
    # The variance of Beta(a, a) about ½ is 1/(4(2a+1)), the same for λ and max(λ, 1−λ).
    assert ((share - 0.5) ** 2).mean() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.02)
    if alpha == 0.2:  # 67 % of the draws lie within 0.1 of 0 or 1
        assert (share > 0.9).mean() == pytest.approx(0.67, abs=0.01)


def test_mixup_of_numbers_mixes_targets() -> None:
    batch = Batch(torch.randn(8, 6), torch.arange(8.0), torch.arange(8))
    out = catalogue.build("mixup(alpha=1.0)", 0)(batch, draw(batch))
    assert out.x.shape == (8, 6) and out.y.shape == (8,)
    assert out.y.mean().item() != batch.y.mean().item() or not torch.equal(out.y, batch.y)
    twice = catalogue.build("mixup", CLASSES)(make_batch(), draw(make_batch()))
    assert catalogue.build("mixup", CLASSES)(twice, draw(twice)).y.shape == (16, CLASSES)


@pytest.mark.parametrize("name", sorted(KEPT))
def test_rows_of_numbers_are_no_images(name: str) -> None:
    batch = Batch(torch.randn(8, 6), torch.arange(8), torch.arange(8))
    with pytest.raises(RecipeError, match=rf"augment {name}: a batch of shape \(8, 6\); .+; take {name} out"):
        catalogue.build(name, CLASSES)(batch, draw(batch))


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("horizontal_flip(p=1.5)", "horizontal_flip.p"),
        ("horizontal_flip(p=1e999-1e999)", "technique"),
        ("random_crop(padding=-1)", "random_crop.padding"),
        ("random_crop(padding=2.5)", "random_crop.padding"),
        ("random_crop(pading=2)", "random_crop"),
        ("mixup(alpha=0.0)", "mixup.alpha"),
        ("mixup(alpha=1e999)", "mixup.alpha"),
        ("mixupp", "'mixupp'"),
    ],
)
def test_bad_options(written: str, where: str) -> None:
    with pytest.raises(RecipeError, match=rf"^{where}: .+; .+; .+"):
        catalogue.build(written, CLASSES)

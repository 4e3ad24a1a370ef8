"""Every schedule: finite, between its ends, repeatable by step number; each against its formula."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dressage.errors import RecipeError
from dressage.optim.schedules import catalogue, schedule

WRITTEN = [*catalogue, "cosine(floor=0.1)", "linear(floor=0.2)", "step(every=7, factor=0.5)", "step(every=0.25)"]


@given(
    written=st.sampled_from(WRITTEN),
    warmup=st.floats(0, 0.99),
    total=st.integers(1, 3000),
)
def test_any_schedule(written: str, warmup: float, total: int) -> None:
    factor = schedule(written, warmup, total)
    steps = sorted({0, 1, total // 3, total // 2, total - 1, total, total + 50})
    values = [factor(t) for t in steps]
    assert all(math.isfinite(v) and 0 <= v <= 1 + 1e-12 for v in values)
    assert all(v > 0 for t, v in zip(steps, values, strict=True) if t < total)
    again = schedule(written, warmup, total)
    assert [again(t) for t in reversed(steps)] == values[::-1]


@given(warmup=st.floats(0, 0.99), total=st.integers(2, 2000), written=st.sampled_from(WRITTEN))
def test_it_rises_to_the_top_and_then_never_rises(written: str, warmup: float, total: int) -> None:
    factor = schedule(written, warmup, total)
    values = [factor(t) for t in range(total)]
    top = values.index(max(values))
    assert values[top] == pytest.approx(1)
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)


def test_formulas() -> None:
    t, total = 37, 120
    assert catalogue.build("constant")(t, total) == 1
    assert catalogue.build("linear(floor=0.2)")(t, total) == pytest.approx(1 - 0.8 * 37 / 120, rel=1e-12)
    expected = 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 37 / 120))
    assert catalogue.build("cosine(floor=0.1)")(t, total) == pytest.approx(expected, rel=1e-12)
    assert catalogue.build("step(every=10, factor=0.5)")(t, total) == 0.5**3
    assert [catalogue.build("step")(t, 100) for t in (29, 30, 60, 90, 99)] == pytest.approx([1, 0.1, 0.01, 1e-3, 1e-3])


@pytest.mark.parametrize(
    ("written", "floor"), [("cosine", 0), ("linear", 0), ("cosine(floor=0.1)", 0.1), ("linear(floor=0.2)", 0.2)]
)
def test_ends_at_the_floor_just_after_the_last_step(written: str, floor: float) -> None:
    factor = schedule(written, 0.05, 1000)
    assert factor(1000) == pytest.approx(floor, abs=1e-12)
    assert floor < factor(999) < floor + 0.002


def test_warm_up() -> None:
    factor = schedule("constant", 4, 10)
    assert [factor(t) for t in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert schedule("cosine", 0.25, 40)(9) == 1 == schedule("cosine", 0.25, 40)(10)
    assert schedule("cosine", 0.0, 40)(0) == 1
    # A share that rounds to the whole run leaves one step to the curve, which still ends at its floor.
    assert [schedule("cosine", 0.99, 10)(t) for t in (8, 9, 10)] == [1, 1, 0]


@pytest.mark.parametrize(
    ("written", "where"),
    [
        ("cosine(floor=1.5)", "cosine.floor"),
        ("linear(floor=-0.1)", "linear.floor"),
        ("step(every=0.0)", "step.every"),
        ("step(factor=2.0)", "step.factor"),
        ("step(every=1e999)", "step.every"),
        ("cosin", "'cosin'"),
        ("cosine(flor=0.1)", "cosine"),
    ],
)
def test_bad_options(written: str, where: str) -> None:
    with pytest.raises(RecipeError, match=rf"^{where}: .+; .+; .+"):
        schedule(written, 0.05, 100)


def test_a_warm_up_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"100 steps of warm-up in a run of 60 steps"):
        schedule("cosine", 100, 60)

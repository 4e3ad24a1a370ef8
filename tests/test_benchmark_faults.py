"""The benchmark of faults: its table is whole, its faults are shown to do harm, and its page counts rightly."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from faults import blind, fresh, programs  # noqa: E402
from faults.case import CASES, CAUSES, HEALTHY, Case  # noqa: E402
from faults.measure import OverLimitError, Run, limited, measure  # noqa: E402
from faults.report import Judged, report  # noqa: E402

GAPS = json.loads((BENCHMARKS / "faults" / "gaps.json").read_text(encoding="utf-8"))


def test_every_cause_has_cases_in_both_halves() -> None:
    assert programs.FILES and len(CAUSES) == len(set(CAUSES)) == 43
    halves = Counter((case.cause, case.half) for case in CASES.values())
    assert all(halves[cause, half] >= 1 for cause in CAUSES for half in ("tune", "report"))
    assert all(halves[cause, "tune"] + halves[cause, "report"] >= 3 for cause in CAUSES)
    assert halves[HEALTHY, "tune"] + halves[HEALTHY, "report"] >= 50
    assert {cause for cause, _ in halves} == {*CAUSES, HEALTHY} and sum(halves.values()) >= 200


def test_the_fresh_half_has_every_cause_twice() -> None:
    found = Counter(case.cause for case in CASES.values() if case.half == "fresh")
    assert fresh.FILES and all(found[cause] >= (1 if cause == "pipe.data_stall" else 2) for cause in CAUSES)
    assert found[HEALTHY] >= 40


def test_the_blind_half_has_every_cause() -> None:
    found = Counter(case.cause for case in CASES.values() if case.half == "blind")
    assert blind.FILES and all(found[cause] >= 1 for cause in CAUSES) and found[HEALTHY] >= 25


def test_the_ids_that_are_also_true_exist() -> None:
    assert {i for case in CASES.values() for i in case.also} <= set(CAUSES)


def test_every_fault_was_shown_to_do_harm() -> None:
    assert set(GAPS) == set(CASES)
    for name, row in GAPS.items():
        assert row["half"] == CASES[name].half, f"{name}: changed its half"
        assert "error" not in row and (CASES[name].cause == HEALTHY or row["material"] or row["expects"] == "info"), (
            name
        )


def test_a_run_is_the_same_each_time() -> None:
    case = CASES["healthy/linear_on_a_linear_law"]
    first, second = (measure(case, fault=False, watched=False) for _ in range(2))
    assert first.error == second.error == "" and first.score == second.score and first.steps == 240


def _run(case: str, fault: bool, *ids: str, steps: int = 100) -> Run:
    named = [{"id": i, "harmful": True, "symptom": False, "severity": "warning", "step": 5} for i in ids]
    return Run(case, fault, True, steps=steps, seconds=1.0, named=named, first_seen=dict.fromkeys(ids, 5))


def test_the_page_counts_rightly() -> None:
    name = "optim.no_zero_grad/digits_sgd"
    other, good = CASES["data.nonfinite/missing_value"], CASES["healthy/lbfgs"]
    named = _run(name, True, "optim.lr_too_high", "optim.no_zero_grad", "data.duplicates")
    runs = [
        named,
        _run(name, False),
        _run(other.id, True, "sym.nonfinite_loss"),
        _run(other.id, False),
        _run(good.id, False),
    ]
    page = report([CASES[name], other, good], runs)
    rows = {line[:40].strip(): line[40:60].strip() for line in page.splitlines()}
    assert (
        rows["cause recall"] == "0.500 (1/2)" and rows["cause precision"] == "0.500 (1/2)"
    )  # what is also true counts for neither
    assert rows["first-named cause right"] == "0.500 (1/2)" and rows["detection (any harmful finding)"] == "1.000 (2/2)"
    assert rows["false alarms on healthy runs"] == "0.000 (0/1)" and rows["gone on the repaired twin"] == "1.000 (1/1)"
    assert f"{other.id}: missed" in page and f"{name}: named, with others" in page


@pytest.mark.parametrize(
    "ids, first", [(("optim.no_zero_grad",), True), (("data.duplicates", "optim.no_zero_grad"), False)]
)
def test_first_named(ids: tuple[str, ...], first: bool) -> None:
    case: Case = CASES["optim.no_zero_grad/digits_sgd"]
    assert Judged(case, _run(case.id, True, *ids), None).first is first


def test_the_limit_of_a_run_is_of_its_work_and_nothing_catches_it() -> None:
    with limited(0.05):
        time.sleep(0.1)
    with pytest.raises(OverLimitError), limited(0.05), contextlib.suppress(Exception):
        while True:
            pass

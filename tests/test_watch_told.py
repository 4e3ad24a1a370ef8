"""Which of several findings are told: a cause once, and not beside what explains it."""

from __future__ import annotations

import pytest

from dressage.findings import Finding
from dressage.watch.explained import explained, joined


def _finding(name: str, where: str, severity: str, **numbers: float) -> Finding:
    return Finding(name, severity, where, "", "", "", numbers=numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(("auc", "told"), [(0.99, "info"), (0.6, "warning")])
def test_validation_rows_that_lie_elsewhere_do_not_tell_whether_their_labels_fit(auc: float, told: str) -> None:
    moved = _finding("data.split_shift", "validation inputs", "warning", auc=auc)
    torn = _finding("data.shuffled_labels", "validation targets", "warning")
    assert [f.severity for f in explained([moved, torn])] == ["warning", told]
    of_training = _finding("data.shuffled_labels", "training targets", "warning")
    assert [f.severity for f in explained([moved, of_training])] == ["warning", "warning"]


def test_a_cause_is_told_once() -> None:
    proof, note = (_finding("optim.bn_small_batch", w, s) for w, s in (("batch norm", "warning"), ("1", "info")))
    harm, other = _finding("optim.bn_small_batch", "1", "warning"), _finding("model.dead_relu", "0", "info")
    assert joined([note, other], [proof]) == [other, proof]
    assert joined([harm, other], [proof]) == [harm, other]
    assert joined([other], []) == [other]

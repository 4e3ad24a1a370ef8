"""What proofs are trained under: the penalties and constraints that the recipe names."""

from __future__ import annotations

import pytest

from dressage.findings import Finding
from dressage.prepare import prepare
from dressage.remedies import in_a_recipe
from dressage.subject import advance
from dressage.watch.changes import changes
from dressage.watching import case_of
from test_watching import SHORT, digits, merged


@pytest.mark.parametrize("technique", ["l2(strength=3)", "max_norm(limit=0.05)", "activity(strength=1.0)"])
def test_proofs_are_trained_under_the_recipes_penalties_and_constraints(technique: str) -> None:
    x, y = digits(400)
    recipe = {"regularize": {"techniques": [technique], "dropout": 0.0, "weight_decay": 0.0}, "average": "none"}
    job = prepare(x, merged(SHORT, recipe), y=y)
    lab = case_of(job, own_model=False).lab(start=True)
    assert lab is not None
    free = next(change for change in changes(lab) if change.id == "optim.over_regularised").edit(lab)
    assert free is not None
    held, loose = advance(lab, 60), advance(free, 60)
    assert held.metric < 0.5 < 0.9 < loose.metric
    finding = Finding("optim.over_regularised", "warning", "", "", "", "", {"regularize.weight_decay": 1e-4})
    (mended,) = in_a_recipe([finding], job)
    assert mended.edit == {"regularize.techniques": []}

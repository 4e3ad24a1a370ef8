"""Units that began equal and are equal still, told from the weights alone: where no copy can be trained."""

from __future__ import annotations

from torch import Tensor, nn

from dressage.findings import Finding
from dressage.preflight.equal_units import COMPARED, twins
from dressage.watch.case import Case

STEPS = 30
"""Updates after which units that anything tells apart have parted."""
UNITS, WIDE = 4, 4
"""Units of a layer, and weights of a unit, from which equal ones are no chance."""
LEARNED = 0.1
"""Share of the first loss: what has come below it does well with the units that it has."""
STANDS = 1e-6
"""Change of a weight beside the largest of its matrix, below which it has not moved."""


def equal_units(case: Case) -> list[Finding]:
    """A matrix most of whose units began with one another's weights, have moved, and have them still: one unit does the work."""
    if case.start is None or case.telemetry.step < STEPS or not case.is_unjudged:
        return []
    seen = case.telemetry
    recent = seen.recent()
    if not recent or 0 <= sum(recent) / len(recent) <= LEARNED * seen.first():
        return []  # of a likelihood, which goes below 0, no share says how much is left
    now = _matrices(case.model)
    for name, before in _matrices(case.start[0]).items():
        after = now.get(name)
        if after is None or after.shape != before.shape:
            continue
        share, units = max((_still_equal(a, b), len(a)) for a, b in ((before, after), (before.mT, after.mT)))
        if share > 0.5:
            return [_finding(name, share, units, seen.step)]
    return []


def _matrices(model: nn.Module) -> dict[str, Tensor]:
    """Trained matrices by name; tables of embeddings are left out, whose words may be alike."""
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) for p in m.parameters()}
    named = {n: p for n, p in model.named_parameters() if p.requires_grad and id(p) not in tables}
    return {n: p.detach().cpu() for n, p in named.items() if p.ndim == 2 and p.is_floating_point()}


def _still_equal(before: Tensor, after: Tensor) -> float:
    """Share of the rows that equal another row before and after, all of whose kind have moved; 0 of few or short rows."""
    if len(after) < UNITS or after.shape[1] < WIDE or not bool(after.isfinite().all()):
        return 0.0
    every = max(1, after.shape[1] // COMPARED)
    some, moved = after[:, ::every], (after - before).abs()[:, ::every]
    parted = moved > STANDS * float(after.abs().max())
    kept = parted.float().mean(1) > 0.5  # a unit that no gradient reaches is as it began
    if kept.sum() < UNITS:
        return 0.0
    return min(twins(before[:, ::every][kept]), twins(some[kept])) * float(kept.float().mean())


def _finding(name: str, share: float, units: int, step: int) -> Finding:
    return Finding(
        "model.symmetric_init",
        "warning",
        name,
        f"{share:.0%} of the {units} units of {name} began with the weights of another one; after {step} updates, which moved "
        "them, they have them still",
        "units that start equal get equal gradients and stay equal: the layer works like one unit",
        "draw the first weights at random (He or Xavier)",
        {"model.init": "he"},
        step=step,
        code=f"nn.init.xavier_normal_(model.{name})",
        confidence=0.9,
        numbers={"equal": share},
    )

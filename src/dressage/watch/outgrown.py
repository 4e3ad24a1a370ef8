"""Faults of the beginning that the training has overcome: what slowed it at first is a note where it ends as well as it could."""

from __future__ import annotations

import math
from dataclasses import replace

from dressage.findings import Finding
from dressage.watch.anew import scaled
from dressage.watch.case import Case

OVERCOME = (
    "data.unscaled_inputs",
    "data.all_positive_inputs",
    "data.target_unscaled",
    "model.init_too_small",
    "model.init_too_large",
    "optim.vanishing_gradients",
    "optim.exploding_gradients",
    "model.saturated_activation",
)
"""Causes that only slow a training, and that a long one may leave behind."""
SHORT = 0.03
"""Of the metric, that the end may lie below what a mended copy or a simple model reaches."""


def outgrown(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings, those that the training has overcome as notes: it ends where simple models and mended copies do."""
    if not any(f.id in OVERCOME and f.is_harmful for f in found) or case.telemetry.nonfinite is not None:
        return found
    known, (_, metric) = case.baselines, case.now()
    if known is None or not known.tells or math.isnan(metric):
        return found
    held = case.validation_metric()
    on_others = math.isnan(held) or math.isnan(known.best.validation) or held >= known.best.validation - SHORT

    def at_the_end(finding: Finding) -> Finding:
        """As a note if it was overcome, or with what it costs in the end."""
        wanted = max(known.best.score, finding.numbers.get("standardised", -math.inf))
        if not (finding.is_harmful and finding.id in OVERCOME and on_others and metric >= wanted - SHORT):
            return finding
        if (ends := scaled(case, finding.id)) is None:
            return replace(finding, severity="info")
        said = (
            "; in the end the network has {:.3g} on validation rows, a copy trained anew on standardised values {:.3g}"
        )
        return replace(finding, evidence=finding.evidence + said.format(ends.as_it_is, ends.anew))

    return [at_the_end(f) for f in found]

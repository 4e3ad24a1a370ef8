"""Muon: steps whose matrices are orthogonal."""

from __future__ import annotations

import torch

from dressage import recipe
from dressage.errors import RecipeError
from dressage.optim.adam import adamw
from dressage.optim.common import Around, Groups, check_share


def muon(groups: Groups, section: recipe.Optim, *, momentum: float = 0.95) -> torch.optim.Optimizer:
    """torch's Muon for the hidden weight matrices, torch's AdamW for all else, at one rate and one decay.

    Hidden: of two dimensions, and neither the first nor the last weight of the network, which read the input and give
    the output. A step of Muon is scaled by 0.2·√max(rows, columns), to the size of AdamW's (Liu et al. 2025).
    Raises RecipeError for a network without hidden weight matrices.
    """
    check_share("muon.momentum", momentum, "muon(momentum=0.95)")
    weights = [p for group in groups for p in group["params"] if p.ndim > 1]
    hidden = {id(p) for p in weights[1:-1] if p.ndim == 2}
    if not hidden:
        found = "muon given, but the network has no weight matrix between two hidden layers"
        raise RecipeError.of("optim.name", found, "expected one at least", "take adamw, or e.g. model.depth = 2")
    matrices = [{**group, "params": [p for p in group["params"] if id(p) in hidden]} for group in groups]
    others = [{**group, "params": [p for p in group["params"] if id(p) not in hidden]} for group in groups]
    first = torch.optim.Muon(
        [group for group in matrices if group["params"]],
        lr=section.rate,
        momentum=momentum,
        adjust_lr_fn="match_rms_adamw",
    )
    return Around(first, adamw(others, section))

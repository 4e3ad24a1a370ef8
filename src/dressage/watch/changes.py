"""The changes that a continuation can try, one for each cause: what is edited, where it applies, and what to tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dressage.subject import Lab
from dressage.watch.edits import (
    Edit,
    clipped,
    initialized,
    larger_batch,
    less_momentum,
    other_activations,
    rate,
    rectified,
    smaller_embeddings,
    standardized,
    unregularized,
)

EMBEDDINGS = "embeddings a tenth as large"


@dataclass(frozen=True, slots=True)
class Change:
    """A remedy that can be tried."""

    id: str
    name: str
    edit: Edit
    where: str
    cause: str
    remedy: str
    code: str = ""
    recipe: Mapping[str, object] = field(default_factory=dict)
    prior: float = 0.5
    """How readily it is believed where several help alike: what is nearer to the data comes first."""


def changes(lab: Lab) -> list[Change]:
    """Every change that applies to a lab. What it makes of the lab is made again when it is tried: a copy at a time."""
    return _applying(CHANGES, lab)


def changes_for(lab: Lab, causes: Sequence[str]) -> list[Change]:
    """Those of these causes, with such as are mostly meant so."""
    return _applying([c for c in (*CHANGES, *ASKED_FOR) if c.id in causes], lab)


def _applying(some: Iterable[Change], lab: Lab) -> list[Change]:
    return [change for change in some if change.edit(lab) is not None]


CHANGES = (
    Change(
        "data.unscaled_inputs",
        "standardised inputs",
        standardized,
        "inputs",
        "the columns of the inputs have sizes far from 1, or far from one another",
        "standardise the inputs with the statistics of the training part",
        "x = (x - x_train.mean(0)) / x_train.std(0)",
        {"data.preprocess": ["standardize"]},
        0.9,
    ),
    Change(
        "optim.momentum_too_high",
        "momentum 0.9",
        less_momentum,
        "optimiser",
        "the momentum sums over so many steps that the training overshoots and swings back",
        "take a momentum of 0.9",
        "momentum=0.9",
        {"optim.momentum": 0.9},
        0.8,
    ),
    Change(
        "optim.over_regularised",
        "no regularisation",
        unregularized,
        "regularisation",
        "weight decay, dropout or a penalty holds the network back from the training rows themselves",
        "regularise less",
        "weight_decay=1e-4, dropout 0.1",
        {"regularize.weight_decay": 1e-4, "regularize.dropout": 0.0},
        0.8,
    ),
    Change(
        "optim.bn_small_batch",
        "batches of 32",
        larger_batch,
        "batch norm",
        "batch norm takes its statistics from a few rows",
        "take larger batches, or group norm",
        "DataLoader(..., batch_size=32)",
        {"train.batch_size": 32},
        0.8,
    ),
    Change(
        "optim.exploding_gradients",
        "gradients clipped to norm 1",
        clipped,
        "gradients",
        "single gradients are so large that one step undoes many",
        "clip the gradient's norm",
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
        {"optim.clip_norm": 1.0},
        0.45,
    ),
    *(
        Change(
            "optim.lr_too_high",
            f"a rate {1 / factor:.0f} times lower",
            rate(factor),
            "optimiser",
            "the steps are so large that the training overshoots",
            f"lower the learning rate to about 1/{1 / factor:.0f}",
            prior=0.7,
        )
        for factor in (0.1, 0.01)
    ),
    *(
        Change(
            "optim.lr_too_low",
            f"a rate {factor:.0f} times higher",
            rate(factor),
            "optimiser",
            "the steps are so small that the training hardly moves",
            f"raise the learning rate about {factor:.0f} times",
            prior=0.6,
        )
        for factor in (10.0, 100.0, 1e3, 1e4, 1e5)
    ),
    *(
        Change(
            f"model.init_too_{'large' if larger else 'small'}",
            "He or Xavier initialisation",
            initialized(larger),
            "initial weights",
            f"the first weights are so {'large' if larger else 'small'} that signals and gradients do not pass well",
            "initialise by He (ReLU) or Xavier (tanh)",
            "nn.init.kaiming_normal_(layer.weight)",
            {"model.init": "he"},
            0.75,
        )
        for larger in (True, False)
    ),
    Change(
        "optim.vanishing_gradients",
        "ReLU in place of saturating activations",
        other_activations,
        "activations",
        "saturating activations shrink the gradient layer by layer",
        "take ReLU, or add normalisation or shortcuts",
        "nn.ReLU()",
        {"model.activation": "relu"},
        0.4,
    ),
)
ASKED_FOR = (
    Change(
        "model.init_too_large",
        EMBEDDINGS,
        smaller_embeddings,
        "embeddings",
        "the first embeddings are so large that what is made of them drowns what the rows say",
        "draw them smaller",
        "nn.init.normal_(embedding.weight, std=0.1)",
        prior=0.7,
    ),
    Change(
        "model.missing_nonlinearity",
        "ReLU between linear layers",
        rectified,
        "layers",
        "linear layers that follow one another are one linear layer",
        "put an activation after each hidden layer",
        "nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))",
        prior=0.7,
    ),
)
"""What is mostly meant so: tried only by who asks for its cause."""

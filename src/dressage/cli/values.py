"""Techniques that a value of the recipe switches on: no entry of a catalogue, and listed below their family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Switched:
    """One technique."""

    path: str
    """Where the recipe has it."""
    value: object
    """For example."""
    summary: str
    formula: str
    source: str

    @property
    def written(self) -> str:
        """As it stands in a recipe."""
        return f"{self.path} = " + (f'"{self.value}"' if isinstance(self.value, str) else str(self.value))


SWITCHED: Mapping[str, tuple[Switched, ...]] = {
    "init": (
        Switched(
            "model.output_bias",
            "prior",
            "All outputs begin at the shares of the classes, so that the first loss is their entropy; or at the targets' mean.",
            "b_c = log(n_c/n); a regression: b = mean of the targets",
            "L6, C784; Karpathy 2019",
        ),
    ),
    "regularize": (
        Switched(
            "regularize.dropout",
            0.5,
            "Hidden units are dropped in training and the others scaled up, so that nothing changes at test time.",
            "training: h ← m∘h/(1−p), m ~ Bernoulli(1−p); test: h",
            "L6, C784, R5, CMU3, DR10; Srivastava et al. 2014",
        ),
        Switched(
            "regularize.weight_decay",
            0.01,
            "Weights shrink, biases and norm parameters never: apart from the gradient in adamw, muon, lamb and schedule_free.",
            "θ ← (1 − lr·λ)θ; in the others g ← g + λθ, which is ½λ‖θ‖² in the loss",
            "L6, C784, DR10; Loshchilov & Hutter 2019",
        ),
        Switched(
            "loss.label_smoothing",
            0.1,
            "A share of the target is spread evenly over all classes.",
            "t ← (1−ε)t + ε/C",
            "DR10; Szegedy et al. 2016",
        ),
        Switched(
            "train.patience",
            20,
            "Early stopping: training ends after so many epochs without a better validation value, and the best weights are kept.",
            "stop where t − argbest(v₁ … v_t) = patience, t in epochs",
            "R5, DR10; Prechelt 1998",
        ),
    ),
    "optim": (
        Switched(
            "optim.clip_norm",
            1.0,
            "The whole gradient is shortened to this length where it is longer.",
            "g ← g·min(1, c/(‖g‖₂ + 1e-6))",
            "CMU3; Pascanu, Mikolov & Bengio 2013",
        ),
        Switched(
            "optim.clip_value",
            0.5,
            "Each number of the gradient is cut to this size.",
            "g_i ← max(−c, min(c, g_i))",
            "CMU3; Mikolov 2012",
        ),
        Switched(
            "optim.clip_adaptive",
            0.01,
            "The gradient of each unit is shortened to this share of the length of its weights.",
            "g_i ← g_i·min(1, λ·max(‖w_i‖₂, 1e-3)/‖g_i‖₂)",
            "CMU3; Brock et al. 2021",
        ),
    ),
    "schedule": (
        Switched(
            "schedule.warmup",
            0.05,
            "The rate rises in a line before any of these: a share of all steps below 1, a number of steps from 1 on.",
            "(t + 1)/w of the curve's first value, t < w",
            "L6, DR10; Goyal et al. 2017",
        ),
    ),
}
"""By family."""

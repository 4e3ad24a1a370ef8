"""An evaluation in words: names of metrics, one sentence, a verdict against the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "roc_auc": "ROC AUC",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
}
HEADLINES = {"regression": "r2", "contrastive": "contrastive_accuracy"}
"""The metric that stands for a task; accuracy for any other."""


def metric_name(name: str) -> str:
    """What a person calls a metric: `r2` → `R²`."""
    return METRICS.get(name, name.replace("_", " "))


def headline_of(evaluation: Mapping[str, Any]) -> str:
    """The name of the metric by which one target is judged; what a file says may be of any type."""
    return HEADLINES.get(str(evaluation.get("task")), "accuracy")


def number(value: object) -> float | None:
    """A finite number, or None for anything else: what a file says may be of any type."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def digits(value: object) -> str:
    """A score as text: three decimals below ten, three digits above, `–` for what is not a finite number."""
    v = number(value)
    if v is None:
        return "–"
    size = abs(v)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{v:.3g}".replace("-", "−")
    return (f"{v:.3f}" if size < 10 else f"{v:.1f}" if size < 1000 else f"{v:,.0f}").replace("-", "−")


def sentence(evaluation: Mapping[str, Any]) -> str:
    """`test accuracy 0.972 (95 % interval 0.953–0.984, n = 360), majority class 0.103`; of several targets one each."""
    if each := targets_of(evaluation):
        part = evaluation.get("part", "test")
        return "; ".join(sentence({**judged, "part": f"{part} {name}"}) for name, judged in each.items())
    name = headline_of(evaluation)
    score, base = _estimate(evaluation, name), _mapping(evaluation.get("baseline"))
    head = f"{evaluation.get('part', 'test')} {metric_name(name)} {digits(score.get('value'))}"
    seen = f", {evaluation['views']}" if evaluation.get("views") else ""
    head += f" ({_interval(score)}n = {number(evaluation.get('n')) or 0:,.0f}{seen})"
    beside = str(base.get("name", "baseline"))
    if name != "r2":
        return f"{head}, {beside} {digits(_estimate(base, name).get('value'))}"
    own, other = _estimate(evaluation, "rmse").get("value"), _estimate(base, "rmse").get("value")
    return f"{head}, RMSE {digits(own)}; the {beside} has RMSE {digits(other)}"


def targets_of(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The evaluation of each of several targets; empty for one."""
    return {str(name): _mapping(judged) for name, judged in _mapping(evaluation.get("each")).items()}


def refit_sentence(refit: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """`trained again on all 153 rows for 60 epochs (…): that network predicts, and the test score is its own`."""
    rows, epochs = number(refit.get("rows")) or 0, number(refit.get("epochs")) or 0
    why = f" ({str(refit['why'])[:200]})" if refit.get("why") else ""
    what = f"trained again on all {rows:,.0f} rows for {epochs:,.0f} epoch{'s' if epochs != 1 else ''}{why}"
    return f"{what}: that network predicts" + (", and the test score is its own" if "test" in evaluation else "")


def verdict(evaluation: Mapping[str, Any]) -> Literal["better", "unclear", "worse", "unknown"]:
    """Where the headline's whole interval lies against the baseline's value: above it, around it or below it.

    Of several targets, what is said of the worst.
    """
    if each := targets_of(evaluation):
        said = {verdict(judged) for judged in each.values()}
        return next(word for word in ("worse", "unclear", "unknown", "better") if word in said)
    name = headline_of(evaluation)
    score, base = _estimate(evaluation, name), _estimate(_mapping(evaluation.get("baseline")), name).get("value")
    low, high, base = number(score.get("low")), number(score.get("high")), number(base)
    if low is None or high is None or base is None:
        return "unknown"
    return "better" if low > base else "worse" if high < base else "unclear"


def _estimate(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _mapping(_mapping(holder.get("metrics")).get(name))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _interval(score: Mapping[str, Any]) -> str:
    if number(score.get("low")) is None or number(score.get("high")) is None:
        return ""
    low, high = digits(score["low"]), digits(score["high"])
    # A dash between numbers that may be negative reads as a minus.
    return f"95 % interval {low}{' to ' if '−' in low + high else '–'}{high}, "

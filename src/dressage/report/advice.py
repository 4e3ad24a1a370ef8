"""What to look at next: the few things in a run's files that a person who knows the trade would point at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dressage.evaluate.bias_words import advice, said
from dressage.evaluate.words import digits, headline_of, number, verdict
from dressage.report.curves import best_epoch
from dressage.report.gather import Files
from dressage.report.limits import gaps
from dressage.report.story import Status
from dressage.report.text import count, listing, mapping, records, setting, share, shown

MOST = 6
WIDE = 0.1
"""Width of an interval from which most differences between settings cannot be seen."""


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to look at: what was seen, what may be done, and the section of the page that shows it."""

    seen: str
    then: str
    section: str


def hints(files: Files, state: Status) -> list[Hint]:
    """At most six, the most pressing first. Each rests on numbers of this run that stand in its text."""
    found = [
        _diverged(files, state),
        _findings(files),
        _baseline(files),
        _data(files),
        _gap(files),
        _weakest(files),
        _pair(files),
        _sure(files),
        _best(files, state),
        _wide(files),
    ]
    return [hint for hint in found if hint is not None][:MOST]


def _diverged(files: Files, state: Status) -> Hint | None:
    if state.word != "diverged" or any(f.get("severity") == "critical" for f in files.history.findings):
        return None  # a finding knows more
    rate = mapping(files.recipe.get("optim")).get("lr")
    now = f" (it was {setting(rate)})" if number(rate) is not None else ""
    clip = mapping(files.recipe.get("optim")).get("clip_norm")
    second = ", or clip the gradient with optim.clip_norm = 1" if clip == 0 else ""
    return Hint("The training diverged.", f"Try a third of the learning rate{now}{second}.", "training")


def _baseline(files: Files) -> Hint | None:
    if not files.judged or verdict(files.judged) not in ("unclear", "worse"):
        return None
    name = shown(mapping(files.judged.get("baseline")).get("name") or "baseline", 60)
    return Hint(
        f"The score cannot be told from that of the {name}, which looks at no input.",
        "Check that the target can be known from these columns, then the curves: a loss that never fell asks for "
        "another learning rate, one that fell in training alone for more data or more regularisation.",
        "scores",
    )


def _findings(files: Files) -> Hint | None:
    grave = [f for f in files.history.findings if f.get("severity") in ("critical", "warning")]
    if not grave:
        return None
    grave.sort(key=lambda f: f.get("severity") != "critical")
    first = shown(grave[0].get("cause") or grave[0].get("id"), 160).rstrip(".")
    more = f" and {len(grave) - 1} more" if len(grave) > 1 else ""
    then = shown(grave[0].get("remedy") or "its evidence is below", 240).rstrip(".")
    return Hint(f"{first[:1].upper() + first[1:]}{more}.", f"{then[:1].upper() + then[1:]}.", "findings")


def _data(files: Files) -> Hint | None:
    warnings = listing(files.data.get("warnings"))
    if not warnings:
        return None
    many = f" ({len(warnings) - 1} more below)" if len(warnings) > 1 else ""
    return Hint(
        f"About the data: {shown(warnings[0], 220).rstrip('.')}{many}.",
        "What the data is decides what a score means.",
        "data",
    )


def _gap(files: Files) -> Hint | None:
    found = gaps(files)
    if found is None or not any(gap.name != "avoidable_bias" or found.is_target_known for gap in found.real):
        return None  # without a target, an error of the training part alone says little
    told, then = said(found), advice(found)[0]
    return Hint(f"{told[:1].upper() + told[1:]}.", f"{then[:1].upper() + then[1:]}.", "limits")


def _weakest(files: Files) -> Hint | None:
    classes = [c for c in records(files.judged.get("per_class")) if (number(c.get("n")) or 0) >= 5]
    known = [(number(mapping(c.get("recall")).get("value")), c) for c in classes]
    ranked = sorted(((r, c) for r, c in known if r is not None), key=lambda entry: entry[0])
    low = number(_score(files.judged, "accuracy").get("low"))
    if len(ranked) < 3 or low is None or ranked[0][0] >= low:
        return None
    recall, worst = ranked[0]
    return Hint(
        f"Class “{shown(worst.get('name'), 60)}” is found least often: "
        f"recall {digits(recall)} over {count(worst.get('n'))} rows.",
        "Look at its rows first: too few of them, mixed labels, or too like another class.",
        "scores",
    )


def _pair(files: Files) -> Hint | None:
    pairs = records(files.judged.get("confused"))
    if not pairs or (number(pairs[0].get("count")) or 0) < 2:
        return None
    p = pairs[0]
    return Hint(
        f"The commonest confusion: “{shown(p.get('true'), 60)}” taken for “{shown(p.get('predicted'), 60)}”, "
        f"{count(p.get('count'))} times, {share(p.get('share'))} of its rows.",
        "See what tells these two apart, and whether the input still shows it after preprocessing.",
        "confusion",
    )


def _sure(files: Files) -> Hint | None:
    mistakes = records(files.judged.get("mistakes"))
    if not mistakes or (number(mistakes[0].get("probability")) or 0) < 0.95:
        return None
    m = mistakes[0]
    name = shown(m.get("id"), 80)
    name = "R" + name[1:] if name.startswith("row ") else name
    return Hint(
        f"{name} is labelled “{shown(m.get('true'), 60)}”, and the network is "
        f"{share(m.get('probability'))} sure of “{shown(m.get('predicted'), 60)}”.",
        "Mistakes made with such confidence are often wrong labels.",
        "mistakes",
    )


def _best(files: Files, state: Status) -> Hint | None:
    epochs, best = files.history.epochs, best_epoch(files.history.epochs)
    if best is None or len(epochs) < 3 or state.mood == "bad":
        return None
    at, last = number(best.get("epoch")), number(epochs[-1].get("epoch"))
    if at is None or last is None:
        return None
    if at == last and state.word == "finished":
        return Hint(
            f"The last epoch ({count(last)}) was the best.", "A longer training may do better still.", "training"
        )
    if at < 0.5 * last:
        return Hint(
            f"The best epoch was {count(at)} of {count(last)}; none after it was better.",
            "A shorter schedule saves time; more regularisation may move the best epoch later.",
            "training",
        )
    return None


def _wide(files: Files) -> Hint | None:
    if not files.judged:
        return None
    name = headline_of(files.judged)
    score = _score(files.judged, name)
    low, high = number(score.get("low")), number(score.get("high"))
    if low is None or high is None or high - low < WIDE:
        return None
    return Hint(
        f"With {count(files.judged.get('n'))} rows the interval is {digits(high - low)} wide.",
        "Differences smaller than that say nothing: compare settings on more rows or over several seeds.",
        "scores",
    )


def _score(evaluation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return mapping(mapping(evaluation.get("metrics")).get(name))

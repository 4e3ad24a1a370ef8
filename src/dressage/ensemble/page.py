"""report.html of an ensemble: what its members score, what all together gain, and how much they differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dressage.ensemble.words import against_best, between, verdict
from dressage.evaluate import sentence
from dressage.evaluate.words import digits, metric_name, targets_of
from dressage.files import write_atomic
from dressage.report.confusion import confusion_svg
from dressage.report.plots import tick_text, ticks
from dressage.report.scatter import interval_svg
from dressage.report.still import still_page
from dressage.report.story import interval
from dressage.report.svg import dot, line, shape, svg, words
from dressage.report.tables import misses
from dressage.report.text import share, shown

NAME = "report.html"
PARTS = {"test": "test", "validation": "validation", "out_of_bag": "out-of-bag"}
MOST = 40
"""Members that are drawn."""
WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 780, 190, 80, 26, 12, 44
Facts = Mapping[str, Any]


def write_page(folder: Path, facts: Facts, evaluation: Mapping[str, Any]) -> Path:
    """Writes the page into an ensemble's folder and returns its path. Raises UsageError where it cannot be written."""
    write_atomic(folder / NAME, render(folder, facts, evaluation))
    return folder / NAME


def render(folder: Path, facts: Facts, evaluation: Mapping[str, Any]) -> str:
    """The whole page as text, from ensemble.json and evaluation.json."""
    part = next(p for p in PARTS if p in evaluation)
    judged = evaluation[part]
    told, facts = sentence(judged), _named_from(folder, facts)
    values: dict[str, object] = {
        "name": folder.resolve().name,
        "count": len(facts["of"]),
        "combine": facts["combine"],
        "headline": told[:1].upper() + told[1:] + ".",
        "tiles": tiles(facts, judged),
        "told": facts["told"],
        "part": PARTS[part],
        "picture": Markup(members_svg(facts["of"], judged, part)),
        "head": member_head(facts),
        "members": member_rows(facts, folder),
        "gained": [text[:1].upper() + text[1:] + "." for text in against_best(facts)],
        "lines": [between(found) for found in facts["lines"]],
        "parts": [PARTS[p] for p in PARTS if p in evaluation],
        "scores": score_rows(evaluation),
        "confusion": Markup(confusion_svg(judged)),
        "judged": judged,
        "mistakes": misses(judged),
        "command": f"dressage predict {folder.name} NEW_DATA",
    }
    return still_page("dressage.ensemble", "ensemble.html", "ensemble.css", values)


def _named_from(folder: Path, facts: Facts) -> Facts:
    """The facts with the members named as seen from the folder: a page that is passed on tells of none above it."""
    return {
        **facts,
        "of": [{**member, "name": str(member["name"]).removeprefix(f"{folder}/")} for member in facts["of"]],
    }


def tiles(facts: Facts, judged: Mapping[str, Any]) -> list[tuple[str, str, str, Markup]]:
    """The figures at the top: name, figure, note, picture."""
    gain, made = facts["gained"], list[tuple[str, str, str, Markup]]()
    for name, one in list(targets_of(judged).items())[:4] or [("", judged)]:
        metric = main_metric(one)
        score = one["metrics"][metric]
        note = f"95 % interval {interval(score)}, n = {one['n']:,}"
        base = one.get("baseline", {}).get("metrics", {}).get(metric, {}).get("value")
        said = " ".join(filter(None, [PARTS.get(judged.get("part", ""), ""), shown(name, 40) if name else ""]))
        picture = Markup(interval_svg(score, base, f"{metric_name(metric)} {digits(score['value'])}, {note}"))
        made.append((f"{said} {metric_name(metric)}".strip(), digits(score["value"]), note, picture))
    if gain["low"] is not None:
        span = f"95 % interval {gain['low']:+.4f} to {gain['high']:+.4f}: {verdict(gain)}"
        made.append(("above its best member", f"{gain['value']:+.4f}", span, Markup("")))
    if "disagreement" in facts["diversity"]:
        differ = share(facts["diversity"]["disagreement"])
        made.append(("two members differ on", differ, "of the rows", Markup("")))
    made.append(("members", f"{len(facts['of'])}", f"combined by {facts['combine']}", Markup("")))
    return made


def main_metric(judged: Mapping[str, Any]) -> str:
    """The metric that stands for a target."""
    return "r2" if judged.get("task") == "regression" else "accuracy"


def member_head(facts: Facts) -> list[str]:
    """Names of the columns of the members' table."""
    parts = [part for part in PARTS if part in facts["of"][0]["scores"]]
    return ["member", "counts", *(f"{PARTS[part]} {what}" for part in parts for what in ("score", "loss"))]


def member_rows(facts: Facts, folder: Path) -> list[tuple[str, str, list[str]]]:
    """Of each member its name, its own report where there is one, and its cells."""
    parts, rows = [part for part in PARTS if part in facts["of"][0]["scores"]], []
    for member in facts["of"]:
        place = f"{member['name']}/{NAME}" if re.fullmatch(r"members/\d+", member["name"]) else ""
        cells = [digits(member["weight"])]
        cells += [digits(member["scores"][part][what]) for part in parts for what in ("score", "loss")]
        rows.append((shown(member["name"], 80), place if place and (folder / place).is_file() else "", cells))
    return rows


def score_rows(evaluation: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each metric of each target: its value and interval on every part."""
    held = [evaluation[part] for part in PARTS if part in evaluation]
    rows = []
    for name in list(targets_of(held[0]))[:8] or [""]:
        each = [targets_of(e).get(name, {}) if name else e for e in held]
        for metric in each[0].get("metrics", {}):
            cells = [e.get("metrics", {}).get(metric, {}) for e in each]
            head = f"{shown(name, 40)}: {metric_name(metric)}" if name else metric_name(metric)
            rows.append((head, [(digits(cell.get("value")), interval(cell)) for cell in cells]))
    return rows


def members_svg(of: Sequence[Mapping[str, Any]], judged: Mapping[str, Any], part: str) -> str:
    """Each member's score a dot; all together a line, with its 95 % interval as a band. "" for several targets."""
    score = judged.get("metrics", {}).get(main_metric(judged), {})
    own = [(shown(m["name"], 40), m["scores"][part]["score"], m["weight"]) for m in of if part in m["scores"]][:MOST]
    if not own or score.get("value") is None:
        return ""
    low, high = score.get("low"), score.get("high")
    ends = [value for _, value, _ in own] + [x for x in (score["value"], low, high) if x is not None]
    room = (max(ends) - min(ends)) * 0.06 or 0.01
    left, right = min(ends) - room, max(ends) + room
    floor = TOP + ROW * len(own)

    def across(value: float) -> float:
        return float(LEFT + (value - left) / (right - left) * (WIDTH - LEFT - RIGHT))

    parts = []
    if low is not None and high is not None:
        width = across(high) - across(low)
        parts.append(shape("rect", "band", x=across(low), y=TOP, width=width, height=ROW * len(own), fill="#e6eefa"))
    for tick in ticks(left, right, 6):
        parts.append(line("grid", across(tick), TOP, across(tick), floor))
        parts.append(words(tick_text(tick), across(tick), floor + 18, "middle"))
    parts.append(line("line-train", across(score["value"]), TOP, across(score["value"]), floor, stroke_width=2))
    for k, (name, value, weight) in enumerate(own):
        y = TOP + ROW * (k + 0.5)
        parts.append(words(name, LEFT - 10, y + 4, "end"))
        parts.append(dot("dot-validation", across(value), y, 4.5, fill_opacity=1.0 if weight > 0 else 0.3))
        parts.append(words(digits(value), WIDTH - RIGHT + 12, y + 4))
    parts.append(words(metric_name(main_metric(judged)), (LEFT + WIDTH - RIGHT) / 2, floor + 36, "middle", "axis"))
    label = f"{len(own)} members; all together {digits(score['value'])}"
    return svg("members", WIDTH, floor + BOTTOM, label, parts)

"""What the watch named over the cases, as the page of numbers that the benchmark prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from .case import CAUSES, HEALTHY, Case
from .measure import Run


@dataclass(frozen=True)
class Judged:
    """A faulty case with its two watched runs."""

    case: Case
    faulty: Run
    twin: Run | None

    @property
    def named(self) -> bool:
        """Whether the planted cause was named."""
        if self.case.expects == "info":
            return any(f["id"] == self.case.cause for f in self.faulty.named)
        return self.case.cause in self.faulty.causes()

    @property
    def wrong(self) -> list[str]:
        """Causes that were named and are not true of the run."""
        return [i for i in self.faulty.causes() if i != self.case.cause and i not in self.case.also]

    @property
    def first(self) -> bool:
        """Whether the planted cause comes first among those that are not also true."""
        named = [i for i in self.faulty.causes() if i not in self.case.also]
        return bool(named) and named[0] == self.case.cause

    @property
    def at(self) -> int | None:
        """Steps after which the planted cause was named."""
        return self.faulty.first_seen.get(self.case.cause) if self.named else None


def report(cases: Sequence[Case], runs: Sequence[Run]) -> str:
    """The whole page."""
    watched = {(run.case, run.fault): run for run in runs if run.watched}
    usable = [case for case in cases if not any(run.error.startswith("missing") for run in runs if run.case == case.id)]
    judged = [
        Judged(case, watched[case.id, True], watched.get((case.id, False))) for case in usable if case.cause != HEALTHY
    ]
    well = [watched[case.id, False] for case in usable if case.cause == HEALTHY]
    parts = [_numbers(judged, well), _cost(runs), _per_cause(judged), _failures(judged, well), _errors(runs)]
    return "\n\n".join(part for part in parts if part)


def _numbers(judged: Sequence[Judged], well: Sequence[Run]) -> str:
    harm = [j for j in judged if j.case.expects == "harm"]
    right, wrong = sum(j.named for j in harm), sum(len(j.wrong) for j in judged)
    shares = [j.at / max(1, j.faulty.steps) for j in harm if j.at is not None]
    lines = [
        ("cause recall", _share(right, len(harm)), ">= 0.85"),
        ("cause precision", _share(right, right + wrong), ">= 0.90"),
        ("first-named cause right", _share(sum(j.first for j in harm), len(harm)), ">= 0.80"),
        ("detection (any harmful finding)", _share(sum(bool(j.faulty.harmful()) for j in harm), len(harm)), ">= 0.98"),
        ("false alarms on healthy runs", _share(sum(bool(run.harmful()) for run in well), len(well)), "<= 1 of 50"),
        ("gone on the repaired twin", _share(*_gone(harm)), ">= 0.98"),
        ("nothing harmful on the twin", _share(*_clean(judged)), ""),
        ("named within 100 steps", _share(sum(j.at is not None and j.at <= 100 for j in harm), len(harm)), ""),
        ("named before the end", _share(sum(j.at is not None and j.at < j.faulty.steps for j in harm), len(harm)), ""),
        ("median steps to naming, of all", f"{median(shares):.3f}" if shares else "-", "<= 0.05"),
        ("named as info where only that is right", _share(*_info(judged)), ""),
    ]
    return "\n".join(f"{name:40} {value:>18}   {goal}" for name, value, goal in lines)


def _gone(harm: Sequence[Judged]) -> tuple[int, int]:
    twins = [j for j in harm if j.named and j.twin is not None]
    return sum(j.case.cause not in j.twin.causes() for j in twins if j.twin), len(twins)


def _clean(judged: Sequence[Judged]) -> tuple[int, int]:
    twins = [j.twin for j in judged if j.twin is not None]
    return sum(not twin.harmful() for twin in twins), len(twins)


def _info(judged: Sequence[Judged]) -> tuple[int, int]:
    mild = [j for j in judged if j.case.expects == "info"]
    return sum(j.named and j.case.cause not in j.faulty.causes() for j in mild), len(mild)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part}/{whole})" if whole else "-"


def _cost(runs: Sequence[Run]) -> str:
    """Of runs without a fault, where the bare and the watched run do the same."""
    bare = {run.case: run.seconds for run in runs if not run.watched and not run.error}
    both = [run for run in runs if run.watched and not run.fault and not run.error and bare.get(run.case, 0) > 0]
    own = sorted(run.own_seconds / run.seconds for run in runs if run.watched and not run.error and run.seconds > 0)
    lines = []
    if both:
        ratios = sorted(run.seconds / bare[run.case] - 1 for run in both)
        total = sum(run.seconds for run in both) / sum(bare[run.case] for run in both) - 1
        lines.append(
            f"overhead, watched / bare − 1: {total:.3f} of all time, "
            f"median {median(ratios):.3f}, 95th percentile {_at(ratios, 0.95):.3f}"
        )
        untimed = [run for run in both if not run.case.startswith("pipe.")]
        scores = {run.case: run.score for run in runs if not run.watched}
        same = sum(run.score == scores[run.case] or run.score != run.score for run in untimed)
        lines.append(f"same score to the last bit with and without the watch: {_share(same, len(untimed))}")
    if own:
        verdicts = sorted(run.diagnose_seconds for run in runs if run.watched)
        lines.append(
            f"the watch's own calls, share of the time: median {median(own):.3f}, 95th percentile {_at(own, 0.95):.3f}"
        )
        lines.append(f"verdict at the end: median {median(verdicts):.2f} s, longest {verdicts[-1]:.2f} s")
    return "\n".join(lines)


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]


def _per_cause(judged: Sequence[Judged]) -> str:
    if not judged:
        return ""
    blamed = Counter(i for j in judged for i in j.wrong)
    lines = [f"{'cause':30} cases named first  gone  wrongly named elsewhere"]
    for cause in CAUSES:
        mine = [j for j in judged if j.case.cause == cause]
        if mine or blamed[cause]:
            gone = _gone(mine)
            named, first = sum(j.named for j in mine), sum(j.first for j in mine)
            lines.append(f"{cause:30} {len(mine):5} {named:5} {first:5} {gone[0]:3}/{gone[1]}  {blamed[cause] or ''}")
    return "\n".join(lines)


def _failures(judged: Sequence[Judged], well: Sequence[Run]) -> str:
    lines = []
    for j in judged:
        if j.faulty.error or (j.named and not j.wrong and j.first):
            continue
        what = "missed" if not j.named else ("named, with others" if j.wrong else "named, not first")
        lines.append(f"{j.case.id}: {what}; said: {_said(j.faulty) or 'nothing'}")
    for j in judged:
        if j.twin is not None and j.twin.harmful():
            lines.append(f"{j.case.id}, repaired: said: {_said(j.twin)}")
    lines += [f"{run.case}: false alarm: {_said(run)}" for run in well if run.harmful()]
    return "failures\n" + "\n".join(lines) if lines else ""


def _said(run: Run) -> str:
    harmful = ", ".join(run.harmful())
    info = ", ".join(dict.fromkeys(f["id"] for f in run.named if not f["harmful"]))
    return harmful + (f" (info: {info})" if info else "")


def _errors(runs: Iterable[Run]) -> str:
    lines = [
        f"{run.case} ({'fault' if run.fault else 'twin'}, {'watched' if run.watched else 'bare'}): {run.error.strip()}"
        for run in runs
        if run.error
    ]
    return "runs that raised\n" + "\n".join(lines) if lines else ""

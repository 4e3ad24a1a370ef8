"""What is said at the end of a training: score beside baseline, what is confused, where things are, what next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dressage.cli.found import found_lines
from dressage.cli.output import Output, cell, short

if TYPE_CHECKING:
    from dressage.run import Run

CONFUSIONS = 5
AGAINST_BASELINE = {
    "worse": "that is worse than the baseline, which looks at no input",
    "unclear": "that cannot be told from the baseline, which looks at no input: its score lies within the interval",
}


def show_result(run: Run, output: Output) -> None:
    """The end of a training, as text or as one JSON object; see `as_dict`."""
    output.result(as_dict(run), lines(run, output))


def as_dict(run: Run) -> dict[str, Any]:
    """What scripts read: `scores` maps part to metric to value, low and high."""
    evaluation: Mapping[str, Any] = run.evaluation
    judged = evaluation.get("test") or {}
    return {
        "run": str(run.folder),
        "status": run.status,
        "scores": {part: found["metrics"] for part, found in evaluation.items()},
        "baseline": judged.get("baseline"),
        "penalties": penalties(run),
        "refit": run.refit,
        "gaps": run.gaps,
        "confused": judged.get("confused", []),
        "repair": run.repair,
        "findings": run.findings,
        "report": str(run.folder / "report.html"),
    }


def lines(run: Run, output: Output) -> Iterator[str]:
    """The same for people."""
    from dressage.evaluate import refit_sentence, sentence, verdict
    from dressage.evaluate.words import targets_of

    yield from repair_lines(run)
    for part in ("validation", "test"):
        if part in run.evaluation:
            text = cell(sentence(run.evaluation[part]), 300)
            yield output.bold(text) if part == "test" else text
    yield from (f"with {cell(text, 300)}" for text in penalties(run))
    if run.refit:
        yield cell(refit_sentence(run.refit, run.evaluation), 300)
    judged: Mapping[str, Any] = run.evaluation.get("test") or run.evaluation.get("validation") or {}
    for name, one in targets_of(judged).items() or [("", judged)]:
        if verdict(one) in AGAINST_BASELINE:
            yield (f"{cell(name, 60)}: " if name else "") + AGAINST_BASELINE[verdict(one)]
    if judged.get("confused"):
        yield "confused: " + "; ".join(_confusion(c) for c in judged["confused"][:CONFUSIONS])
    yield from found_lines(run.findings)
    yield from limits(run.gaps, is_at_fault=any(_is_mendable(f) for f in run.findings))
    if (run.folder / "report.html").is_file():
        yield f"report: {short(run.folder / 'report.html')}"
    steps = {"finished": "predict {} NEW_DATA", "interrupted": "resume {}"}
    if run.status in steps:
        yield f"next: dressage {steps[run.status].format(short(run.folder))}"


def repair_lines(run: Run) -> list[str]:
    """What a repair changed and why; what was tried is told where nothing was changed."""
    from dressage.report.repaired import repair_told

    told = repair_told(run.repair, run.folder.name)
    return [] if told is None else told.text


def penalties(run: Run) -> list[str]:
    """The penalties and constraints that the recipe names, each with its convention."""
    from dressage.regularize import said

    return said(run.recipe.regularize.techniques)


def limits(gaps: Mapping[str, Any], *, is_at_fault: bool = False) -> Iterator[str]:
    """What limits a network, and what to do about it; a fault is mended before anything else is changed."""
    if gaps and is_at_fault:
        yield "what limits it: first of all the cause above; then look again. As it is: " + cell(gaps["said"], 400)
    elif gaps:
        yield "what limits it: " + cell(gaps["said"], 400)
        yield from (f"  {cell(line, 400)}" for line in [*gaps["next"], *gaps["notes"]])


def _is_mendable(found: Mapping[str, Any]) -> bool:
    """Whether a finding is a harmful cause that explains a score, and not the score itself (R5's words for it)."""
    name = str(found.get("id"))
    return found.get("severity") != "info" and not name.startswith(("sym.", "eval.overfit", "eval.underfit", "pipe."))


def _confusion(confused: Mapping[str, Any]) -> str:
    return f"{cell(confused['true'], 30)} taken for {cell(confused['predicted'], 30)} ({confused['count']}×)"

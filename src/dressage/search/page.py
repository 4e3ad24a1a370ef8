"""report.html of a search: one file that needs nothing else, and in which no text from a file is more than text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from dressage.evaluate.words import digits, metric_name
from dressage.files import write_atomic
from dressage.report.still import still_page
from dressage.report.text import duration, shown
from dressage.search.account import Account, Stage
from dressage.search.importance import Importance, importance
from dressage.search.judge import told
from dressage.search.pictures import bars_svg, curves_svg, parallel_svg, plane_svg, standings_svg
from dressage.search.pictures.axis import labels, points_of
from dressage.search.pictures.ink import STYLE_OF_SCORES
from dressage.search.stages import short
from dressage.search.trial import best_of, ranked

NAME = "report.html"
FIRST_ROWS = 20
MOST_ROWS = 1000
LARGEST = 3_000_000


def write_page(account: Account, folder: Path) -> Path:
    """Writes `report.html` into a search's folder and returns its path. Raises UsageError where it cannot be written."""
    write_atomic(folder / NAME, render(account))
    return folder / NAME


def render(account: Account) -> str:
    """The whole page as text: what was asked, what was decided after each stage, the best and how sure it is, all trials."""
    weighed = weigh(account)
    order = next((w.paths for _, w in weighed if w.tells), [])
    pictures = {
        "plane": Markup(plane_svg(account, order)),
        "parallel": Markup(parallel_svg(account, order)),
        "curves": Markup(curves_svg(account)),
        "standings": Markup(standings_svg(account)),
    }
    head, rows = trial_rows(account)
    values = {
        "account": account,
        "metric": metric_name(account.metric),
        "headline": headline(account),
        "told": told(account.verdict)[1:] if account.verdict else [],
        "tiles": tiles(account),
        "best": best_rows(account),
        "asked": [(path, range_.text) for path, range_ in account.stages[0].space.items()] if account.stages else [],
        "stages": [(stage, stage_words(stage), stage_counts(account, stage)) for stage in account.stages],
        "weighed": [
            (stage, weight.said, Markup(bars_svg(weight) if weight.tells else "")) for stage, weight in weighed
        ],
        "pictures": pictures,
        "head": head,
        "rows": rows[:FIRST_ROWS],
        "more": rows[FIRST_ROWS:MOST_ROWS],
        "left_out": max(0, len(rows) - MOST_ROWS),
    }
    return still_page("dressage.search", "search.html", "search.css", values, colours=STYLE_OF_SCORES)


def weigh(account: Account) -> list[tuple[Stage, Importance]]:
    """What the settings counted in each stage; of later stages only where something could be told."""
    weighed = []
    for stage in account.stages:
        found = importance(stage.space, [r for r in account.results if r.trial.stage == stage.number])
        if found.tells or stage is account.stages[0]:
            weighed.append((stage, found))
    return weighed


def headline(account: Account) -> str:
    """The outcome in a sentence."""
    if account.verdict is not None:
        return told(account.verdict)[0]
    best = account.winner
    if best is None:
        return f"None of {len(account.results)} trials could be trained to a score."
    return f"So far trial {best.trial.number} has the best score, {digits(best.score)}; how much of it is luck is not known yet."


def tiles(account: Account) -> list[tuple[str, str, str]]:
    """The figures at the top: name, figure, note."""
    verdict, results = account.verdict, account.results
    made = []
    if verdict is not None:
        known = verdict.freedom > 0
        interval = f"95 % interval {digits(verdict.low)} to {digits(verdict.high)}" if known else "not repeated"
        made.append((f"{metric_name(account.metric)}, validation", digits(verdict.best.mean), interval))
        if known:
            made.append(("noise of one run", digits(verdict.noise), "standard deviation over seeds"))
            made.append(("cannot be told from it", f"{len(verdict.alike)}", f"of {len(verdict.others)} other trials"))
    stopped = sum(r.state == "stopped" for r in results)
    failed = sum(r.state == "failed" for r in results)
    note = ", ".join(f"{n} {word}" for n, word in ((stopped, "stopped"), (failed, "failed")) if n)
    made.append(("trials", f"{len(results)}", note or "all came to a score"))
    if account.seconds:
        made.append(("time", duration(account.seconds), ""))
    return made


def best_rows(account: Account) -> list[tuple[str, str]]:
    """The settings of the best trial."""
    best = account.winner
    return [(path, short_of(value)) for path, value in best.trial.edit.items()] if best else []


def stage_words(stage: Stage) -> str:
    """`32 trials by random sampling, 5 epochs each, on 10,000 training rows`."""
    is_first_of_gp = stage.sampler == "gp" and not stage.number  # there is nothing to learn from yet
    sampler = "sobol" if is_first_of_gp else stage.sampler
    parts = [
        f"{stage.trials} trials by {sampler} sampling",
        f"{stage.epochs} epoch{'s' * (stage.epochs != 1)} each",
    ]
    if stage.rows:
        parts.append(f"on {stage.rows:,} training rows")
    return ", ".join(parts) + (f"; {stage.rungs}" if stage.rungs else "")


def stage_counts(account: Account, stage: Stage) -> str:
    """What came of a stage's trials."""
    own = [r for r in account.results if r.trial.stage == stage.number]
    best = best_of(own)
    counts = {state: sum(r.state == state for r in own) for state in ("done", "paused", "stopped", "failed")}
    names = {"done": "trained to the end", "paused": "halted at a rung", "stopped": "stopped early", "failed": "failed"}
    came = ", ".join(f"{n} {names[state]}" for state, n in counts.items() if n) or "none has begun"
    return f"{came}. " + (
        f"Best: trial {best.trial.number}, {digits(best.score)}." if best else "None came to a score."
    )


def trial_rows(account: Account) -> tuple[list[str], list[tuple[str, list[str], str]]]:
    """Names of the columns, and of each trial its number, cells and state; the best first."""
    space: dict[str, object] = {path: None for stage in account.stages for path in stage.space}
    names = labels(space)
    points: dict[int, Mapping[str, object]] = {}
    for stage in account.stages:
        points |= points_of(stage.space, [r for r in account.results if r.trial.stage == stage.number])
    standings = [account.verdict.best, *account.verdict.others] if account.verdict else []
    repeated = {s.number: f"{digits(s.mean)} ({len(s.repeats)})" for s in standings if s.repeats}
    order = {result.trial.number: place for place, result in enumerate(ranked(account.results))}
    rows = []
    for result in sorted(account.results, key=lambda r: (order.get(r.trial.number, len(order)), r.trial.number)):
        point: Mapping[str, object] = points.get(result.trial.number, {})
        cells = [f"{result.trial.stage + 1}", *(short_of(point[path]) if path in point else "–" for path in space)]
        cells += [f"{result.epoch}", digits(result.score)]
        cells += [repeated.get(result.trial.number, "")] if repeated else []
        cells += [digits(result.cost), duration(result.seconds)]
        state = result.state + (f": {result.reason}" if result.reason else "")
        rows.append((f"{result.trial.number}", cells, state))
    scores = [metric_name(account.metric), *(["repeats"] if repeated else [])]
    return ["stage", *(names[path] for path in space), "epochs", *scores, "loss", "time"], rows


def short_of(value: object) -> str:
    """A setting's value for a table."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return short(value) if isinstance(value, bool | int | float | str) else shown(value)

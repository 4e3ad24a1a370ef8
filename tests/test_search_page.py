"""The page of a search and its pictures: what they show, that they stay small, and that no text from a file is more than text."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from browsing import visit
from dressage.search import as_space
from dressage.search.account import Account
from dressage.search.importance import Importance, Weight
from dressage.search.page import render, trial_rows, write_page
from dressage.search.pictures import bars_svg, curves_svg, grid_random_svg, parallel_svg, plane_svg, standings_svg
from dressage.search.pictures.axis import axis_of, labels
from dressage.search.pictures.grid_random import TRIALS, important
from dressage.search.pictures.ink import BINS, bins, file_of
from dressage.search.pictures.parallel import BELOW
from dressage.search.pictures.plane import HEIGHT, LEFT, RIGHT, TOP, WIDTH, axes_of
from dressage.search.ranges import uniform
from dressage.search.samplers import sample
from search_told import told_search

NASTY = "</style><script>alert(1)</script>\x1b[31m\u202e"
CUT_OFF = """s => [...s.querySelectorAll('text:not([transform])')].filter(t => {
    const box = t.getBBox(), width = s.viewBox.baseVal.width;
    return box.x < -1 || box.x + box.width > width + 1;
}).length"""
NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def _few_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What mattered is tested elsewhere; here it is only shown."""
    monkeypatch.setattr(sys.modules["dressage.search.importance"], "DRAWS", 4)


@pytest.fixture(scope="module")
def account() -> Account:
    return told_search()


def drawn(picture: str) -> ElementTree.Element:
    """The picture, which has to be XML as a file."""
    return ElementTree.fromstring(file_of(picture))


def of_class(tree: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in tree.iter() if name in e.get("class", "").split()]


def test_each_trial_has_its_place_in_the_plane(account: Account) -> None:
    tree = drawn(plane_svg(account))
    dots = [e for e in tree.iter(f"{NAMESPACE}circle") if "rim" in e.get("class", "")]
    counted = [r for r in account.results if r.counts]
    assert len(dots) == len(counted)
    low, high = (math.log(end) for end in (1e-6, 0.1))  # no range of this search is wider than the first
    room = 0.04 * (high - low)
    told, highest = dots[-1].find(f"{NAMESPACE}title"), max(counted, key=lambda r: r.score)
    assert told is not None and f"trial {highest.trial.number}: score {highest.score:.4g}" in str(told.text)
    best = account.winner
    assert best is not None
    share = (math.log(float(best.trial.edit["optim.lr"])) - low + room) / (high - low + 2 * room)  # type: ignore[arg-type]
    ring = next(e for e in tree.iter(f"{NAMESPACE}circle") if e.get("class") == "best")
    assert float(ring.get("cx", "0")) == pytest.approx(LEFT + share * (WIDTH - LEFT - RIGHT), abs=0.02)
    assert TOP < float(ring.get("cy", "0")) < HEIGHT
    crosses = [e for e in of_class(tree, "lost") if e.find(f"{NAMESPACE}title") is not None]
    assert len(crosses) == sum(r.state == "stopped" for r in account.results) > 0
    frames = [e for e in tree.iter(f"{NAMESPACE}rect") if e.get("fill") == "none"]
    assert [e.get("class") for e in frames] == ["asked", "later"] and frames[0].get("stroke-dasharray") is None


def test_one_number_stands_below_its_scores() -> None:
    account = told_search(12, 1, space=["optim.lr=log:1e-6:1e-1", "model.activation=choice:relu:tanh"])
    tree = drawn(plane_svg(account))
    dots = [e for e in tree.iter(f"{NAMESPACE}circle") if "rim" in e.get("class", "")]
    scores = sorted((r for r in account.results if r.counts), key=lambda r: r.score)
    heights = [float(dot.get("cy", "0")) for dot in dots]  # drawn from the worst to the best
    assert len(dots) == len(scores) and heights == sorted(heights, reverse=True)
    high, middle = scores[-1].score, scores[len(scores) // 2].score
    low = max(scores[0].score, middle - 20 * (high - middle))
    room = 0.04 * (high - low)
    wanted = [HEIGHT - 48 - (r.score - low + room) / (high - low + 2 * room) * (HEIGHT - 48 - TOP) for r in scores]
    np.testing.assert_allclose(heights, wanted, atol=0.01)
    assert "accuracy" in plane_svg(account)


def test_colours_are_sevenths_of_the_scores(account: Account) -> None:
    sevenths = bins(account.results)
    counted = [r for r in account.results if r.counts]
    assert set(sevenths) == {r.trial.number for r in counted}
    counts = np.bincount(list(sevenths.values()), minlength=BINS)
    assert (
        counts.min() >= len(counted) // BINS - 1
        and sevenths[max(counted, key=lambda r: r.score).trial.number] == BINS - 1
    )


def test_which_settings_are_drawn() -> None:
    numbers = ["model.width=integer:8:64", "optim.lr=log:1e-5:1", "model.depth=integer:1:4"]
    space = as_space([*numbers, "model.activation=choice:relu:tanh"])
    assert axes_of(space) == ["model.width", "optim.lr"]
    assert axes_of(space, ["model.activation", "model.depth", "optim.lr"]) == ["model.depth", "optim.lr"]
    both = as_space(["model.width=integer:8:64", "optim.lr=log:1e-5:1", "regularize.weight_decay=log:1e-5:1"])
    assert axes_of(both, ["model.width"]) == ["optim.lr", "regularize.weight_decay"]
    assert labels(["optim.lr", "optim.name", "model.name"]) == {
        "optim.lr": "lr",
        "optim.name": "optim",
        "model.name": "model",
    }
    axis = axis_of([as_space("optim.lr=log:1e-4:1e-2")["optim.lr"], as_space("optim.lr=log:1e-3:1e-1")["optim.lr"]])
    assert axis.low < 1e-4 and axis.high > 1e-1 and axis.at(math.sqrt(1e-5)) == pytest.approx(0.5)


def test_lines_of_all_trials(account: Account) -> None:
    counted = [r for r in account.results if r.counts]
    parallel = drawn(parallel_svg(account))
    lines = [e for e in parallel.iter(f"{NAMESPACE}path") if "line-score" in e.get("class", "")]
    assert len(lines) == len(counted)
    for line, result in zip(lines, sorted(counted, key=lambda r: r.score), strict=True):
        ends = re.findall(r"[ML]([\d.]+) ([\d.]+)", line.get("d", ""))
        assert len(ends) == 7 and line.get("d", "").count("M") == 1
        assert (float(ends[5][1]) == BELOW) == ("optim.momentum" not in result.trial.edit)
    curves = drawn(curves_svg(account))
    assert len([e for e in curves.iter(f"{NAMESPACE}path") if "line-score" in e.get("class", "")]) == len(counted)
    assert len([e for e in of_class(curves, "lost") if "L" in e.get("d", "")]) >= 2


def test_bars_end_at_their_shares() -> None:
    weights = (Weight("optim.lr", 0.5, 0.4, 0.6), Weight("model.width", 0.1, -0.1, 0.2))
    tree = drawn(bars_svg(Importance(weights, 0.8, 40, "")))
    first, second = (next(e for e in tree.iter() if e.get("class") == kind) for kind in ("dot-train", "dot-faint"))
    assert float(first.get("width", "0")) == pytest.approx(5 * float(second.get("width", "0")), rel=1e-3)
    assert "50% (40% to 60%)" in ElementTree.tostring(tree, "unicode")
    assert bars_svg(Importance((), math.nan, 3, "")) == ""


def test_standings_show_each_run(account: Account) -> None:
    assert account.verdict is not None
    rows = [account.verdict.best, *(s for s in account.verdict.others if s.repeats)]
    tree = drawn(standings_svg(account))
    dots = [e for e in tree.iter(f"{NAMESPACE}circle") if e.get("class") == "dot-train"]
    assert len(dots) == sum(len(s.repeats) for s in rows) + 1  # and one in the legend
    assert standings_svg(replace(account, verdict=None)) == ""


def test_grid_and_random_as_in_the_notes() -> None:
    text = grid_random_svg()
    assert "3 values of it tried, the best reaches 39%" in text and "9 values of it tried, the best reaches 80%" in text
    space = {"optim.beta1": uniform(0.0, 1.0), "optim.beta2": uniform(0.0, 1.0)}
    peak = max(important(i / 1000) for i in range(1001))
    reached = [
        max(important(float(p["optim.beta1"])) for p in sample(space, "random", TRIALS, seed)) / peak
        for seed in range(200)
    ]
    assert np.median(reached) == pytest.approx(0.8, abs=0.08)  # so that the drawn one is no lucky one
    drawn(text)


def test_the_page_tells_the_whole_search(account: Account, tmp_path: Path) -> None:
    path = write_page(account, tmp_path)
    page = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 3_000_000
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|url\(|@import", page)
    for expected in (
        "What was asked",
        "log:1e-06:0.1",
        "Stage 1: 30 trials",
        "narrowed from",
        "is best: ",
        "degrees of freedom",
        "dressage train digits",
    ):
        assert expected in page
    head, rows = trial_rows(account)
    assert head == [
        "stage",
        "lr",
        "weight_decay",
        "width",
        "activation",
        "optim",
        "momentum",
        "epochs",
        "accuracy",
        "repeats",
        "loss",
        "time",
    ]
    assert len(rows) == len(account.results) and rows[-1][2].startswith("stopped: its cost")
    assert sum(cells[-3].endswith("(3)") for _, cells, _ in rows) == 4


def test_half_a_search_and_an_empty_one_have_a_page(account: Account) -> None:
    begun = replace(account, verdict=None, results=account.results[:3])
    assert "So far trial" in render(begun) and "are needed" in render(begun)
    lost = replace(
        account,
        verdict=None,
        results=[replace(account.results[0], state="failed", score=math.nan, curve=(), reason="no memory")],
    )
    assert "None of 1 trials could be trained" in render(lost) and "failed: no memory" in render(lost)
    assert "None of 0 trials" in render(replace(account, verdict=None, results=()))
    assert "None of 0 trials" in render(replace(account, verdict=None, results=(), stages=()))
    one = told_search(5, 1, space=["model.activation=choice:relu:tanh"])
    assert plane_svg(one) == "" and "activation" in render(one)


def test_hostile_text_stays_text(account: Account) -> None:
    bad = replace(account.results[0], state="failed", reason=NASTY, curve=())
    page = render(
        replace(
            account,
            name=NASTY,
            data=NASTY,
            metric=NASTY,
            results=[bad, *account.results[1:]],
            best=NASTY,
            notes=(NASTY,),
        )
    )
    assert "<script" not in page and "\x1b" not in page and "‮" not in page


@pytest.mark.parametrize("width", [360, 1100])
def test_the_page_is_quiet_and_fits(browser: Any, account: Account, tmp_path: Path, width: int) -> None:
    page, faults = visit(browser, write_page(replace(account, data=NASTY), tmp_path), width)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [page.evaluate(CUT_OFF, picture.element_handle()) for picture in page.locator("svg").all()] == [0] * 5
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper
    assert "script" in page.inner_text("h1") and page.locator("script").count() == 0
    assert page.locator("svg:not([aria-label])").count() == 0 and faults == []
    page.close()


def test_a_large_search_stays_small() -> None:
    account = told_search(250, 2)
    many = [
        replace(r, curve=tuple(r.curve[0]._replace(epoch=e, cost=1 / (e + 1)) for e in range(300)))
        for r in account.results
    ]
    assert len(render(replace(account, results=many)).encode()) < 3_000_000

"""The report of a run, looked at in a browser: it tells what is in the files, and no text from a file does anything."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import report_runs
from browsing import visit
from dressage.errors import RunError, UsageError
from dressage.files import sha256
from dressage.report import curve_picture, run_html, write_report
from dressage.report.advice import hints
from dressage.report.command import repeat_command
from dressage.report.confusion import confusion_svg
from dressage.report.curves import best_epoch, charts, metric_names, thin
from dressage.report.gather import Nothing, gather
from dressage.report.page import UPLOT, embed
from dressage.report.plots import line_svg, log_ticks, ticks
from dressage.report.story import interval, status, total_seconds
from dressage.report.text import duration, setting, share, shown
from dressage.store.reader import read_history

KINDS = ("digits", "diabetes", "many", "diverged", "hostile")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder of each kind with its report."""
    root = tmp_path_factory.mktemp("runs")
    for kind in KINDS:
        getattr(report_runs, kind)(root / kind)
        write_report(root / kind)
    return {kind: root / kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_quiet_and_fits(browser: Any, runs: dict[str, Path], kind: str) -> None:
    page, faults = visit(browser, runs[kind] / "report.html", 360)
    for width, scheme in ((360, "light"), (1100, "light"), (1100, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # every curve is drawn live, and the still picture has made room for it
        assert page.locator(".live canvas").count() == page.locator(".curve").count() > 0
        assert page.locator(".static:visible").count() == 0
    assert faults == []
    assert page.locator("h1").count() == 1
    assert page.locator("img:not([alt]), svg:not([aria-label]):not([role=img])").count() == 0
    page.close()


def test_hostile_names_are_text(browser: Any, runs: dict[str, Path]) -> None:
    page, faults = visit(browser, runs["hostile"] / "report.html")
    assert faults == []
    text = page.inner_text("body")
    for name in ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "{{7*7}}", "<!--<script>"):
        assert name in text
    assert "safe\\u202egnp.exe" in text and "\\x1b[31mred" in text and "\\udc80" in text
    assert "\u202e" not in text and "\x1b" not in text and "49" not in page.inner_text("h1")
    assert page.locator("script").count() == 2 and page.locator("img").count() == 0
    assert (
        page.evaluate("[...document.querySelectorAll('*')].some(e => [...e.attributes].some(a => /^on/.test(a.name)))")
        is False
    )
    assert "x" * 400 not in page.content()
    page.close()


def test_the_policy_stops_what_gets_in_all_the_same(browser: Any, runs: dict[str, Path], tmp_path: Path) -> None:
    """If escaping failed one day, the Content-Security-Policy still lets nothing run and nothing out."""
    page = (runs["digits"] / "report.html").read_text()
    attack = (
        "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x.png' onerror=\"document.title='owned'\">"
    )
    (tmp_path / "bad.html").write_text(page.replace("<main>", "<main>" + attack))
    found, _ = visit(browser, tmp_path / "bad.html")
    assert found.title() != "owned"
    assert found.locator(".live canvas").count() > 0
    found.close()


@pytest.mark.parametrize("kind", KINDS)
def test_one_small_file_that_needs_nothing_else(runs: dict[str, Path], kind: str) -> None:
    text = (runs[kind] / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 600_000
    assert not re.search(r"""(src|href|action)\s*=\s*["']?\s*(https?:|//)|url\(|@import""", text)
    assert "The MIT License" in text and UPLOT in text
    assert text.count("</script>") == 2 and text.count("</style>") == 1
    block = re.search(r'<script type="application/json" id="series">(.*?)</script>', text, re.DOTALL)
    assert block is not None
    series = json.loads(block[1])
    assert all(len(line["y"]) == len(chart["x"]) <= 2200 for chart in series for line in chart["lines"])


def test_what_the_page_says_of_digits(browser: Any, runs: dict[str, Path]) -> None:
    page, _ = visit(browser, runs["digits"] / "report.html")
    judged = json.loads((runs["digits"] / "evaluation.json").read_text())["test"]
    score = judged["metrics"]["accuracy"]
    verdict = page.inner_text(".verdict")
    assert f"{score['value']:.3f} (95 % interval {score['low']:.3f}–{score['high']:.3f})" in verdict
    assert "clearly better than the majority class" in verdict
    assert "61,706 parameters" in page.inner_text(".trained") and "epoch 24" in page.inner_text(".trained")
    assert page.inner_text(".status") == "finished"
    assert page.locator(".gallery img").count() == 10
    assert page.eval_on_selector_all(".gallery img", "images => images.every(i => i.naturalWidth === 96)")
    assert page.locator("svg.confusion .hit").count() == 10
    numbers = page.eval_on_selector_all(
        "svg.confusion text.on, svg.confusion text.off", "t => t.map(e => +e.textContent)"
    )
    assert sum(numbers) == 360
    badges = page.eval_on_selector_all(".recipe .badge", "b => b.map(e => e.textContent)")
    assert {"given", "preset", "inferred", "measured"} == set(badges)
    assert page.inner_text(".finding h3").endswith("A third of the units of layer 2 never fire")
    assert "optim.lr = 0.001" in page.inner_text(".finding")
    assert "3 images of the validation part" in page.inner_text("#data")
    page.close()


def test_the_curves_can_be_handled(browser: Any, runs: dict[str, Path]) -> None:
    page, faults = visit(browser, runs["digits"] / "report.html")
    box = page.locator("#chart-loss input")
    assert box.is_checked()
    before = page.locator("#chart-loss canvas").screenshot()
    box.click()
    assert page.locator("#chart-loss canvas").screenshot() != before
    page.hover("#chart-loss .u-over")
    assert re.search(r"\d", page.inner_text("#chart-loss .u-legend"))
    page.set_viewport_size({"width": 500, "height": 800})
    page.wait_for_timeout(250)
    assert page.evaluate("document.documentElement.scrollWidth") <= 500
    page.emulate_media(color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".static svg:visible").count() == 3 and page.locator(".live:visible").count() == 0
    assert faults == []
    page.close()


def test_the_page_reads_without_script(browser: Any, runs: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((runs["digits"] / "report.html").as_uri())
    assert page.locator(".static svg:visible").count() == 3 and page.locator("#hold:visible").count() == 0
    context.close()


def test_text_has_contrast(browser: Any, runs: dict[str, Path]) -> None:
    """WCAG AA: 4.5 to 1 for every text on the ground behind it, in both schemes."""
    script = """() => {
      const light = (c) => { const v = c.match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255)
        .map((x) => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4); return .2126*v[0] + .7152*v[1] + .0722*v[2]; };
      const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (!c.endsWith(", 0)") && c !== "transparent") return c; } return "rgb(255,255,255)"; };
      const low = [];
      for (const e of document.querySelectorAll("main *, header *, footer *")) {
        if (e.closest("svg") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        if ((a + .05) / (b + .05) < 4.5) low.push(`${e.tagName}.${e.className} ${((a + .05) / (b + .05)).toFixed(2)}`);
      }
      return [...new Set(low)]; }"""
    for scheme in ("light", "dark"):
        page, _ = visit(browser, runs["digits"] / "report.html", scheme=scheme)
        assert page.evaluate(script) == []
        page.close()


def test_a_run_that_diverged_is_told_so(runs: dict[str, Path]) -> None:
    files = gather(runs["diverged"])
    assert status(files).word == "diverged"
    told = hints(files, status(files))
    assert told[0].seen == "Numbers grew from step to step until they overflowed."
    assert "0.3" in told[0].then and "diverged" in (runs["diverged"] / "report.html").read_text()


def test_damaged_and_missing_files_leave_a_gap(tmp_path: Path) -> None:
    page = write_report(tmp_path).read_text()
    assert "No step was recorded" in page and "has not been judged" in page
    for name in (
        "data.json",
        "reasons.json",
        "environment.json",
        "evaluation.json",
        "status.json",
        "recipe.toml",
        "repair.json",
        "run.db",
    ):
        (tmp_path / name).write_bytes(b"\xff{[ broken")
    page = write_report(tmp_path).read_text()
    assert "What could not be read" in page
    for name in (
        "data.json",
        "reasons.json",
        "environment.json",
        "evaluation.json",
        "recipe.toml",
        "repair.json",
        "run.db",
    ):
        assert name in page
    with pytest.raises(RunError, match="is no folder"):
        write_report(tmp_path / "none")


JUNK = [None, 3, "text", [], {}, [1, "a", None], {"a": {"b": [None]}}, True, -1.5, {"test": 5}, 10**18]


@pytest.mark.parametrize("seed", range(10))
def test_any_json_makes_a_page(tmp_path: Path, seed: int) -> None:
    """Values of wrong types at any place of the files: a page comes out, with nothing thrown."""
    rng = np.random.default_rng(seed)
    report_runs.diabetes(tmp_path) if seed == 0 else report_runs.hostile(tmp_path)

    def spoil(value: Any) -> Any:
        if rng.random() < 0.15:
            return JUNK[rng.integers(len(JUNK))]
        if isinstance(value, dict):
            return {k: spoil(v) for k, v in value.items()}
        return [spoil(v) for v in value] if isinstance(value, list) else value

    files = ("data.json", "reasons.json", "environment.json", "evaluation.json", "status.json", "repair.json")
    for name in (name for name in files if (tmp_path / name).exists()):
        spoilt = {k: spoil(v) for k, v in json.loads((tmp_path / name).read_text()).items()}
        report_runs.write(tmp_path, name, spoilt)
    assert len(write_report(tmp_path).read_text()) > 50_000
    assert run_html(tmp_path).startswith("<div")


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("runs/first", "dressage reproduce runs/first"),
        ("here/runs/first", "dressage reproduce runs/first"),  # given by its whole path
        ("../else where", "dressage reproduce '../else where'"),
        ("-x", "dressage reproduce ./-x"),
        ("away", "dressage reproduce {root}/away"),
    ],
)
def test_the_last_line_repeats_the_run_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, command: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    place = tmp_path / folder if folder.startswith(("here", "away")) else Path(folder)
    place.mkdir(parents=True)
    page = write_report(place).read_text()
    last = page[page.index("<footer>") : page.index("</footer>")]
    assert html.unescape(last).count(f"<code>{command.format(root=tmp_path)}</code>") == 1
    if not folder.startswith("away"):
        assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("data", "command"),
    [
        ({"given": "/data/x.csv"}, "dressage reproduce mine"),
        ({"given": "digits", "own_model": True}, "dressage reproduce mine --model FILE.py:Name"),
        ({"given": None}, "dressage.reproduce('mine', x, y=y)"),
        ({"given": None, "own_model": True}, "dressage.reproduce('mine', x, y=y, model=…)"),
    ],
)
def test_what_a_repetition_needs_is_in_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, Any], command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    report_runs.write(Path("mine"), "data.json", data)
    assert repeat_command(gather(Path("mine"))) == command


def test_the_card_of_a_notebook(runs: dict[str, Path]) -> None:
    card = run_html(runs["digits"])
    assert "95 % interval" in card and "majority class" in card and "<svg" in card and "<script" not in card
    bad = run_html(runs["hostile"])
    tags = set(re.findall(r"<\s*/?\s*([a-z]+)", bad))
    assert tags <= {"div", "strong", "span", "svg", "path", "circle"}
    ET.fromstring(bad)


def test_the_curves_as_a_picture(runs: dict[str, Path], tmp_path: Path) -> None:
    file = curve_picture(read_history(runs["digits"]), tmp_path / "curves.svg", title="digits & <friends>")
    root = ET.parse(file).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(root.findall(".//{*}path")) == 4
    assert file.stat().st_size < 100_000
    hostile = curve_picture(read_history(runs["hostile"]), tmp_path / "bad.svg", title=report_runs.HOSTILE[1])
    assert not ET.parse(hostile).getroot().findall(".//{*}script")
    with pytest.raises(UsageError, match=r"ends in \.svg"):
        curve_picture(read_history(runs["digits"]), tmp_path / "curves.png")
    with pytest.raises(UsageError, match="no steps yet"):
        curve_picture(Nothing(), tmp_path / "none.svg")


def test_thinning_keeps_every_peak_and_the_order() -> None:
    y = np.random.default_rng(0).normal(size=100_000)
    y[[5, 77_777]] = 100, -100
    y[500:900] = np.nan
    x, kept = thin(np.arange(100_000.0), y, 1000)
    assert len(kept) <= 1000 and np.nanmax(kept) == 100 and np.nanmin(kept) == -100
    assert (np.diff(x) > 0).all() and (y[x.astype(int)][~np.isnan(kept)] == kept[~np.isnan(kept)]).all()
    assert np.isnan(kept).any()
    short = np.arange(7.0)
    assert thin(short, short, 1000)[1] is short


def test_charts_of_odd_histories() -> None:
    steps = np.array([1, 2, 3], dtype=np.int64)
    nan = Nothing(steps=steps, columns={"loss": np.array([np.nan, np.inf, np.nan], dtype=np.float32)})
    for chart in charts(nan):
        ET.fromstring(line_svg(chart))
    one = Nothing(steps=steps[:1], columns={"loss": np.array([0.5], dtype=np.float32)}, epochs=({"epoch": 1},))
    assert "<circle" in line_svg(charts(one)[0])
    flat = Nothing(steps=steps, columns={"loss": np.zeros(3, dtype=np.float32), "lr": np.zeros(3, dtype=np.float32)})
    assert [chart.id for chart in charts(flat)] == ["loss", "lr"]
    for chart in charts(flat):
        ET.fromstring(line_svg(chart))


def test_the_best_epoch_and_the_metrics() -> None:
    epochs = [{"epoch": 1, "val_loss": 0.2, "val_accuracy": 0.9}, {"epoch": 2, "val_loss": 0.4, "train_accuracy": 1.0}]
    assert best_epoch(epochs) is epochs[0] and metric_names(epochs) == ["accuracy"]
    improved = [{"epoch": 1, "improved": True}, {"epoch": 2, "improved": False}]
    assert best_epoch(improved) is improved[0] and best_epoch([{"val_loss": None}]) is None


def test_time_is_counted_over_resumed_stretches(runs: dict[str, Path]) -> None:
    from dataclasses import replace

    files = gather(runs["digits"])
    assert total_seconds(files) == pytest.approx(12.3)
    epochs = tuple({"seconds": s} for s in (2.0, 4.0, 1.0, 3.0))
    assert total_seconds(replace(files, history=Nothing(epochs=epochs))) == 7.0


@pytest.mark.parametrize("c", [1, 2, 12, 26, 60, 100, 150])
def test_confusion_of_few_and_many_classes(c: int) -> None:
    rng = np.random.default_rng(c)
    matrix = rng.integers(0, 3, (c, c)) + 20 * np.eye(c, dtype=int)
    svg = confusion_svg({"classes": [f"<class {i}>" for i in range(c)], "confusion": matrix.tolist()})
    root = ET.fromstring(svg)
    drawn = len(root.findall("g"))
    assert drawn == min(6000, int((matrix > 0).sum())) and len(svg) < 1_500_000
    assert len(root.findall("g/text")) == (drawn if c <= 26 else 0)
    assert "<class" not in svg


def test_no_matrix_no_picture() -> None:
    for bad in (None, [], [[1]], [[1, 2], [3]], [["a", 1], [1, 1]], [[-1, 0], [0, 1]]):
        assert confusion_svg({"classes": ["a", "b"], "confusion": bad}) == ""


def test_ticks_are_round() -> None:
    assert ticks(0, 1, 5) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-3, 1234, 6) == [0, 500, 1000]
    assert log_ticks(0.02, 3.1) == [0.1, 1.0]
    assert log_ticks(0.2, 0.9) == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])


def test_values_as_text() -> None:
    assert [duration(s) for s in (0.84, 12, 185, 3840, None, float("nan"))] == [
        "0.8 s",
        "12 s",
        "3 min 05 s",
        "1 h 04 min",
        "–",
        "–",
    ]
    assert [share(v) for v in (0.083, 0.0001, 0.99999, 1, 0, "x")] == [
        "8.3 %",
        "< 0.1 %",
        "> 99.9 %",
        "100.0 %",
        "0.0 %",
        "–",
    ]
    assert [setting(v) for v in (0.001, 1e-8, [], True, "adamw", 3)] == ["0.001", "1e-08", "none", "yes", "adamw", "3"]
    assert (
        interval({"low": -2e-5, "high": 0.574}) == "0.000–0.574"
        and interval({"low": -0.2, "high": 0.1}) == "−0.200 to 0.100"
    )
    assert shown(None) == "–" and shown("\u202ea") == "\\u202ea" and len(shown("x" * 10_000)) == 300


def test_json_in_a_page_has_no_tags() -> None:
    text = embed({"a": "</script><!-- & \u2028"})
    assert not set("<>&\u2028") & set(text) and json.loads(text) == {"a": "</script><!-- & \u2028"}


def test_the_vendored_library_is_the_one_that_is_named() -> None:
    folder = Path(str(write_report.__globals__["__file__"])).parent / "vendor"
    told = (folder / "README.md").read_text()
    assert UPLOT in told and UPLOT in (folder / "uPlot.iife.min.js").read_text()[:80]
    for name in ("uPlot.iife.min.js", "uPlot.min.css", "uPlot.LICENSE"):
        assert sha256(folder / name) in told

"""Tables are understood as a careful person would, and what cannot be is refused by name and line."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dressage.data.source import Source
from dressage.data.tables import open_table, read_new
from dressage.data.tables.lines import find_records
from dressage.errors import DataError, DressageError
from dressage.recipe.schema import Data

Open = Callable[..., Source]
ROWS = "\n".join(f"{i * 0.5},{'ab'[i % 2]},{i * 7 % 5}" for i in range(30))
PLAIN = "x,k,y\n" + ROWS + "\n"


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    def write_and_open(data: str | bytes, **section: object) -> Source:
        path = tmp_path / "t.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return open_table(path, Data(**section))  # type: ignore[arg-type]

    return write_and_open


def kinds(source: Source) -> dict[str, str]:
    return {column.name: column.kind for column in source.columns}


def test_a_plain_table(opened: Open) -> None:
    source = opened(PLAIN)
    assert source.task == "classification" and source.target == "y" and list(source.classes) == list("01234")
    assert source.x.column_names == ["x", "k"] and source.x["x"].type == pa.float64()
    assert source.x["x"].to_pylist() == [i * 0.5 for i in range(30)]
    assert source.y.tolist() == [i * 7 % 5 for i in range(30)] and source.y.dtype == torch.int64
    assert source.ids is not None and source.ids[0] == "line 2" and source.assumed["encoding"] == "utf-8"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-32"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace(",", "|").encode(),
        PLAIN.replace(",", ";").replace(".", ",").encode(),
        ("sep=;\n" + PLAIN.replace(",", ";")).encode(),
        PLAIN.replace("a", '"a"').encode(),
        PLAIN.replace("a", "'a'").replace("b", "'b'").encode(),
        PLAIN.replace(",a,", ", a ,").encode(),
        PLAIN.strip().encode(),
    ],
)
def test_the_same_table_however_it_is_written(opened: Open, data: bytes) -> None:
    assert opened(data).fingerprint == opened(PLAIN).fingerprint


def test_decimal_commas_are_told(opened: Open) -> None:
    assert opened(PLAIN.replace(",", ";").replace(".", ",")).assumed["decimal mark"] == "comma"
    late = "a;y\n" + "".join(f"{i};{i % 2}\n" for i in range(90_000)) + "0,5;1\n"
    assert opened(late).x["a"].to_pylist()[-1] == 0.5


def test_the_fingerprint_sees_every_cell(opened: Open) -> None:
    prints = {
        opened(PLAIN.replace(*change)).fingerprint
        for change in (("", ""), ("14.5", "14.6"), (",a,3", ",b,3"), ("0.5", ""))
    }
    assert len(prints) == 4


def test_latin_1_is_told(opened: Open) -> None:
    source = opened(PLAIN.replace("a", "é").encode("latin-1"))
    assert "é" in source.x["k"].to_pylist() and source.assumed["encoding"].startswith("latin-1")
    assert opened(PLAIN.replace("a", "€").encode("cp1252")).assumed["encoding"].startswith("cp1252")


def test_no_header(opened: Open) -> None:
    source = opened(ROWS)
    assert source.rows == 30 and source.target == "column 3" and source.assumed["header"].startswith("none")
    words = "\n".join(f"{'pq'[i % 2]},{'rst'[i % 3]},{'uv'[i // 2 % 2]}" for i in range(12))
    assert opened(words).rows == 12


def test_missing_cells(opened: Open) -> None:
    tokens = ["", "?", "NA", "N/A", "nan", "null", "None", "-", "."]
    source = opened(PLAIN + "".join(f"{token},{token},1\n" for token in tokens))
    assert {c.name: c.missing for c in source.columns} == {"x": 9, "k": 9, "y": 0}
    assert kinds(source)["x"] == "number" and "'?'" in source.assumed["missing"]


def test_a_question_mark_beyond_the_sample(opened: Open) -> None:
    body = "".join(f"{i * 0.25},{i % 7 * 0.1},{i % 2}\n" for i in range(40_000))
    source = opened("a,b,y\n" + body + "?,1,0\n")
    assert kinds(source)["a"] == "number" and source.x["a"].null_count == 1


def test_ids_constants_and_text_are_left_out(opened: Open) -> None:
    rows = "".join(f"{i + 100},person {i},u{i},7,,{i * 0.3},{'ab'[i % 2]}{i % 3},{i % 3}\n" for i in range(60))
    source = opened("id,name,code,const,void,v,k,y\n" + rows)
    assert kinds(source) == {
        "id": "id",
        "name": "text",
        "code": "id",
        "const": "constant",
        "void": "constant",
        "v": "number",
        "k": "category",
        "y": "target",
    }
    assert source.x.column_names == ["v", "k"] and all(
        c.note for c in source.columns if c.kind in ("id", "text", "constant")
    )


def test_a_repeated_id_suggests_groups(opened: Open) -> None:
    rows = "".join(f"{i // 3},{i * 0.3},{i % 2}\n" for i in range(30))
    assert "--group patient_id" not in str(opened("patient_id,v,y\n" + rows, group="patient_id").warnings)
    assert any("--group" in w for w in opened("patient_id,v,y\n" + rows).warnings)


def test_dates_and_truths(opened: Open) -> None:
    rows = "".join(
        f"2020-01-{i + 1:02d},{i + 1}/01/2020,{i + 1}.1.2020,{i + 1} Jan 2020,{i % 2 == 0},{i % 3}\n" for i in range(28)
    )
    source = opened("a,b,c,d,t,y\n" + rows)
    assert [kinds(source)[c] for c in "abcdt"] == ["date"] * 4 + ["number"]
    dates = [source.x[c].to_pylist() for c in "abcd"]
    assert dates[0] == dates[1] == dates[2] == dates[3]
    assert source.x["t"].to_pylist()[:2] == [1.0, 0.0]


def test_month_or_day_first(opened: Open) -> None:
    rows = "".join(f"{i % 12 + 1}/{i % 11 + 1}/2020,{i % 3}\n" for i in range(40))
    source = opened("d,y\n" + rows)
    assert any("month first" in w for w in source.warnings) and source.columns[0].form == "%m/%d/%Y"
    february = "d,x,y\n" + rows.replace("2020,", "2020,1.5,") + "31/2/2020,1,1\n"
    assert opened(february).columns[0].kind != "date", "31 February is no day"


def test_the_target(opened: Open) -> None:
    assert opened("label,a,b\n" + "".join(f"{i % 2},{i * 0.1},{i % 4}\n" for i in range(20))).target == "label"
    table = "a,b,c\n" + "".join(f"{i % 2},{i * 0.1},{i * 1.5}\n" for i in range(20))
    source = opened(table)
    assert source.target == "c" and source.task == "regression" and source.y.dtype == torch.float32
    assert "last column" in source.assumed["target"]
    assert opened(table, target="a").task == "classification"
    assert opened(table, target="a", task="regression").y.dtype == torch.float32
    assert opened("a,y\n" + "".join(f"{i * 0.1},{i * 3}\n" for i in range(99))).task == "regression"
    odd = opened("a,y\n" + "".join(f"{i * 0.1},{(-3, 7, 7.0)[i % 3]}\n" for i in range(30)))
    assert list(odd.classes) == ["-3", "7"]
    assert list(opened("a,y\n" + "".join(f"{i * 0.1},{i % 2 == 0}\n" for i in range(30))).classes) == ["false", "true"]


def test_rows_without_a_target_are_dropped(opened: Open) -> None:
    source = opened("x,k,y\n1,a,\n" + ROWS)
    assert source.rows == 30 and source.ids is not None and source.ids[0] == "line 3"
    assert any("1 rows without a target" in w and "line 2" in w for w in source.warnings)


def test_group_time_ignore_and_given_parts(opened: Open) -> None:
    rows = "".join(
        f"{i * 0.5},g{i % 4},2020-01-{i % 28 + 1:02d},{i},{'train' if i < 20 else 'Test'},{i % 2}\n" for i in range(30)
    )
    table = "x,g,t,drop,split,y\n" + rows
    grouped, timed = opened(table, group="g", ignore=["drop", "t"]), opened(table, time="t", ignore=["drop", "g"])
    assert grouped.group is not None and grouped.group.tolist() == [i % 4 for i in range(30)]
    assert timed.time is not None and timed.time.dtype == torch.float64 and timed.time[1] - timed.time[0] == 86400
    for source in (grouped, timed):
        assert source.x.column_names == ["x"]
        assert {part: len(r) for part, r in source.given.items()} == {"train": 20, "test": 10}


def test_a_leak_is_warned_of(opened: Open) -> None:
    rows = "".join(f"{'pqr'[i % 3]},{i % 5},{i % 3}\n" for i in range(30))
    assert [w for w in opened("k,x,y\n" + rows).warnings if "'k'" in w and "target" in w]
    amounts = "".join(f"{i * 0.37 + 1},{i % 5},{i * 0.74}\n" for i in range(30))
    assert [w for w in opened("k,x,y\n" + amounts).warnings if "'k'" in w and "target" in w]


def test_words_among_numbers(opened: Open) -> None:
    few = opened("x,z,y\n" + "".join(f"{i * 0.5},{i % 4},{i % 2}\n" for i in range(60)) + "٣,1,1\n1_000,1,0\n")
    assert kinds(few)["x"] == "number" and few.x["x"].null_count == 2
    assert any("'٣'" in w and "'1_000'" in w and "line 62" in w for w in few.warnings)
    many = opened("x,z,y\n" + "".join(f"{i % 6},{i % 4},{i % 2}\n" for i in range(30)) + "٣,1,1\n1_000,1,0\n" * 3)
    assert kinds(many)["x"] == "category" and any("taken as words" in w for w in many.warnings)


BAD = {
    "ragged": (PLAIN + "\n1,2\n1,2,3\n", "line 33 has 2 cells"),
    "ragged after a quoted newline": ('x,k,y\n1,"a\nb",2\n\n' + ROWS + "\n1,2\n", "line 35 has 2 cells"),
    "twins": ("x,x,y\n" + ROWS, "'x' is there more than once"),
    "infinite": (PLAIN + "1e400,a,1\n-inf,b,1\n", "line 32, line 33"),
    "infinite target": (
        "y,x\n" + "".join(f"{i * 0.3},{i % 3}\n" for i in range(30)) + "inf,1\n",
        "column 'y' has an infinite",
    ),
    "nul": (PLAIN + "1,\0a,1\n", "NUL byte in line 32"),
    "wide": (PLAIN + "1," + "a" * 140_000 + ",1\n", "line 32 has a cell of more than 128 kB"),
    "open quote": (PLAIN + '1,"a,1\n' + "1,b,2\n" * 30_000, "a quote is opened and never closed"),
    "empty": ("", "empty"),
    "blank": ("\n\n \n", "empty"),
    "header only": ("x,k,y\n", "a header and no rows"),
    "one column": ("x\n1\n2\n", "one column only"),
    "no target": ("x,y\n1,\n2,?\n", "missing in every row"),
    "constant target": ("x,y\n1,3\n2,3\n", "the one value '3'"),
    "text target": ("x,y\n" + "".join(f"{i % 3},word {i}\n" for i in range(60)), "60 different values"),
    "date target": ("x,y\n" + "".join(f"{i % 3},2020-01-{i + 1:02d}\n" for i in range(20)), "holds dates"),
    "no feature": ("x,y\n" + "".join(f"1,{i % 2}\n" for i in range(20)), "no column is left to learn from"),
    "binary": (bytes(range(256)) * 4, "NUL byte"),
    "false byte order mark": (b"\xff\xfea", "byte order mark"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_by_name(opened: Open, case: str) -> None:
    data, said = BAD[case]
    with pytest.raises(DataError) as caught:
        opened(data)
    message = str(caught.value)
    assert said in message and message.startswith("t.csv: ") and message.count("; ") >= 2 and "\n" not in message


@pytest.mark.parametrize("key", ["target", "group", "time"])
def test_a_wrong_name_gets_the_nearest(opened: Open, key: str) -> None:
    with pytest.raises(DataError, match=r"no column 'kk'.*did you mean 'k'\? \(known: k, x, y\)"):
        opened(PLAIN, **{key: "kk"})


def test_wrong_uses_of_columns(opened: Open) -> None:
    with pytest.raises(DataError, match="holds words"):
        opened(PLAIN, task="regression", target="k")
    with pytest.raises(DataError, match="time column 'k' holds words"):
        opened(PLAIN, time="k")
    with pytest.raises(DataError, match=r"both data\.target and data\.group"):
        opened(PLAIN, target="y", group="y")


def test_hostile_names_stay_data(opened: Open) -> None:
    names = ["<img onerror=x>", "a\x1b[31m\u202eb", "{{7*7}}", "n" * 10_000, '"; drop', "y"]
    head = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    source = opened(head + "\n" + "".join(f"{i * 0.1},{i % 7},{i % 3},{i % 4},{i % 5},{i % 2}\n" for i in range(30)))
    assert source.x.column_names == names[:-1]
    with pytest.raises(DataError) as caught:
        opened(head + "\n1,2,3,4,5,6\n", target="zz\x1b[0m")
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 2000


def test_frames(opened: Open) -> None:
    n = 40
    frame = pa.table(
        {
            "words": pa.array(["a", None] * 20).dictionary_encode(),
            "codes": pa.DictionaryArray.from_arrays(pa.array([0, 1] * 20), pa.array([10, 20])),
            "when": pa.array([i * 10**9 for i in range(n)], pa.timestamp("ns", "UTC")),
            "truth": pa.array([True, False, None, True] * 10),
            "price": pa.array([None, *map(Decimal, range(1, n))], pa.decimal128(10, 2)),
            "nan": pa.array([float("nan"), 1.5] * 20),
            "view": pa.array(["p", "q"] * 20, pa.string_view()),
            "large": pa.array(["3", "4.5"] * 20, pa.large_string()),
            "span": pa.array(range(n), pa.duration("s")),
            "void": pa.nulls(n),
            "__index_level_0__": pa.array(range(n)),
            "y": pa.array([0, 1] * 20),
        }
    )
    source = open_table(frame, Data(), name="frame")
    found = kinds(source)
    assert source.name == "frame" and "__index_level_0__" not in found and found["void"] == "constant"
    assert [found[c] for c in ("words", "codes", "when", "truth", "price")] == [
        "category",
        "number",
        "date",
        "number",
        "number",
    ]
    assert found["view"] == "category" and found["large"] == "number" and source.x["nan"].null_count == 20
    with pytest.raises(DataError, match=r"frame: column 'deep' holds list"):
        open_table(pa.table({"deep": [[1], [2]], "x": [1, 2], "y": [0, 1]}), Data(target="y"), name="frame")
    with pytest.raises(DataError, match="no rows"):
        open_table(frame.slice(0, 0), Data())


def test_pandas_and_polars_frames_by_the_arrow_protocol() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"x": [0.5 * i for i in range(20)], "k": ["a", "b"] * 10, "y": [0, 1, 1, 0] * 5}
    prints = {
        open_table(pa.table(frame(columns)), Data()).fingerprint
        for frame in (pandas.DataFrame, polars.DataFrame, pa.table)
    }
    assert len(prints) == 1


def test_parquet(tmp_path: Path, opened: Open) -> None:
    table = pa.table({"x": [i * 0.5 for i in range(30)], "k": [*"ab"] * 15, "y": [i * 7 % 5 for i in range(30)]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    assert open_table(path, Data()).fingerprint == opened(PLAIN).fingerprint
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        open_table(path, Data())
    pq.write_table(table.append_column("deep", pa.array([{"a": 1}] * 30)), path)
    with pytest.raises(DataError, match="column 'deep' holds struct"):
        open_table(path, Data(target="y"))
    with pytest.raises(DataError, match="no such file"):
        open_table(tmp_path / "none.csv", Data())


def test_new_files_are_read_as_the_training_was(opened: Open, tmp_path: Path) -> None:
    rows = "".join(f"{i * 0.5},{'ab'[i % 2]},{i % 12 + 1}.{i % 11 + 1}.2020,{i % 3}\n" for i in range(40))
    source = opened("x,k,d,y\n" + rows)
    again = read_new(tmp_path / "t.csv", source.columns, source.task, source.classes)
    assert again.x.equals(source.x) and again.y is not None and torch.equal(again.y, source.y)
    path = tmp_path / "new.csv"
    path.write_text("extra;d;k;x\n1;2.1.2020;7;1,5\n")
    new = read_new(path, source.columns, source.task, source.classes)
    assert new.y is None and new.ids == ["line 2"] and "extra" in new.notes[0]
    assert new.x.to_pylist()[0] == {"x": 1.5, "k": "7", "d": __import__("datetime").datetime(2020, 1, 2)}
    for text, said in (
        ("x,k\n1,a\n", "'d' is absent"),
        ("x,k,d\nabc,a,1.1.2020\n", "has 'abc' in line 2"),
        ("x,k,d,y\n1,a,1.1.2020,9\n", "class '9'"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            read_new(path, source.columns, source.task, source.classes)


@pytest.mark.parametrize(
    ("text", "values", "lines"),
    [
        ("x\n1\n\n3\n", [1, None, 3], [2, 3, 4]),
        ("x\n\n1\n3\n\n\n", [None, 1, 3], [2, 3, 4]),
        ("\nx\r\n1\r\n\r\n3\r\n\r\n", [1, None, 3], [3, 4, 5]),
        ('x\n"1"\n""\n\n3', [1, None, None, 3], [2, 3, 4, 5]),
        ("sep=;\nx\n1\n\n3", [1, None, 3], [3, 4, 5]),
    ],
)
def test_an_empty_line_of_a_single_column_is_a_row(
    opened: Open, tmp_path: Path, text: str, values: list[float | None], lines: list[int]
) -> None:
    source = opened("x,y\n" + "".join(f"{i * 0.5},{i % 2}\n" for i in range(40)))
    (tmp_path / "new.csv").write_bytes(text.encode())
    new = read_new(tmp_path / "new.csv", source.columns, source.task, source.classes)
    assert new.x["x"].to_pylist() == values and new.ids == [f"line {n}" for n in lines]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300) | st.text(alphabet='abc01,;\n\r"\t.- é?', max_size=300).map(str.encode))
def test_any_bytes_open_or_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    try:
        source = open_table(path, Data())
    except DressageError:
        return
    assert source.rows == source.x.num_rows == len(source.y) and source.y.isfinite().all()


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.lists(st.text(alphabet='ab ",\n', max_size=5), min_size=2, max_size=2), min_size=1, max_size=8))
def test_records_begin_where_the_csv_module_says(rows: list[list[str]]) -> None:
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    records = find_records(text.getvalue().encode(), '"')
    reader = csv.reader(io.StringIO(text.getvalue(), newline=""))
    ends = [reader.line_num for _ in reader]
    assert records.line.tolist() == [1, *(end + 1 for end in ends[:-1])] and not records.open_quote
    assert np.all(records.stop > records.start)


@pytest.mark.parametrize("last", ["", "1,2,3,4\n"])
def test_threads_of_arrow_hold_no_python_object(opened: Open, monkeypatch: pytest.MonkeyPatch, last: str) -> None:
    """They may outlive Python, and one that lets go of its handler then aborts the process."""
    read, told = pyarrow.csv.read_csv, []

    def watched(file: object, *, read_options: Any, parse_options: Any, **options: Any) -> object:
        told.append((read_options.use_threads, parse_options.invalid_row_handler is not None))
        return read(file, read_options=read_options, parse_options=parse_options, **options)

    monkeypatch.setattr(pyarrow.csv, "read_csv", watched)
    with pytest.raises(DataError, match="4 cells") if last else nullcontext():
        opened(PLAIN + last)
    assert told == [(True, False), (False, True)][: 2 if last else 1]

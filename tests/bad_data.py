"""Makers of bad data, numbered as in the list of bad inputs. Each writes into a folder; returns what to train on."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Maker = Callable[[Path], Path]


def pictures(folder: Path, *, classes: int = 2, each: int = 8, side: int = 8) -> Path:
    """A good folder of pictures, `c0/0.jpg` and so on."""
    rng = np.random.default_rng(0)
    for number in range(classes):
        place = folder / f"c{number}"
        place.mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 120, (side, side, 3), dtype=np.uint8) + np.uint8(60 * number)
            Image.fromarray(pixels).save(place / f"{i}.jpg")
    return folder


def rows(count: int = 60, *, separator: str = ",") -> list[str]:
    """A good table of `count` rows: a, b and a label that follows from them."""
    draw = random.Random(0)
    lines = [separator.join(["a", "b", "label"])]
    for _ in range(count):
        a, b = draw.gauss(0, 1), draw.gauss(0, 1)
        lines.append(separator.join([f"{a:.3f}", f"{b:.3f}", "yes" if a + b > 0 else "no"]))
    return lines


def csv(folder: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    """The lines as `table.csv`."""
    file = folder / "table.csv"
    file.write_bytes("\n".join([*lines, ""]).encode(encoding))
    return file


def missing(folder: Path) -> Path:
    return folder / "nothing_here"


def empty_folder(folder: Path) -> Path:
    (folder / "void").mkdir()
    return folder / "void"


def one_class(folder: Path) -> Path:
    return pictures(folder / "pics", classes=1)


def one_class_table(folder: Path) -> Path:
    return csv(folder, [line.replace("yes", "no") for line in rows()])


def lone_image(folder: Path) -> Path:
    place = pictures(folder / "pics")
    (place / "lonely").mkdir()
    Image.new("RGB", (8, 8)).save(place / "lonely" / "one.jpg")
    return place


def with_bad_file(content: bytes) -> Maker:
    """A folder of pictures in which one file, c0/bad.jpg, has this content."""

    def make(folder: Path) -> Path:
        place = pictures(folder / "pics")
        (place / "c0" / "bad.jpg").write_bytes(content)
        return place

    return make


def truncated_jpg(folder: Path) -> Path:
    place = pictures(folder / "pics", side=64)
    whole = (place / "c0" / "0.jpg").read_bytes()
    (place / "c0" / "bad.jpg").write_bytes(whole[: len(whole) // 2])
    return place


def png_of(side: int) -> Maker:
    """A folder of pictures with one grey PNG of that side, small as a file, whose rows are all zero."""

    def make(folder: Path) -> Path:
        place = pictures(folder / "pics")
        packer = zlib.compressobj(1)
        row = b"\0" * (side + 1)
        packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
        head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
        body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
        (place / "c0" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
        return place

    return make


def mixed_modes(folder: Path) -> Path:
    place = pictures(folder / "pics")
    for mode, ending in (("CMYK", "jpg"), ("I;16", "png"), ("P", "png"), ("RGBA", "png")):
        Image.new(mode, (8, 8), 7).save(place / "c1" / f"{mode.replace(';', '')}.{ending}")
    return place


def turned(folder: Path) -> Path:
    place = pictures(folder / "pics")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 8), (9, 99, 9)).save(place / "c1" / "turned.jpg", exif=exif)
    return place


def link_loop(folder: Path) -> Path:
    place = pictures(folder / "pics")
    (place / "c0" / "loop").symlink_to(place)
    (place / "c0" / "self.jpg").symlink_to("self.jpg")
    return place


def link_out(folder: Path) -> Path:
    place = pictures(folder / "pics")
    outside = folder / "secret"
    outside.mkdir()
    Image.new("RGB", (8, 8)).save(outside / "x.jpg")
    (place / "c0" / "out.jpg").symlink_to(outside / "x.jpg")
    return place


def odd_names(folder: Path) -> Path:
    place = pictures(folder / "pics")
    good = (place / "c0" / "0.jpg").read_bytes()
    for name in (b"new\nline.jpg", b"not-utf8-\xff.jpg", b"x" * 251 + b".jpg", b"\x1b[31mred.jpg"):
        with open(os.path.join(os.fsencode(place / "c0"), name), "wb") as file:  # noqa: PTH118, PTH123
            file.write(good + name[:1])
    return place


def unreadable(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    place = pictures(folder / "pics")
    (place / "c0" / "0.jpg").chmod(0)
    return place


def in_both_parts(folder: Path) -> Path:
    for part in ("train", "validation", "test"):
        pictures(folder / "pics" / part)
    return folder / "pics"


def latin_1(folder: Path) -> Path:
    return csv(folder, [line.replace("yes", "größer") for line in rows()], "latin-1")


def ragged(folder: Path) -> Path:
    lines = rows()
    lines[16] += ",1,2"
    return csv(folder, lines)


def doubled_column(folder: Path) -> Path:
    return csv(folder, ["a,a,label", *rows()[1:]])


def no_header(folder: Path) -> Path:
    return csv(folder, rows()[1:])


def no_target(folder: Path) -> Path:
    return csv(folder, ["a,b,label", *(line.rsplit(",", 1)[0] + "," for line in rows()[1:])])


def decimal_commas(folder: Path) -> Path:
    return csv(folder, [line.replace(".", ",") for line in rows(separator=";")])


def odd_numbers(folder: Path) -> Path:
    lines = rows()
    for i, text in enumerate(("inf", "1e400", "٣", "1_000", "-inf"), 1):
        lines[i] = f"{text},0.5,no"
    return csv(folder, lines)


def nul_byte(folder: Path) -> Path:
    lines = rows()
    lines[5] = lines[5].replace(".", "\0", 1)
    return csv(folder, lines)


def huge_field(folder: Path) -> Path:
    lines = rows()
    lines[5] = '"' + "x" * 200_000 + '",1,no'
    return csv(folder, lines)


def semicolons(folder: Path) -> Path:
    return csv(folder, rows(separator=";"))


def leak(folder: Path) -> Path:
    lines = rows()
    return csv(folder, [lines[0] + ",copy", *(f"{line},{line.rsplit(',', 1)[1]}" for line in lines[1:])])


def truncated_parquet(folder: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    file = folder / "table.parquet"
    parquet.write_table(pa.table({"a": list(range(500)), "label": [0, 1] * 250}), file)
    file.write_bytes(file.read_bytes()[:-50])
    return file


def nested_parquet(folder: Path) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    file = folder / "table.parquet"
    parquet.write_table(pa.table({"a": [[1, 2]] * 60, "b": list(range(60)), "label": ["x", "y"] * 30}), file)
    return file


def object_npy(folder: Path) -> Path:
    file = folder / "arrays.npz"
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in (("x", np.array([{"a": 1}] * 40, dtype=object)), ("y", np.arange(40) % 2)):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=True)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return file


def header_of_8_terabytes(folder: Path) -> Path:
    place = folder / "arrays"
    place.mkdir()
    with (place / "x.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
        file.write(b"\0" * 64)
    np.save(place / "y.npy", np.arange(40) % 2)
    return place


def npz_bomb(folder: Path) -> Path:
    """3 GB of zeros in 3 MB."""
    file = folder / "bomb.npz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (1000, 375_000)})
        with archive.open("x.npy", "w", force_zip64=True) as member:
            member.write(head.getvalue())
            block = bytes(10_000_000)
            for _ in range(300):
                member.write(block)
        labels = io.BytesIO()
        np.save(labels, np.arange(1000) % 2)
        archive.writestr("y.npy", labels.getvalue())
    return file


def different_lengths(folder: Path) -> Path:
    file = folder / "arrays.npz"
    np.savez(file, x=np.zeros((40, 3)), y=np.arange(39) % 2)
    return file


def labels_as(values: list[float]) -> Maker:
    """Arrays whose labels are these, over and over."""

    def make(folder: Path) -> Path:
        file = folder / "arrays.npz"
        rng = np.random.default_rng(0)
        y = np.array((values * 60)[:60])
        np.savez(file, x=rng.normal(size=(60, 3)) + y[:, None], y=y)
        return file

    return make


def hostile_names(folder: Path) -> Path:
    names = ["<img src=x onerror=alert(1)>", "</script>{{7*7}}", "\u202eevil\x1b[31m"]
    head = ",".join([*names, "label"])
    draw = random.Random(0)
    body = [
        ",".join([*(f"{draw.gauss(0, 1):.2f}" for _ in names), draw.choice(["<b>x</b>", "\x1b]0;t\x07"])])
        for _ in range(60)
    ]
    return csv(folder, [head, *body])

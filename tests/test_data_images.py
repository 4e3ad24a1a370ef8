"""Image folders and CSVs of paths: what is found, what is refused, and the cache of decoded pixels."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dressage import recipe
from dressage.data import cache, image_pass, images
from dressage.data.decode import FAST, decode, probe
from dressage.data.open import open_data
from dressage.errors import DataError

DATA = recipe.Data()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DRESSAGE_CACHE", str(folder))
    return folder


def picture(seed: int, size: tuple[int, int] = (24, 20), mode: str = "RGB") -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)


def folder_of(
    root: Path, names: list[str], size: tuple[int, int] = (24, 20), kind: str = "jpg", mode: str = "RGB"
) -> Path:
    for i, name in enumerate(names):
        path = root / (name if "." in name.rsplit("/", 1)[-1] else f"{name}.{kind}")
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(i, size, mode).save(path)
    return root


def classes_of(root: Path, *, count: int = 3, classes: str = "ab", part: str = "", **how: object) -> Path:
    prefix = f"{part}/" if part else ""
    return folder_of(root, [f"{prefix}{c}/{i}" for c in classes for i in range(count)], **how)  # type: ignore[arg-type]


def refused(data: Path, section: recipe.Data = DATA) -> str:
    with pytest.raises(DataError) as error:
        open_data(data, section)
    assert str(error.value).count(";") >= 2, "three parts"
    return str(error.value)


def test_class_folders_are_read_in_order_and_bit_for_bit_as_pillow(tmp_path: Path) -> None:
    source = open_data(classes_of(tmp_path, classes="ba"), DATA)
    assert source.kind == "images" and source.task == "classification" and source.classes == ("a", "b")
    assert source.x.shape == (6, 20, 24, 3) and source.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.ids is not None and source.ids[3] == "b/0.jpg" and not source.given
    for row, name in enumerate(source.ids):
        assert np.array_equal(source.x[row].numpy(), np.asarray(Image.open(tmp_path / name)))


@pytest.mark.parametrize("validation", ["val", "valid", "Validation"])
def test_parts_are_found_by_name(tmp_path: Path, validation: str) -> None:
    for part in ("train", validation, "test"):
        for c in "ab":
            folder_of(tmp_path, [f"{part}/{c}/{part}{i}" for i in range(3)])
    source = open_data(tmp_path, DATA)
    assert {k: v.tolist() for k, v in source.given.items()} == {
        "train": [0, 1, 2, 3, 4, 5], "validation": [6, 7, 8, 9, 10, 11], "test": [12, 13, 14, 15, 16, 17],
    }  # fmt: skip
    assert source.classes == ("a", "b") and validation in source.assumed["parts"]


def test_a_folder_that_holds_only_the_set_is_entered(tmp_path: Path) -> None:
    classes_of(tmp_path / "inner", part="train")
    source = open_data(tmp_path, DATA)
    assert list(source.given) == ["train"] and source.classes == ("a", "b") and "inner" in source.assumed["folder"]


def test_a_class_of_test_that_train_has_not_is_refused(tmp_path: Path) -> None:
    classes_of(tmp_path, part="train")
    classes_of(tmp_path, part="test", classes="abz")
    assert "test has classes that train has not: 'z'" in refused(tmp_path)


def test_one_class_and_a_class_with_one_image_are_refused(tmp_path: Path) -> None:
    assert "only one class ('a')" in refused(classes_of(tmp_path / "one", classes="a"))
    folder_of(tmp_path / "few", ["a/0", "a/1", "b/0"])
    assert "a single sample in class 'b'" in refused(tmp_path / "few")


def test_empty_flat_and_missing_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "an empty folder" in refused(tmp_path / "empty")
    assert "no images in class folders" in refused(folder_of(tmp_path / "flat", ["1", "2"]))
    assert "did you mean 'flat'" in refused(tmp_path / "flet")


def test_every_unreadable_file_is_named_with_its_reason(tmp_path: Path) -> None:
    classes_of(tmp_path)
    (tmp_path / "a" / "text.jpg").write_text("this is no image")
    (tmp_path / "a" / "zero.jpg").touch()
    (tmp_path / "b" / "half.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    text = refused(tmp_path)
    assert "3 of 9 files" in text and "a/text.jpg (not an image (it is text))" in text
    assert "a/zero.jpg (empty file)" in text and "b/half.png" in text


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_truncated_files_are_named(tmp_path: Path, cut: float, own_cache: Path) -> None:
    classes_of(tmp_path, size=(200, 200))
    classes_of(tmp_path, size=(200, 200), kind="png")
    for name in ("a/0.jpg", "b/1.png"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: int(len(data) * cut)])
    text = refused(tmp_path)
    assert "2 of 12 files" in text and "a/0.jpg" in text and "b/1.png" in text
    assert not [p for p in (own_cache / "images").iterdir() if p.suffix != ".lock"], "nothing half-written stays"


def test_at_most_ten_files_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    classes_of(tmp_path)
    for i in range(25):
        (tmp_path / "a" / f"bad{i:02}.jpg").touch()
    text = refused(tmp_path)
    assert "bad09" in text and "bad10" not in text and "and 15 more" in text


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [12000, 40000])
def test_huge_images_are_refused_by_their_header(tmp_path: Path, side: int) -> None:
    classes_of(tmp_path)
    (tmp_path / "a" / "huge.png").write_bytes(png_header(side, side))
    assert f"{side}×{side} pixels are more than 64 million" in refused(tmp_path)


def test_a_huge_tiff_or_jpeg_is_refused_too(tmp_path: Path) -> None:
    classes_of(tmp_path)
    Image.new("1", (9000, 9000)).save(tmp_path / "a" / "huge.tif", compression="group4")
    jpeg = io.BytesIO()
    picture(0).save(jpeg, "JPEG")
    data = bytearray(jpeg.getvalue())
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)
    (tmp_path / "a" / "huge.jpg").write_bytes(data)
    text = refused(tmp_path)
    assert "60000×60000" in text and "9000×9000" in text


def test_unusual_pixels_are_converted_and_told(tmp_path: Path) -> None:
    classes_of(tmp_path, size=(24, 20))
    picture(1, mode="CMYK").save(tmp_path / "a" / "cmyk.jpg")
    picture(2).quantize(16).save(tmp_path / "a" / "palette.png")
    wide = np.tile(np.linspace(0, 65535, 24).astype(np.uint16), (20, 1))
    Image.fromarray(wide).save(tmp_path / "a" / "wide.png")
    clear = Image.new("RGBA", (24, 20), (255, 0, 0, 0))
    clear.save(tmp_path / "a" / "clear.png")
    source = open_data(tmp_path, DATA)
    told = " ".join(source.assumed.values())
    for word in ("CMYK", "palette", "16 bits", "transparency"):
        assert word in told
    row = {name: source.x[i].numpy() for i, name in enumerate(source.ids or ())}
    assert (row["a/clear.png"] == 255).all(), "what is transparent is white"
    assert np.array_equal(row["a/wide.png"][:, :, 0], (wide // 257).astype(np.uint8))
    assert np.array_equal(row["a/palette.png"], np.asarray(Image.open(tmp_path / "a/palette.png").convert("RGB")))
    assert np.array_equal(row["a/cmyk.jpg"], np.asarray(Image.open(tmp_path / "a/cmyk.jpg").convert("RGB")))


def test_exif_turns_are_applied_and_told(tmp_path: Path) -> None:
    upright = Image.fromarray(np.repeat(np.arange(24, dtype=np.uint8)[None, :] * 10, 20, 0))
    turns = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what undoes the orientation, as Pillow transposes
    for turn, how in turns.items():
        for c in "ab":
            (tmp_path / c).mkdir(exist_ok=True)
            exif = Image.Exif()
            exif[0x0112] = turn
            stored = upright if how is None else upright.transpose(Image.Transpose(how))
            stored.save(tmp_path / c / f"{turn}.png", exif=exif)
    source = open_data(tmp_path, DATA)
    assert source.x.shape == (16, 20, 24, 1) and "14 turned upright" in " ".join(source.assumed.values())
    for row in source.x.numpy():
        assert np.array_equal(row[..., 0], np.asarray(upright))


def test_exif_in_a_jpeg_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for c in "ab":
        classes_of(tmp_path, classes=c, size=(20, 24))
        picture(9, (24, 20)).save(tmp_path / c / "turned.jpg", exif=exif)
    source = open_data(tmp_path, DATA)
    stored = Image.open(tmp_path / "a" / "turned.jpg")
    row = list(source.ids or ()).index("a/turned.jpg")
    assert np.array_equal(source.x[row].numpy(), np.asarray(stored.transpose(Image.Transpose.ROTATE_270)))


def test_grey_stays_grey_unless_there_is_colour(tmp_path: Path) -> None:
    classes_of(tmp_path / "grey", mode="L")
    assert open_data(tmp_path / "grey", DATA).x.shape == (6, 20, 24, 1)
    picture(3).save(tmp_path / "grey" / "a" / "colour.jpg")
    mixed = open_data(tmp_path / "grey", DATA)
    assert mixed.x.shape == (7, 20, 24, 3) and "6 of 7 are grey" in mixed.assumed["grey images"]
    assert (mixed.x[0, ..., 0] == mixed.x[0, ..., 2]).all()


def test_sizes_that_differ_are_brought_to_one_square(tmp_path: Path) -> None:
    classes_of(tmp_path, classes="a", size=(40, 30))
    classes_of(tmp_path, classes="b", size=(90, 120))
    source = open_data(tmp_path, DATA)
    assert source.x.shape == (6, 60, 60, 3) and "60×60" in source.assumed["images"]
    asked = open_data(tmp_path, recipe.Data(image_size=16))
    assert asked.x.shape == (6, 16, 16, 3) and "as asked" in asked.assumed["images"]
    square = Image.open(tmp_path / "a/0.jpg").resize((16, 16), Image.Resampling.BICUBIC, (5, 0, 35, 30))
    assert np.abs(asked.x[0].numpy().astype(int) - np.asarray(square).astype(int)).mean() < 3


def test_large_images_of_one_size_are_reduced_unless_asked(tmp_path: Path) -> None:
    classes_of(tmp_path, size=(300, 300))
    assert open_data(tmp_path, DATA).x.shape == (6, 64, 64, 3)
    assert open_data(tmp_path, recipe.Data(image_size=300)).x.shape == (6, 300, 300, 3)


def test_jpeg_pixels_equal_pillows_for_all_samplings(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(24):
        width, height = (int(side) for side in rng.integers(1, 70, 2))
        image = picture(number, (width, height), "L" if number % 4 == 3 else "RGB")
        data = io.BytesIO()
        image.save(
            data, "JPEG", subsampling=number % 3, progressive=number % 2 == 0, quality=int(rng.integers(20, 100))
        )
        h, w, channels, flags = probe(data.getvalue())
        assert (h, w, flags) == (height, width, FAST)
        out = np.empty((h, w, channels), np.uint8)
        assert decode(data.getvalue(), flags, out) == FAST
        assert np.array_equal(out.squeeze(), np.asarray(Image.open(data)).squeeze())


def test_damage_that_pillow_forgives_is_a_warning(tmp_path: Path) -> None:
    classes_of(tmp_path, size=(200, 200))
    name = tmp_path / "a" / "0.jpg"
    data = bytearray(name.read_bytes())
    start = data.find(b"\xff\xda") + 40
    data[start : start + 6] = b"\x13\x37\xff\xd0\x99\x42"
    name.write_bytes(data)
    source = open_data(tmp_path, DATA)
    assert any("damaged" in w and "a/0.jpg" in w for w in source.warnings)
    assert open_data(tmp_path, DATA).warnings == source.warnings, "told again from the cache"


def test_the_same_image_in_two_parts_is_a_warning_with_the_pair(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for c in "ab":
            folder_of(
                tmp_path, [f"{part}/{c}/{i}" for i in range(3)], size=(20 + (part == "test") * 2, 20 + (c == "a"))
            )
    (tmp_path / "test/a/same.jpg").write_bytes((tmp_path / "train/a/1.jpg").read_bytes())
    warnings = open_data(tmp_path, DATA).warnings
    assert any("two parts" in w and "train/a/1.jpg = test/a/same.jpg" in w for w in warnings)
    (tmp_path / "train/b/same.jpg").write_bytes((tmp_path / "train/a/2.jpg").read_bytes())
    assert any(
        "two labels" in w and "train/a/2.jpg = train/b/same.jpg" in w for w in open_data(tmp_path, DATA).warnings
    )


def test_other_files_are_skipped_and_told(tmp_path: Path) -> None:
    classes_of(tmp_path)
    for name in ("a/Thumbs.db", "b/.DS_Store", "a/.hidden.jpg", "readme.txt"):
        (tmp_path / name).write_text("x")
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    source = open_data(tmp_path, DATA)
    assert source.rows == 6 and "1 .db" in source.assumed["skipped"] and "2 hidden" in source.assumed["skipped"]
    assert "1 special" in source.assumed["skipped"]


@pytest.mark.parametrize("kind", ["loop", "outside", "dangling", "file"])
def test_links_out_of_the_tree_and_loops_are_refused(tmp_path: Path, kind: str) -> None:
    root = classes_of(tmp_path / "set")
    picture(5).save(tmp_path / "other.jpg")
    target = {"loop": root, "outside": tmp_path, "dangling": tmp_path / "nothing", "file": tmp_path / "other.jpg"}[kind]
    (root / "a" / ("link.jpg" if kind == "file" else "link")).symlink_to(target)
    assert "the link leads to" in refused(root)


def test_links_inside_the_tree_and_a_link_to_the_set_are_followed(tmp_path: Path) -> None:
    root = classes_of(tmp_path / "set")
    (root / "a" / "twin.jpg").symlink_to(root / "a" / "0.jpg")
    (tmp_path / "shortcut").symlink_to(root)
    assert open_data(tmp_path / "shortcut", DATA).rows == 7


def test_weird_names_work(tmp_path: Path) -> None:
    classes_of(tmp_path)
    for name in (b"new\nline.jpg", b"caf\xe9.jpg", b"n" * 251 + b".jpg", b"<img onerror=x>.jpg"):
        with open(os.path.join(os.fsencode(tmp_path), b"a", name), "wb") as file:  # noqa: PTH118, PTH123
            file.write((tmp_path / "a/0.jpg").read_bytes())
    (tmp_path / "<b>class").mkdir()
    classes_of(tmp_path, classes="c")
    source = open_data(tmp_path, DATA)
    assert source.rows == 13 and "a/new\nline.jpg" in (source.ids or ())
    assert open_data(tmp_path, DATA).fingerprint == source.fingerprint
    assert all("\n" not in w for w in source.warnings)
    with open(os.path.join(os.fsencode(tmp_path), b"b", b"bad\xff\n.jpg"), "wb"):  # noqa: PTH118, PTH123
        pass
    assert "bad\\udcff" in refused(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_are_named(tmp_path: Path) -> None:
    classes_of(tmp_path)
    (tmp_path / "a" / "0.jpg").chmod(0)
    assert "a/0.jpg (Permission denied)" in refused(tmp_path)


def test_the_second_opening_does_not_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SETTLED_NS", 0)
    first = open_data(classes_of(tmp_path), DATA)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(images, "probe_all", never)
    second = open_data(tmp_path, DATA)
    assert second.fingerprint == first.fingerprint and (second.x == first.x).all() and second.ids == first.ids
    assert second.assumed == first.assumed


def test_a_moved_folder_is_hashed_but_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_data(classes_of(tmp_path / "one"), DATA)
    (tmp_path / "one").rename(tmp_path / "two")
    monkeypatch.setattr(images, "decode_all", None)
    assert open_data(tmp_path / "two", DATA).fingerprint == first.fingerprint


def test_a_changed_file_of_the_same_size_and_time_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SETTLED_NS", 0)
    for c in "ab":
        (tmp_path / c).mkdir()
        for i in range(3):
            Image.new("L", (8, 8), 10 * i + (c == "b")).save(tmp_path / c / f"{i}.bmp")
    first = open_data(tmp_path, DATA)
    name = tmp_path / "a" / "0.bmp"
    before = name.stat()
    Image.new("L", (8, 8), 200).save(name)
    os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert name.stat().st_size == before.st_size
    second = open_data(tmp_path, DATA)
    assert (second.x[0] == 200).all() and second.fingerprint != first.fingerprint


def test_what_is_young_is_not_remembered(tmp_path: Path, own_cache: Path) -> None:
    open_data(classes_of(tmp_path), DATA)
    assert not (own_cache / "seen").exists()


@pytest.mark.parametrize("harm", ["flip", "cut", "no json", "bad json"])
def test_a_damaged_cache_is_written_anew(tmp_path: Path, own_cache: Path, harm: str) -> None:
    first = open_data(classes_of(tmp_path), DATA)
    pixels = next((own_cache / "images").glob("*.pixels"))
    if harm == "flip":
        data = bytearray(pixels.read_bytes())
        data[100] ^= 1
        pixels.unlink()
        pixels.write_bytes(data)
    elif harm == "cut":
        whole = pixels.read_bytes()
        pixels.unlink()
        pixels.write_bytes(whole[:-1])
    else:
        pixels.with_suffix(".json").write_text("" if harm == "bad json" else "{}")
    assert (open_data(tmp_path, DATA).x == first.x).all()


def test_training_on_the_tensor_never_changes_the_cache(tmp_path: Path, own_cache: Path) -> None:
    source = open_data(classes_of(tmp_path), DATA)
    pixels = next((own_cache / "images").glob("*.pixels"))
    before = pixels.read_bytes()
    source.x.zero_()
    assert pixels.read_bytes() == before


def test_the_limit_is_checked_before_decoding_with_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes_of(tmp_path, size=(100, 100))
    monkeypatch.setattr(images, "decode_all", None)
    text = refused(tmp_path, recipe.Data(cache_limit=1e-5))
    assert "180.0 kB" in text and "10.7 kB" in text and "data.cache_limit" in text


def test_a_full_disk_is_told_with_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_free", lambda folder: 1000)
    text = refused(classes_of(tmp_path, size=(100, 100)))
    assert "1.0 kB free" in text and "180.0 kB" in text


def test_the_sets_unused_for_longest_make_room(tmp_path: Path, own_cache: Path) -> None:
    section = recipe.Data(cache_limit=20_000 / 2**30)
    for name, count in (("one", 3), ("two", 4), ("three", 5)):
        open_data(classes_of(tmp_path / name, count=count), section)
        time.sleep(0.02)
    sizes = sorted(p.stat().st_size for p in (own_cache / "images").glob("*.pixels"))
    assert sizes == [20 * 24 * 3 * 10], "two sets would pass 20 kB"


def test_files_of_dead_writers_are_removed(tmp_path: Path, own_cache: Path) -> None:
    (own_cache / "images").mkdir()
    (own_cache / "images" / "dead.part").write_bytes(b"x")
    open_data(classes_of(tmp_path), DATA)
    assert not list((own_cache / "images").glob("*.part"))


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DRESSAGE_CACHE", str(tmp_path / "file"))
    assert "DRESSAGE_CACHE" in refused(classes_of(tmp_path / "set"))


def _open_and_send(path: Path, sender: object) -> None:
    sender.put(open_data(path, DATA).fingerprint)  # type: ignore[attr-defined]


def test_two_processes_at_once_agree(tmp_path: Path) -> None:
    classes_of(tmp_path, count=40)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_open_and_send, args=(tmp_path, queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    found = {queue.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join()
    assert found == {open_data(tmp_path, DATA).fingerprint}


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_usable_cache(tmp_path: Path, own_cache: Path) -> None:
    classes_of(tmp_path, count=400, size=(64, 64))
    code = (
        "import sys, pathlib; from dressage import recipe; from dressage.data.open import open_data;"
        "print('ready', flush=True); open_data(pathlib.Path(sys.argv[1]), recipe.Data())"
    )
    rng = random.Random(0)
    for _ in range(6):
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(rng.random() * 0.25)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    source = open_data(tmp_path, DATA)
    assert np.array_equal(source.x[7].numpy(), np.asarray(Image.open(tmp_path / (source.ids or ())[7])))
    assert not list((own_cache / "images").glob("*.part"))


def test_a_file_that_changes_while_it_is_decoded_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes_of(tmp_path)
    real = images.probe_all

    def then_change(*args: object) -> image_pass.Probed:
        probed = real(*args)  # type: ignore[arg-type]
        data = (tmp_path / "a/0.jpg").read_bytes()
        (tmp_path / "a/0.jpg").write_bytes(data[:-3] + b"\0" + data[-2:])
        return probed

    monkeypatch.setattr(images, "probe_all", then_change)
    assert "a/0.jpg (changed while it was read)" in refused(tmp_path)


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    open_data(classes_of(tmp_path), DATA, progress=lambda *args: calls.append(args))
    assert calls == [("reading images", 6, 6), ("decoding images", 6, 6)]


def csv_set(root: Path, header: str = "file,label,split") -> Path:
    classes_of(root / "pictures", classes="ab", count=4)
    rows = [f"pictures/{c}/{i}.jpg,{c},{'test' if i == 3 else 'train'}" for c in "ba" for i in range(4)]
    (root / "list.csv").write_text("\n".join([header, *rows]) + "\n")
    return root / "list.csv"


def test_a_csv_of_paths_and_labels(tmp_path: Path) -> None:
    source = open_data(csv_set(tmp_path), DATA)
    assert source.kind == "images" and source.classes == ("a", "b") and source.y.tolist() == [1] * 4 + [0] * 4
    assert {k: v.tolist() for k, v in source.given.items()} == {"train": [0, 1, 2, 4, 5, 6], "test": [3, 7]}
    assert open_data(tmp_path, DATA).fingerprint == source.fingerprint, "the folder with the one CSV is the same set"


def test_a_csv_whose_label_must_be_named(tmp_path: Path) -> None:
    path = csv_set(tmp_path, "file,animal,colour")
    assert "name it with --target" in refused(path)
    assert open_data(path, recipe.Data(target="animal")).classes == ("a", "b")
    assert "did you mean 'animal'" in refused(path, recipe.Data(target="anima"))
    assert open_data(path, recipe.Data(target="animal", group="colour")).group is not None


def test_a_csv_with_numbers_is_a_regression(tmp_path: Path) -> None:
    classes_of(tmp_path / "p", count=3)
    (tmp_path / "l.csv").write_text(
        "age;path\n" + "".join(f"{i + 0.5};p/{c}/{i}.jpg\n" for c in "ab" for i in range(3))
    )
    source = open_data(tmp_path / "l.csv", DATA)
    assert source.task == "regression" and source.y.tolist() == [0.5, 1.5, 2.5] * 2


@pytest.mark.parametrize("name", ["pictures/a/gone.jpg", "../outside.jpg"])
def test_a_csv_that_names_missing_or_outside_files_is_refused(tmp_path: Path, name: str) -> None:
    path = csv_set(tmp_path / "set")
    picture(0).save(tmp_path / "outside.jpg")
    path.write_text(path.read_text() + f"{name},a,train\n")
    assert "1 of 9 paths cannot be used" in refused(path)


def test_cifar10_from_its_folder(shared_data: Path) -> None:
    folder = os.environ.get("DRESSAGE_TEST_CIFAR10")
    if not folder:
        pytest.skip("set DRESSAGE_TEST_CIFAR10 to the unpacked folder")
    source = open_data(folder, DATA)
    assert source.x.shape == (60000, 32, 32, 3) and len(source.given["test"]) == 10000

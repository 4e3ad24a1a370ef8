"""From the bytes of an image file to its pixels: by simplejpeg where it gives Pillow's very bits, else by Pillow."""

from __future__ import annotations

import io
import struct

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

LARGEST_PIXELS = 64_000_000
"""Larger images are refused by their header: 64 megapixels take 192 MB while they are decoded."""
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""What Pillow may try (MPO comes as JPEG); other readers start outside programs or seldom meet hostile files."""
FAST, TURNED, ALPHA, PALETTE, CMYK, DEEP, FRAMES, DAMAGED = (1 << bit for bit in range(8))
TOLD = {
    TURNED: "turned upright by their EXIF orientation",
    ALPHA: "with transparency, laid on white",
    PALETTE: "with a palette, converted to RGB",
    CMYK: "in CMYK, converted to RGB",
    DEEP: "with 16 bits a channel, brought to 8",
    FRAMES: "with several frames, the first one taken",
    DAMAGED: "with damaged bytes that could be decoded all the same: look at them",
}
"""What is told of an image for each flag but FAST, which marks a JPEG that simplejpeg decodes."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")


class Unreadable(Exception):
    """Why one file gives no image; `dressage.data.images` collects them into one DataError."""


def probe(data: bytes) -> tuple[int, int, int, int]:
    """Height, width (upright), channels (1 or 3) and flags of an image from its header. Raises Unreadable."""
    if data[:2] == b"\xff\xd8" and data.find(b"Exif\0\0", 0, 65536) < 0:
        try:
            height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        except ValueError:
            colours = ""  # Pillow knows more kinds of JPEG, and says what is wrong.
        if colours in ("YCbCr", "Gray"):
            _check_pixels(width, height)
            return height, width, 1 if colours == "Gray" else 3, FAST
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        _check_pixels(*struct.unpack(">II", data[16:24]))
    with _opened(data) as image:
        _check_pixels(*image.size)
        return _describe(image)


def decode(data: bytes, flags: int, out: np.ndarray) -> int:
    """Fills `out (H, W, 1 or 3)` uint8 with an image of that size; the flags, maybe with DAMAGED. Raises Unreadable."""
    if flags & FAST:
        try:
            pixels = simplejpeg.decode_jpeg(data, "GRAY" if out.shape[2] == 1 else "RGB", buffer=out)
            if pixels.shape == out.shape:
                return flags
        except ValueError:
            flags |= DAMAGED  # Pillow decides: it forgives some damage and names the rest.
    with _opened(data) as image:
        _fill(out, _upright(image, out.shape[2]))
    return flags


def decode_square(data: bytes, flags: int, out: np.ndarray) -> int:
    """As `decode`, with the image's central square brought to `out (S, S, 1 or 3)` by bicubic resampling."""
    side = len(out)
    with _opened(data) as image:
        short = min(image.size)
        # A JPEG is decoded at a half, a quarter or an eighth of its size where twice the wanted side is left.
        image.draft(None, (2 * side * image.width // short, 2 * side * image.height // short))
        upright = _upright(image, out.shape[2])
        short = min(upright.size)
        left, top = (upright.width - short) / 2, (upright.height - short) / 2
        box = (left, top, left + short, top + short)
        _fill(out, upright.resize((side, side), Image.Resampling.BICUBIC, box, reducing_gap=3.0))
    return flags


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # A hostile header can raise anything in Pillow's readers.
        raise Unreadable(_reason(data, error)) from None


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "empty file"
    if isinstance(error, UnidentifiedImageError):
        return "not an image" + (" (it is text)" if data[:256].isascii() else "")
    return str(error)[:120] or type(error).__name__


def _check_pixels(width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS:
        raise Unreadable(f"{width}×{height} pixels are more than {LARGEST_PIXELS // 1_000_000} million")
    if width < 1 or height < 1:
        raise Unreadable(f"{width}×{height} pixels")


def _describe(image: Image.Image) -> tuple[int, int, int, int]:
    mode, (width, height) = image.mode, image.size
    turn = _orientation(image)
    flags = TURNED if turn in _TURNS else 0
    flags |= ALPHA if mode in _ALPHA_MODES or "transparency" in image.info else 0
    flags |= PALETTE if mode in ("P", "PA") else 0
    flags |= CMYK if mode == "CMYK" else 0
    deep = any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))
    flags |= DEEP if deep or mode.startswith("I") else 0
    flags |= FRAMES if getattr(image, "is_animated", False) and image.format != "MPO" else 0
    if mode == "F":
        raise Unreadable("floating-point pixels")
    if turn >= 5:
        width, height = height, width
    return height, width, 1 if mode in ("1", "L", "LA", "La") or mode.startswith("I") else 3, flags


def _orientation(image: Image.Image) -> int:
    # Asking a PNG without the chunk for its EXIF would decode the whole image.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        turn = image.getexif().get(0x0112, 1)
    except Exception:  # EXIF is a side matter: nonsense there does not make the pixels unreadable.
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _upright(image: Image.Image, channels: int) -> Image.Image:
    """The image turned upright, in 8-bit grey (1 channel) or RGB (3)."""
    turn = _orientation(image)
    try:
        image.load()
        plain = _plain(image, "L" if channels == 1 else "RGB")
    except Unreadable:
        raise
    except Exception as error:  # As at opening: hostile data.
        raise Unreadable(str(error)[:120] or type(error).__name__) from None
    return plain.transpose(_TURNS[turn]) if turn in _TURNS else plain


def _plain(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise Unreadable("32-bit pixels")
        return Image.fromarray((values // 257).astype(np.uint8)).convert(mode)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, colours).convert("RGB").convert(mode)
    return image if image.mode == mode else image.convert("RGB").convert(mode)


def _fill(out: np.ndarray, image: Image.Image) -> None:
    pixels = np.asarray(image)
    if pixels.shape[:2] != out.shape[:2]:
        raise Unreadable(f"changed while it was read: {pixels.shape[1]}×{pixels.shape[0]} pixels")
    out[...] = pixels.reshape(out.shape)

"""`dressage preview DATA`."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dressage.cli.options import with_recipe
from dressage.cli.output import Output, cell, short
from dressage.errors import UsageError
from dressage.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont, ImageFont
    from torch import Tensor

    Font = FreeTypeFont | ImageFont
    ShowProgress = Callable[[str, int, int], None]

TILE, GAP, MARGIN, LINE = (
    96,
    4,
    16,
    24,
)  # pixels: a picture's longer side about, between pictures, around all, a line of text
PAPER, INK, FAINT = (255, 255, 255), (28, 33, 38), (110, 117, 125)
MOST = 64  # pictures in a row, and versions of each


@with_recipe
def preview(
    data: str,
    /,
    *,
    out: Path = Path("preview.png"),
    images: int = 10,
    versions: int = 5,
    recipe: Recipe,
    output: Output | None = None,
) -> None:
    """Draw what augmentation makes of the data: a row of originals, and below it versions as training would see them.

    For example:
      dressage preview flowers/ --augment "randaugment(n=2,m=9),horizontal_flip"
      dressage preview digits --augment "gaussian_noise(sd=0.3)" --versions 3 --out noisy.png

    Parameters
    ----------
    data
        As for `dressage train`: a folder, a file or a named set; rows of numbers are drawn as squares of greys.
    out
        PNG file, written whole or not at all.
    images
        Samples that are shown, of as many classes as there are.
    versions
        Versions of each: those of the first epochs of a training with this seed.
    """
    for option, value in (("--images", images), ("--versions", versions)):
        if not 1 <= value <= MOST:
            raise UsageError.of(option, f"{value} given", f"expected 1 to {MOST}", f"e.g. {option} 5")
    if out.suffix.lower() != ".png":
        raise UsageError.of(short(out), "is no .png name", "pictures are drawn as PNG", "give a name that ends in .png")
    from dressage.cli.progress import Progress
    from dressage.files import write_atomic

    output = output or Output()
    with Progress(output) as progress:
        shown = _shown(data, recipe, images, versions, progress.opening)
    write_atomic(out, sheet(shown.title, shown.names, ["original", *shown.sides], shown.pictures))
    lines = [f"{cell(shown.title, 600)}  ({cell(shown.why, 200)})", f"written: {short(out)}"]
    about = {"picture": str(out), "augment": shown.augment, "rows": shown.rows, "versions": versions}
    output.result(about, lines)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn, and what is said of it."""

    title: str
    why: str
    augment: Sequence[str]
    rows: Sequence[int]
    names: Sequence[str]
    """What each sample is: its class or target."""
    sides: Sequence[str]
    pictures: NDArray[Any]
    """`(1 + versions, images, H, W, 3)` uint8, the originals first."""


def _shown(data: str, recipe: Recipe, images: int, versions: int, opening: ShowProgress) -> Shown:
    import torch

    from dressage.augment import Batch, Draw, planned
    from dressage.prepare import facts_of, make_parts, opened, start_of
    from dressage.resolve import check_names, resolve
    from dressage.transfer import preprocess_for

    check_names(recipe)
    start = start_of(recipe)
    source, parts = opened(data, recipe, start=start, progress=opening)
    resolved = resolve(recipe, facts_of(source, parts, recipe), start=start)
    written, seed = resolved.recipe.augment, resolved.recipe.seed
    part = make_parts(source, parts, preprocess_for(source, parts["train"], resolved))["train"]
    rows = _chosen(part.rows, source.y if source.classes else source.y.double(), images, seed)
    steps = planned(written, len(source.classes), seed)
    made = [part.x[rows]]
    for epoch in range(versions):
        batch = Batch(part.x[rows], part.y[rows], rows)
        for own, step in steps:
            batch = step(batch, Draw(own, epoch, 0, rows))
        made.append(batch.x.to(torch.float32))
    reason, targets = resolved.reasons["augment"], source.y[rows].reshape(len(rows), -1)[:, 0].tolist()
    return Shown(
        title=f"{Path(source.name).name}: {', '.join(written) or 'nothing is changed'}",
        why=f"{reason.origin}: {reason.why}",
        augment=written,
        rows=rows.tolist(),
        names=[source.classes[int(y)] if source.classes else f"{y:.4g}" for y in targets],
        sides=[f"epoch {i + 1}" for i in range(versions)],
        pictures=_pixels(torch.stack([made[0].to(torch.float32), *made[1:]])),
    )


def _chosen(rows: Tensor, y: Tensor, count: int, seed: int) -> Tensor:
    """Rows at random, of each class in turn."""
    import torch

    from dressage.augment import key

    mixed = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(key(seed, "preview")))]
    if y.is_floating_point() or y.ndim > 1:
        return mixed[:count]
    of = [mixed[y[mixed] == c] for c in torch.unique(y[mixed])]
    turns = sorted((turn, c) for c, some in enumerate(of) for turn in range(min(len(some), count)))
    return torch.stack([of[c][turn] for turn, c in turns[:count]])


def _pixels(x: Tensor) -> NDArray[Any]:
    """`(K, N, H, W, 3)` uint8 of images `(K, N, H, W, C)` on 0..255; other samples as squares, their range as greys."""
    import torch

    if x.ndim != 5:
        flat = x.flatten(2)
        side = math.ceil(math.sqrt(flat.shape[2]))
        low, high = flat[0].min(), flat[0].max()
        flat = (flat - low) * (255 / (high - low).clamp(min=1e-30))
        x = torch.nn.functional.pad(flat, (0, side * side - flat.shape[2]), value=255).view(*x.shape[:2], side, side, 1)
    levels = x.clamp(0, 255).add(0.5).to(torch.uint8)
    colours = levels[..., :3] if levels.shape[-1] >= 3 else levels[..., :1].expand(*levels.shape[:-1], 3)
    found: NDArray[Any] = colours.numpy()
    return found


def sheet(title: str, names: Sequence[str], sides: Sequence[str], pictures: NDArray[Any]) -> bytes:
    """A PNG of rows of pictures `(K, N, H, W, 3)` uint8: `sides` to the left of the rows, `names` above the columns."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = pictures.shape[2:4]
    grow = max(1, round(TILE / max(height, width)))  # whole pixels, so that each can be seen
    shrink = min(1.0, 2 * TILE / max(height, width))
    down, across = max(1, round(height * grow * shrink)), max(1, round(width * grow * shrink))
    font = ImageFont.load_default(14)
    left = MARGIN + round(max(font.getlength(side) for side in sides)) + 2 * GAP
    wide = left + len(names) * (across + GAP) - GAP + MARGIN
    lines = _wrapped(title, font, wide - 2 * MARGIN)
    top = MARGIN + LINE * (len(lines) + 1)
    paper = Image.new("RGB", (wide, top + len(sides) * (down + GAP) - GAP + GAP * 2 + MARGIN), PAPER)
    pen = ImageDraw.Draw(paper)
    for i, line in enumerate(lines):
        pen.text((MARGIN, MARGIN + i * LINE), line, INK, font)
    for column, name in enumerate(names):
        pen.text((left + column * (across + GAP), top - LINE), _cut(name, font, across), FAINT, font)
    for row, side in enumerate(sides):
        y = top + row * (down + GAP) + (2 * GAP if row else 0)  # the originals stand apart
        pen.text((MARGIN, y + down // 2), side, FAINT, font, anchor="lm")
        for column in range(len(names)):
            picture = Image.fromarray(pictures[row, column])
            how = Image.Resampling.NEAREST if shrink == 1 else Image.Resampling.LANCZOS
            paper.paste(picture.resize((across, down), how), (left + column * (across + GAP), y))
    file = io.BytesIO()
    paper.save(file, "PNG", optimize=True)
    return file.getvalue()


def _cut(text: str, font: Font, room: int) -> str:
    while text and font.getlength(text) > room:
        text = text[:-2] + "…" if len(text) > 2 else ""
    return text


def _wrapped(text: str, font: Font, room: int) -> list[str]:
    """The text in lines that fit, broken at blanks."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_cut(line, font, room) for line in lines]

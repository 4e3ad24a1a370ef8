"""Time of a step, as a ratio to a loop written by hand, interleaved in one run: median of the ratios of 7 rounds.

    python benchmarks/step.py [W1 W3 resnet]

The hand-written loop: in-memory tensors, a batch by index, torch's default AdamW, `zero_grad`, `backward`, `step`.
scikit-learn's MLPClassifier runs beside the two MLPs: one `partial_fit` over the rows of all steps, Adam, the same sizes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import StepEvent, fit, make_plan, new_state
from dressage.fit.speed import in_format
from dressage.models import build_model
from dressage.recipe import Recipe

ROUNDS = 7
SIZES = {"W1": ((784,), 256, 128, 20_000), "W3": ((64,), 50, 32, 1_797)}
Advance = Callable[[int], None]


def data(shape: tuple[int, ...], rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, *shape, generator=generator), torch.randint(0, 10, (rows,), generator=generator)


def by_hand(model: nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int) -> Advance:
    """The loop that one would write."""
    optimizer, loss_of = torch.optim.AdamW(model.parameters()), nn.CrossEntropyLoss()

    def rows() -> Iterator[torch.Tensor]:
        while True:
            order = torch.randperm(len(x))
            yield from (order[i : i + batch] for i in range(0, len(x) - batch + 1, batch))

    source = rows()

    def advance(steps: int) -> None:
        for _ in range(steps):
            index = next(source)
            optimizer.zero_grad()
            loss = loss_of(model(x[index]), y[index])
            loss.backward()
            optimizer.step()

    return advance


def by_dressage(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, batch: int, flat: bool = True, **train: object
) -> Advance:
    """`fit`, with its events consumed."""
    recipe = Recipe.model_validate(
        {
            "train": {"epochs": 100_000, "batch_size": batch, **train},
            "schedule": {"name": "constant"},
            "watch": {"nonfinite": "stop"},
        }
    )
    cast: Callable[[torch.Tensor], torch.Tensor] = lambda t: t  # noqa: E731
    if x.dim() == 4:  # rows lie as height, width, channels, as they do in dressage's own cache
        x = x.permute(0, 2, 3, 1).contiguous()
        cast = lambda t: t.permute(0, 3, 1, 2)  # noqa: E731
    batches = Batches(Part("train", x, y, torch.arange(len(x))), batch, 0)
    state = new_state(in_format(model, recipe.train.memory_format), recipe, flat=flat)
    plan = make_plan(recipe, batches.steps_per_epoch, 10, cast)
    events = fit(state, batches, plan)

    def advance(steps: int) -> None:
        while steps:
            steps -= isinstance(next(events), StepEvent)

    return advance


def by_sklearn(x: torch.Tensor, y: torch.Tensor, width: int, batch: int) -> Advance:
    """scikit-learn's own MLP."""
    from sklearn.neural_network import MLPClassifier

    net = MLPClassifier((width,), batch_size=batch)
    xs, ys = x.double().numpy(), y.numpy()
    net.partial_fit(xs[: 10 * batch], ys[: 10 * batch], classes=np.arange(10))

    def advance(steps: int) -> None:
        index = np.random.randint(0, len(xs), batch * steps)
        net.partial_fit(xs[index], ys[index])  # one pass over these rows, in minibatches

    return advance


def compare(ways: dict[str, Advance], steps: int) -> dict[str, dict[str, float]]:
    """Microseconds a step and the ratio to the first way, medians over interleaved rounds."""
    for way in ways.values():
        way(max(5, steps // 3))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            way(steps)
            times[name].append((time.perf_counter() - start) / steps * 1e6)
    first = times[next(iter(ways))]
    return {
        name: {
            "us": statistics.median(spent),
            "ratio": statistics.median(a / b for a, b in zip(spent, first, strict=True)),
            "low": min(a / b for a, b in zip(spent, first, strict=True)),
            "high": max(a / b for a, b in zip(spent, first, strict=True)),
        }
        for name, spent in times.items()
    }


def mlp(name: str) -> dict[str, dict[str, float]]:
    """W1 or W3."""
    shape, width, batch, rows = SIZES[name]
    x, y = data(shape, rows)
    section = Recipe.model_validate({"model": {"width": width, "depth": 1}}).model
    build = lambda: build_model(section, shape, 10, 0.0)  # noqa: E731
    ways = {
        "by hand": by_hand(build(), x, y, batch),
        "dressage": by_dressage(build(), x, y, batch),
        "dressage, own module": by_dressage(build(), x, y, batch, flat=False),
        "scikit-learn": by_sklearn(x, y, width, batch),
    }
    return compare(ways, 200 if name == "W1" else 1000)


def resnet() -> dict[str, dict[str, float]]:
    """A small resnet on 32 x 32 colour images, batch 128."""
    x, y = data((3, 32, 32), 1024)
    section = Recipe.model_validate({"model": {"name": "resnet", "width": 16, "depth": 1, "norm": "batch"}}).model
    build = lambda: build_model(section, (3, 32, 32), 10, 0.0)  # noqa: E731
    ways = {
        "by hand": by_hand(build(), x, y, 128),
        "dressage float32": by_dressage(build(), x, y, 128, precision="float32", memory_format="channels_last"),
        "dressage bf16": by_dressage(build(), x, y, 128, precision="bf16", memory_format="channels_last"),
    }
    return compare(ways, 10)


def main() -> None:
    """Prints a table and, with --json, one object a network."""
    names = [a for a in sys.argv[1:] if not a.startswith("-")] or ["W1", "W3", "resnet"]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {ROUNDS} interleaved rounds")
    for name in names:
        rows = resnet() if name == "resnet" else mlp(name)
        for way, r in rows.items():
            print(f"{name:<8}{way:<24}{r['us']:>12.1f} us{r['ratio']:>8.3f}  ({r['low']:.3f} to {r['high']:.3f})")
        if "--json" in sys.argv:
            print(json.dumps({name: rows}))


if __name__ == "__main__":
    main()

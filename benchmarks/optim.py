"""Time of an optimiser's step as a ratio, interleaved in one run: median, lowest and highest of the rounds.

    python benchmarks/optim.py [update sam] [--rounds 21] [--threads 1] [--json]

`update`: `optimizer.step()` of lamb and lars on 25 million parameters in about 160 tensors, to torch's default AdamW; in the
tensors of a ResNet-50, and in 160 equal ones. torch's fused AdamW is the floor to look at.
`sam`: a whole step of sam, gradients and all, to the same step of its base: two gradients are the floor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dressage.augment.batch import Batch
from dressage.fit import make_plan, new_state, take_step
from dressage.models import build_model
from dressage.optim import catalogue, decay_groups
from dressage.recipe import Optim, Recipe

Ways = dict[str, Callable[[], object]]


def resnet50() -> list[tuple[int, ...]]:
    """Shapes of its 161 tensors, 25.6 million parameters."""
    shapes: list[tuple[int, ...]] = [(64, 3, 7, 7), (64,), (64,)]
    inputs = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            convolutions = [(width, inputs, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            convolutions += [(4 * width, inputs, 1, 1)] if block == 0 else []
            shapes += [shape for c in convolutions for shape in (c, (c[0],), (c[0],))]
            inputs = 4 * width
    return [*shapes, (1000, 2048), (1000,)]


SHAPES = {"resnet-50": resnet50(), "160 equal": [(395, 396)] * 160}


def stepping(
    shapes: list[tuple[int, ...]], make: Callable[[list[dict[str, object]]], torch.optim.Optimizer]
) -> Callable[[], object]:
    """The step of an optimiser whose parameters have gradients."""
    torch.manual_seed(0)
    parameters = [nn.Parameter(0.05 * torch.randn(shape)) for shape in shapes]
    for p in parameters:
        p.grad = 0.01 * torch.randn_like(p)
    return make(decay_groups(((str(i), p) for i, p in enumerate(parameters)), 0.01)).step


def update(shapes: list[tuple[int, ...]]) -> Ways:
    """The steps of `update`, torch's default AdamW first."""
    ways = {
        "adamw, torch's default": stepping(shapes, lambda groups: torch.optim.AdamW(groups)),
        "adamw, torch's fused": stepping(shapes, lambda groups: torch.optim.AdamW(groups, fused=True)),
    }
    for name in ("lamb", "lars"):
        ways[name] = stepping(
            shapes, lambda groups, name=name: catalogue.build(name, groups, Optim(name=name, lr=1e-3))
        )
    return ways


def network_step(name: str, section: dict[str, object], x: Tensor, y: Tensor) -> Callable[[], object]:
    """A whole step of the recipe's optimiser on one batch."""
    recipe = Recipe.model_validate({"optim": {"name": name, "lr": 1e-3}, "model": section})
    torch.manual_seed(0)
    model = build_model(recipe.model, tuple(x.shape[1:]), 10, 0.0).train()
    state, plan = new_state(model, recipe, flat=True), make_plan(recipe, 10_000, 10, lambda t: t)
    batch = Batch(x, y, torch.arange(len(x)))

    def step() -> None:
        take_step(state, batch, plan)
        state.losses.clear()

    return step


def sam(kind: str) -> Ways:
    """The steps of `sam`, each base before its own."""
    image = kind == "resnet"
    x = torch.randn(128, 3, 32, 32) if image else torch.randn(128, 784)
    y = torch.randint(0, 10, (128,))
    section = {"name": "resnet", "width": 16, "depth": 1, "norm": "batch"} if image else {"width": 256, "depth": 1}
    return {
        form: network_step(form, section, x, y) for base in ("sgd", "adamw") for form in (base, f"sam(base={base})")
    }


def timed(ways: Ways, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way in each round; the rounds are interleaved, after two that are not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number >= 2:
                times[name].append((time.perf_counter() - start) * 1e3)
    return times


def show(what: str, times: dict[str, list[float]], base: Callable[[str], str]) -> dict[str, dict[str, float]]:
    """Prints and gives, for each way, its median and the ratio to its base in the same round."""
    found = {}
    for name, spent in times.items():
        ratios = [a / b for a, b in zip(spent, times[base(name)], strict=True)]
        found[name] = {
            "ms": statistics.median(spent),
            "ratio": statistics.median(ratios),
            "low": min(ratios),
            "high": max(ratios),
        }
        r = found[name]
        print(
            f"{what:<11}{name:<24}{r['ms']:>9.2f} ms{r['ratio']:>8.3f}  ({r['low']:.3f} to {r['high']:.3f}, n={len(spent)})"
        )
    return found


def main() -> None:
    """Prints a table and, with --json, one object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="update, sam; without it both")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    parts = given.parts or ["update", "sam"]
    torch.set_num_threads(given.threads)
    print(
        f"torch {torch.__version__}, threads: {given.threads}, {given.rounds} rounds in turn; ratios to the base of the same round"
    )
    found = {}
    for what, shapes in SHAPES.items() if "update" in parts else ():
        found[what] = show(what, timed(update(shapes), given.rounds), lambda name: "adamw, torch's default")
    for kind in ("mlp", "resnet") if "sam" in parts else ():
        found[kind] = show(
            kind, timed(sam(kind), given.rounds), lambda name: name.removeprefix("sam(base=").removesuffix(")")
        )
    if given.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()

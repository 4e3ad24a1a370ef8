"""Time of a step of one training: alone, together with others of its kind, and by plain vmap; medians of interleaved rounds, in
processor time of the one thread that all have: what else the machine does adds to the time on the wall.

    ./dev bench population [small large norm conv] [--rounds 9] [--json]

alone: dressage's own loop (`fit`). together: `fit_together`, with its events. vmap: `torch.func.vmap` of `grad_and_value` of
`functional_call` over all weights, torch's fused optimiser on the stacked tensors, batches by an index: what one writes from
torch's tutorial, with one rate for all members, and without events or a look at the losses.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from dressage.data.batches import Batches
from dressage.data.source import Part
from dressage.fit import StepEvent, fit, make_plan, new_state
from dressage.fit.population import Member, StepsEvent, fit_together
from dressage.models import build_model
from dressage.recipe import Recipe

CASES = {
    "small": ((64,), {"width": 50, "depth": 1}, 32, 1_797, (4, 16, 64)),
    "large": ((3072,), {"width": 50, "depth": 1}, 100, 5_000, (2, 4, 8, 16)),
    "norm": ((64,), {"width": 50, "depth": 2, "norm": "layer"}, 32, 1_797, (4, 16, 64)),
    "conv": (
        (1, 8, 8),
        {"name": "convnet", "width": 8, "depth": 1, "norm": "group(groups=2)"},
        32,
        1_797,
        (4, 16),
    ),
}
"""Shape of a row, network, batch, rows, members. All with ten outputs."""
SECONDS = 0.15  # of steps of one way in a round
Advance = Callable[[int], None]


def part(case: str) -> Part:
    shape, _, _, rows, _ = CASES[case]
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, *shape, generator=generator)
    return Part("train", x, torch.randint(0, 10, (rows,), generator=generator), torch.arange(rows))


def member(case: str, data: Part, optim: str, k: int) -> Member:
    """The k-th of those that differ in their rate, their decay and their first weights."""
    shape, network, batch, _, _ = CASES[case]
    recipe = Recipe.model_validate(
        {
            "train": {"epochs": 100_000, "batch_size": batch},
            "schedule": {"name": "constant"},
            "model": network,
            "optim": {"name": optim, "lr": 1e-3 * (1 + k / 100)},
            "regularize": {"weight_decay": 1e-3 * (1 + k)},
        }
    )
    torch.manual_seed(k)
    model = build_model(recipe.model, shape, 10, 0.0)
    batches = Batches(data, batch, 0)
    plan = make_plan(recipe, batches.steps_per_epoch, 10, lambda x: x)
    return Member(recipe, new_state(model, recipe, flat=True), batches, plan)


def alone(case: str, data: Part, optim: str) -> Advance:
    """Steps of one training."""
    m = member(case, data, optim, 0)
    events = fit(m.state, m.batches, m.plan)

    def advance(steps: int) -> None:
        while steps > 0:
            steps -= isinstance(next(events), StepEvent)

    return advance


def together(case: str, data: Part, optim: str, count: int) -> Advance:
    """Whole epochs of many, at least so many steps."""
    members = [member(case, data, optim, k) for k in range(count)]
    events = fit_together(members)

    def advance(steps: int) -> None:
        while steps > 0:
            taken = 0
            for _ in range(2 * count):
                _, event = next(events)
                taken = len(event.losses) if isinstance(event, StepsEvent) else taken
            steps -= taken

    return advance


def by_vmap(case: str, data: Part, optim: str, count: int) -> Advance:
    """As in torch's tutorial on ensembles."""
    shape, network, batch, rows, _ = CASES[case]
    section = Recipe.model_validate({"model": network}).model
    models = [build_model(section, shape, 10, 0.0) for _ in range(count)]
    weights, _ = stack_module_state(models)
    leaves = list(weights.values())
    kind = torch.optim.AdamW if optim == "adamw" else torch.optim.SGD
    more = {} if optim == "adamw" else {"momentum": 0.9}
    optimizer = kind(leaves, lr=1e-3, weight_decay=1e-3, fused=True, **more)

    def loss_of(own: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(models[0], own, (x,)), y)

    gradient = vmap(grad_and_value(loss_of), in_dims=(0, None, None))

    def indices() -> Iterator[Tensor]:
        while True:
            order = torch.randperm(rows)
            yield from (order[i : i + batch] for i in range(0, rows - batch + 1, batch))

    source = indices()

    def advance(steps: int) -> None:
        for _ in range(steps):
            index = next(source)
            grads, _ = gradient({name: w.detach() for name, w in weights.items()}, data.x[index], data.y[index])
            for name, leaf in weights.items():
                leaf.grad = grads[name]
            optimizer.step()

    return advance


def measured(case: str, optim: str, rounds: int) -> dict[str, dict[str, float]]:
    """µs a member-step and how many times faster than alone, median with lowest and highest round."""
    data = part(case)
    length = -(-len(data) // CASES[case][2])
    ways: dict[str, tuple[int, Advance]] = {"alone": (1, alone(case, data, optim))}
    for count in CASES[case][4]:
        ways[f"{count} together"] = count, together(case, data, optim, count)
        ways[f"{count} by vmap"] = count, by_vmap(case, data, optim, count)
    steps = {}
    for name, (_, way) in ways.items():
        way(length)
        start = time.thread_time()
        way(length)
        steps[name] = length * max(1, round(SECONDS / (time.thread_time() - start)))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (count, way) in ways.items():
            start = time.thread_time()
            way(steps[name])
            times[name].append((time.thread_time() - start) / steps[name] / count * 1e6)
    found = {}
    for name, spent in times.items():
        ratios = [a / b for a, b in zip(times["alone"], spent, strict=True)]
        found[name] = {"us": statistics.median(spent), "faster": statistics.median(ratios)}
        found[name] |= {"low": min(ratios), "high": max(ratios)}
    return found


def main() -> None:
    """Prints a table a case and optimiser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"any of {', '.join(CASES)}; without one, all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, {given.rounds} interleaved rounds")
    for case in given.cases or CASES:
        for optim in ("adamw", "momentum"):
            found = measured(case, optim, given.rounds)
            for name, r in found.items():
                told = (
                    f"{r['us']:>10.1f} us a member-step {r['faster']:>7.2f} times ({r['low']:.2f} to {r['high']:.2f})"
                )
                print(f"{case:<7}{optim:<10}{name:<14}{told}", flush=True)
            if given.json:
                print(json.dumps({f"{case} {optim}": found}))


if __name__ == "__main__":
    main()

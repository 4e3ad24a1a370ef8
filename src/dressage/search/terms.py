"""What a caller may say of a search, checked before any data is read; and, with the data, laid down as what was asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dressage.errors import DataError, RecipeError, UsageError
from dressage.ground import Ground
from dressage.recipe import Recipe
from dressage.remedies import edited
from dressage.resolve import check_names, value_at
from dressage.search.asked import FIRST, STEPS, Asked, Halving, Stage, as_stages, check_halving, shortest_rungs
from dressage.search.edits import as_edit, is_option, names_in, split_option
from dressage.search.ranges import Range
from dressage.search.samplers import check_sampler
from dressage.search.space import Space, as_space, default_space, texts_of
from dressage.settle import PATHS

TRIALS = 24
"""Of the first stage where nothing is asked."""
FEWER = (1, 3, 6)
"""Trials of the stages: so many times fewer. A stage costs no more than the one before, but for the whole ones."""
SHORTER = (9, 3, 1)
"""Trials of the stages have so many times fewer epochs than a whole training, and the whole course of its rate: held against
rungs of longer trainings, whose rate is still high, these rank the rates as they come out in the end. The three best
of 65 trainings of ten epochs had ranks 22 to 42 after three of them, and 3 to 7 among trainings of three epochs."""
ENOUGH = 10_000
"""Training rows that tell good settings from bad ones."""
METRICS = {"classification": "accuracy", "regression": "r2", "multi": "−loss", "contrastive": "contrastive accuracy"}
Written = Mapping[str, Range | str] | Iterable[str] | str


@dataclass(frozen=True, slots=True)
class Terms:
    """What was said of a search; None: what is usual for the data."""

    space: Space | None
    sampler: str
    trials: int | None
    """Of the first of three stages, as `epochs` and `subset` (training rows)."""
    epochs: int | None
    subset: int | None
    stages: Sequence[Stage] | None
    halving: Halving
    finalists: int
    repeats: int
    first: Sequence[Mapping[str, object]]
    budget: float


def terms_of(
    space: Written | None,
    sampler: str,
    trials: int | None,
    epochs: int | None,
    subset: int | None,
    stages: Iterable[str | Stage] | str | None,
    halving: Halving | None,
    finalists: int,
    repeats: int,
    first: Sequence[Mapping[str, object]],
    budget: float,
) -> Terms:
    """What was said, if it can be done. Raises RecipeError, UsageError."""
    check_sampler(sampler)
    halving = halving or ("successive" if stages is not None else "none")
    check_halving(halving)
    require_counts({"trials": trials, "epochs": epochs}, least=1)
    require_counts({"subset": subset, "finalists": finalists, "repeats": repeats}, least=0)
    if not 0 <= budget < math.inf:
        raise UsageError.of("budget", f"{budget:g} s given", "expected 0 or more", "leave it out")
    known = None if space is None else as_space(space)
    plan = None if stages is None else as_stages(stages)
    return Terms(known, sampler, trials, epochs, subset, plan, halving, finalists, repeats, tuple(first), float(budget))


def lay_down(
    terms: Terms, ground: Ground, written: Recipe, whole: Recipe, data: str | None, *, own_model: bool
) -> Asked:
    """All that the search follows from: its terms, and what is usual for the data where nothing was said.

    Raises DataError, RecipeError.
    """
    if "validation" not in ground.rows:
        found, expected = "there are no validation rows", "expected some to choose by"
        raise DataError.of(ground.source.name, found, expected, "set data.validation above 0")
    for edit in terms.first:
        check_names(edited(written, edit))
    space = terms.space or default_space(whole)
    _require_ends(space, ground, written, whole)
    plan = terms.stages or _usual(ground, whole, terms)
    return Asked(
        name=ground.source.name,
        data=data,
        fingerprint=ground.source.fingerprint,
        metric=METRICS[ground.source.task],
        own_model=own_model,
        recipe=written.model_dump(exclude_unset=True),
        form=_form(ground, written),
        space=tuple(texts_of(space)),
        sampler=terms.sampler,
        stages=tuple(map(str, plan)),
        halving=terms.halving,
        finalists=terms.finalists,
        repeats=terms.repeats,
        budget=terms.budget,
        first=tuple(terms.first),
        shortest=shortest_rungs(plan, _training_rows(ground, whole), whole.train.batch_size),
        is_joined=True,
    )


def require_counts(given: Mapping[str, int | None], least: int) -> None:
    """Raises UsageError for the first that is smaller; None is what is usual."""
    for name, value in given.items():
        if value is not None and value < least:
            raise UsageError.of(name, f"{value} given", f"expected {least} or more", "leave it out")


def _require_ends(space: Space, ground: Ground, written: Recipe, whole: Recipe) -> None:
    """Raises RecipeError where no training can be made at an end of an option's range; fields are known by their schema."""
    for path in (p for p in space if is_option(p) and not space[p].is_choice):
        above, name, _ = split_option(path)
        drawn = (
            [{above: choice} for choice in space[above].choices if name in names_in(choice)] if above in space else [{}]
        )
        for end in (space[path].low, space[path].high):
            value = int(end) if space[path].is_whole else end
            try:
                ground.job(edited(written, as_edit(whole, {**drawn[0], path: value})))
            except RecipeError as error:
                raise RecipeError(f"space {path}: {str(error).removeprefix(f'space {path}: ')}") from None


def _usual(ground: Ground, whole: Recipe, terms: Terms) -> list[Stage]:
    """Many short trials, on a part of the rows where there are many; then fewer and longer ones; then a few whole ones on all."""
    rows, full, count, epochs = len(ground.rows["train"]), whole.train.epochs, terms.trials or TRIALS, terms.epochs
    some = (ENOUGH if rows > 2 * ENOUGH else 0) if terms.subset is None else terms.subset
    steps = min(some or rows, _training_rows(ground, whole)) / whole.train.batch_size
    shortest = min(full, 1 if steps >= STEPS else FIRST)
    lengths = [max(shortest, round((epochs * SHORTER[0] if epochs else full) / shorter)) for shorter in SHORTER[:-1]]
    counts = [math.ceil(count / fewer) for fewer in FEWER]
    coarse = [Stage(number, min(length, full), some) for number, length in zip(counts, lengths, strict=False)]
    return as_stages([*coarse, Stage(counts[-1], full)])


def _training_rows(ground: Ground, whole: Recipe) -> int:
    """Of the training part, or of the subset that the recipe takes of it."""
    rows = len(ground.rows["train"])
    return min(rows, whole.data.subset or rows)


def _form(ground: Ground, written: Recipe) -> dict[str, object]:
    """Device, number format, layout and threads of every trial, found once: those of the recipe as it is."""
    asked = {"train.threads": written.train.threads or 1, "train.epochs": 1}
    lr = {"optim.lr": 1e-3} if written.optim.lr == "auto" else {}
    job = ground.job(edited(written, {**asked, **lr}))
    return {path: value_at(job.recipe, path) for path in (*PATHS, "train.device")}

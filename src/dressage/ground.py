"""Data that several trainings share: opened and split once, preprocessed once for each list of steps."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from dressage.data.preprocess import Preprocess
from dressage.data.source import Part, Source
from dressage.data.split import split_seed, subset
from dressage.models.foreign import Made
from dressage.prepare import Job, ShowProgress, build, facts_of, make_parts, opened, start_of, threads_kept
from dressage.recipe import Recipe
from dressage.remedies import edited
from dressage.resolve import Resolved, resolve, value_at
from dressage.settle import PATHS, settle_device
from dressage.start import Start
from dressage.transfer import preprocess_for

KEPT = 2
"""Preprocessed copies of the data that are held: the present one, and the one before."""
Fitted = tuple[Preprocess, Mapping[str, Part]]


@dataclass(frozen=True, slots=True)
class Ground:
    """The data, opened once, and the form in which all trainings on it take their steps."""

    source: Source
    rows: Mapping[str, Tensor]
    made: Made | None
    """A network of the user's own; what makes it, where several are trained (`made_anew`)."""
    form: Mapping[str, object]
    """Values of the recipe that every training has, by path: number format, layout and threads."""
    start: Start | None = None
    """The network whose weights every training takes over."""
    fitted: dict[object, Fitted] = field(default_factory=dict, repr=False, compare=False)
    """The parts as the network gets them, by what was done to them."""

    def whole(self, written: Recipe) -> Recipe:
        """The recipe with all that is usual for the data filled in. Raises RecipeError."""
        return self.resolved(written).recipe

    def resolved(self, written: Recipe) -> Resolved:
        """The same with the reason of each value."""
        facts = facts_of(self.source, self.rows, written)
        return settle_device(
            resolve(edited(written, self.form), facts, own_model=self.made is not None, start=self.start)
        )

    def job(self, written: Recipe) -> Job:
        """A training from its first weights, on `data.subset` of the training rows. Raises RecipeError, DataError."""
        resolved = self.resolved(written)
        preprocess, parts = self._fitted(resolved)
        return build(self.source, parts, preprocess, resolved, self.made)

    def steps_an_epoch(self, whole: Recipe) -> int:
        """Steps of an epoch."""
        rows = len(self.rows["train"])
        return -(-min(rows, whole.data.subset or rows) // whole.train.batch_size)

    def _fitted(self, resolved: Resolved) -> Fitted:
        recipe = resolved.recipe
        seed = split_seed(recipe.data, recipe.seed)
        known = (*recipe.data.preprocess, recipe.data.subset, seed if recipe.data.subset else None)
        if known not in self.fitted:
            while len(self.fitted) >= KEPT:
                del self.fitted[next(iter(self.fitted))]
            rows = dict(self.rows)
            if recipe.data.subset:
                rows["train"] = subset(self.source, rows["train"], recipe.data.subset, seed)
            with threads_kept(1):  # as in a training by itself
                preprocess = preprocess_for(self.source, rows["train"], resolved)
                self.fitted[known] = preprocess, make_parts(self.source, rows, preprocess)
        return self.fitted[known]


def open_ground(
    data: object, y: object, written: Recipe, whole: Recipe | None, made: Made | None, progress: ShowProgress | None
) -> Ground:
    """Opens and splits the data as a training of `written` does; the form is that of `whole`, left open without it."""
    start = start_of(written)
    source, rows = opened(data, written, y=y, start=start, progress=progress)
    form = {} if whole is None else {path: value_at(whole, path) for path in PATHS}
    return Ground(source, rows, made, form, start)


def made_anew(made: Made | None) -> Made | None:
    """What makes the network anew each time, with the weights that it has now."""
    if not isinstance(made, nn.Module):
        return made
    first = copy.deepcopy(made)
    return lambda: copy.deepcopy(first)

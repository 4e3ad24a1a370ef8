"""A trained network that another training takes its first weights from, and what of a recipe follows from that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dressage.data.preprocess import Preprocess
from dressage.recipe import Recipe

FORM = ("name", "width", "depth", "activation", "norm")
"""What of `model` makes the network what it is."""


@dataclass(frozen=True, slots=True)
class Start:
    """The weights of a run, of a file, or those that a run has kept of where it began."""

    where: str
    """Absolute path of what was given as `transfer.source`."""
    weights: Mapping[str, Tensor]
    """By the names of its network; without those of the head, where a run has kept them and its head was new."""
    preprocess: Preprocess | None = None
    """As it was fitted for the source; None: not known, or fitted anew."""
    recipe: Recipe | None = None
    """The source's; None where only weights are known."""
    own_model: bool = False
    """Whether its network was one of the user's own."""

    def under(self, recipe: Recipe) -> Recipe:
        """A recipe that has the source's form of network, preprocessing and size of images where it names none itself."""
        data = dict[str, object]()
        if self.preprocess is not None and self.recipe is not None:
            height, *width = self.preprocess.sample_shape
            square = self.preprocess.kind == "images" and len(width) == 2 and height == width[0]
            data = {"preprocess": list(self.preprocess.steps), **({"image_size": height} if square else {})}
        form = (
            {} if self.recipe is None or self.own_model else {name: getattr(self.recipe.model, name) for name in FORM}
        )
        sections = {"data": data, "model": form}
        changed = {}
        for section, values in sections.items():
            now = getattr(recipe, section)
            open_ones = {name: value for name, value in values.items() if name not in now.model_fields_set}
            changed[section] = now.model_copy(update=open_ones)
        return recipe.model_copy(update=changed)

    @property
    def why(self) -> str:
        """The reason of a value that was taken over."""
        return f"as in {Path(self.where).name}, whose weights are taken over"

    def other_form(self, recipe: Recipe) -> list[tuple[str, object, object]]:
        """What of `recipe.model` is not as in the source: path, value, the source's."""
        if self.recipe is None or self.own_model:
            return []
        pairs = [(f"model.{n}", getattr(recipe.model, n), getattr(self.recipe.model, n)) for n in FORM]
        return [pair for pair in pairs if pair[1] != pair[2]]

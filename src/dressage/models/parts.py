"""What the networks of the catalogue are made of: a layer → its norm → its activation, as a recipe's section names them."""

from __future__ import annotations

from torch import Tensor, nn

from dressage import recipe
from dressage.catalogue import parse
from dressage.errors import RecipeError
from dressage.layers import activations, norms


def units(section: recipe.Model, width: int) -> int:
    """Features that a layer must give so that its activation leaves `width`: maxout takes `pieces` of them for one."""
    return width * pieces(section)


def pieces(section: recipe.Model) -> int:
    """Features that the activation takes for each one that it gives."""
    return int(getattr(activations.catalogue.build(section.activation), "pieces", 1))


def needs_bias(section: recipe.Model) -> bool:
    """Whether a layer before the section's norm has a bias of its own: batch norm subtracts the mean and with it any bias."""
    return not norms.centres(section.norm)


def finished(layer: nn.Module, section: recipe.Model, width: int, dims: int) -> list[nn.Module]:
    """`layer`, which gives `units(section, width)` features, its norm where there is one, and its activation.

    `dims` is 0 for rows `(N, F)` and 2 for images `(N, C, H, W)`.
    """
    made = [layer]
    if norms.follows(section.norm):
        made += [norms.catalogue.build(section.norm, units(section, width), dims)]
    return [*made, activations.catalogue.build(section.activation)]


def require_layers(name: str, section: recipe.Model) -> None:
    """Raises RecipeError for a depth of 0."""
    if section.depth < 1:
        raise RecipeError.of(
            f"model.depth of {name}", f"{section.depth} given", "expected 1 or more", "e.g. model.depth = 2"
        )


def require_norm(name: str, section: recipe.Model, known: tuple[str, ...], why: str) -> None:
    """Raises RecipeError for a norm that the network cannot have."""
    if parse(section.norm)[0] not in known:
        listed = " or ".join(known)
        raise RecipeError.of(
            f"model.norm of {name}", f"'{section.norm}' given", f"expected {listed}: {why}", f"model.norm = {known[0]}"
        )


def widened(x: Tensor, pieces: int) -> Tensor:
    """`(N, C, H, W)` to `(N, pieces·C, H, W)`: what is added to each piece before a maxout, so that it is added to the largest."""
    return x if pieces == 1 else x.repeat(1, pieces, 1, 1)

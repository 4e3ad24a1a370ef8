"""The head of a network that learns from views of its samples: it is left behind when the network is taken over."""

from __future__ import annotations

from torch import Tensor, nn

from dressage.errors import RecipeError
from dressage.layers.init import layers_of


class Projection(nn.Module):
    """`W₂ relu(W₁h + b₁) + b₂` of features `h (N, F)`, W₁ `(F, F)`: what views are held against each other by.

    What the loss wants forgotten of a view, its colours for example, is lost here and not in the features. Chen et al. 2020.
    """

    def __init__(self, head: nn.Linear) -> None:
        """In the place of `head`, which stays its last layer."""
        super().__init__()
        self.hidden = nn.Linear(head.in_features, head.in_features)
        self.activation = nn.ReLU()
        self.output = head

    def forward(self, features: Tensor) -> Tensor:
        """`(N, F)` to `(N, D)`."""
        out: Tensor = self.output(self.activation(self.hidden(features)))
        return out


def projected(model: nn.Module, name: str) -> nn.Module:
    """The network of that name with a `Projection` in the place of its last layer. Raises RecipeError where that is not linear."""
    head = layers_of(model)[-1]
    if not isinstance(head, nn.Linear):
        raise RecipeError.of("model.name", f"'{name}' given", "its last layer is not linear", "e.g. resnet")
    above, _, own = next(place for place, module in model.named_modules() if module is head).rpartition(".")
    setattr(model.get_submodule(above), own, Projection(head))
    return model

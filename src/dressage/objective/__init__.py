"""What is minimised, and the number by which a person judges it.

`catalogue.build("hinge(margin=0.5)", label_smoothing)` gives an `Objective`. A loss is a mean over samples, so the loss of a
batch is the sum over its pieces of share × loss of the piece, however it is cut.
"""

from __future__ import annotations

from dressage.catalogue import Catalogue, Entry, parse
from dressage.errors import UsageError
from dressage.objective.contrastive import Contrastive, info_nce_by_name, nt_xent_by_name
from dressage.objective.objective import Objective as Objective
from dressage.objective.several import multi
from dressage.objective.single import FITTING as FITTING_ONE
from dressage.objective.single import catalogue as SINGLE

FITTING = {**FITTING_ONE, "multi": ("multi",), "contrastive": ("nt_xent", "info_nce")}
"""The losses of a task."""

catalogue: Catalogue[Objective] = Catalogue(
    "loss",
    *SINGLE.values(),
    Entry(
        "multi",
        multi,
        "Several targets: the sum of each one's own loss, by `loss.weights`; a metric a target.",
        "Σ_t w_t · loss_t",
        "C784; Caruana 1997",
    ),
    Entry(
        "nt_xent",
        nt_xent_by_name,
        "Learning without labels: two views of each image found again among all of a batch (SimCLR); metric: the share found.",
        "−log(e^{s(i,j)/τ} / Σ_{k≠i} e^{s(i,k)/τ}), s the cosine of `dim` outputs",
        "L6; Chen, Kornblith et al. 2020",
    ),
    Entry(
        "info_nce",
        info_nce_by_name,
        "Learning without labels: an image's view found by its key among a queue of earlier ones (MoCo); small batches will do.",
        "−log(e^{q·k/τ} / (e^{q·k/τ} + Σ_j e^{q·k_j/τ})), keys k by an average of the network",
        "L6; van den Oord et al. 2018, He et al. 2020",
    ),
)


def learns_without_labels(written: str) -> bool:
    """Whether a loss as it was written looks at views of the samples and at no target."""
    return parse(written)[0] in FITTING["contrastive"]


def outputs_asked(written: str) -> int:
    """Outputs of the network that a loss as it was written asks for; 0: as many as the targets need. Raises RecipeError."""
    return catalogue.build(written, 0.0).outputs if learns_without_labels(written) else 0


def keys_asked(written: str) -> int:
    """Keys of the queue that a loss as it was written is held against; 0: it has none. Raises RecipeError."""
    objective = catalogue.build(written, 0.0) if learns_without_labels(written) else None
    return objective.queue if isinstance(objective, Contrastive) else 0


def require_targets(written: str, what: str) -> None:
    """Raises UsageError for a loss that looks at no target, where answers are to be held against targets."""
    if learns_without_labels(written):
        found, expected = f"'{written}' given", f"{what} needs answers that can be right or wrong"
        repair = "take the network over by transfer.source in a training on labels, and look at that one"
        raise UsageError.of("loss.name", found, expected, repair)

"""Everything before the first step: open, split, preprocess, resolve, build."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dressage.augment.draw import key
from dressage.checks import check_memory, check_network
from dressage.data.batches import Batches, StreamedBatches
from dressage.data.open import open_data
from dressage.data.preprocess import Preprocess
from dressage.data.preprocess.encode import Block
from dressage.data.source import Part, Source
from dressage.data.split import split
from dressage.data.unlabelled import open_unlabelled, split_unlabelled, without_labels
from dressage.first_weights import begin_from_data
from dressage.fit import Plan, State, make_plan, new_state
from dressage.fit.speed import in_format
from dressage.fit.thaw import Thaw, thaw_of
from dressage.models import build_model
from dressage.models.embedded import Embedded, width_of
from dressage.models.foreign import Made, build_foreign, check_forward
from dressage.models.units import belongs, units
from dressage.objective import catalogue as objectives
from dressage.objective import learns_without_labels, outputs_asked
from dressage.objective.several import Goal
from dressage.presets import Facts
from dressage.rates.sweep import Training
from dressage.recipe import Recipe, as_recipe
from dressage.regularize import edit_network
from dressage.resolve import Resolved, check_names, name_problems, resolve
from dressage.settle import rate_for_now, settle_device, settle_rate, settle_speed
from dressage.start import Start
from dressage.transfer import has_new_head, preprocess_for, read_start, taken_over, told

ShowProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A training, ready for its first step."""

    source: Source
    parts: Mapping[str, Part]
    preprocess: Preprocess
    resolved: Resolved
    state: State
    batches: Batches
    plan: Plan

    start: Start | None = None
    """Where the first weights come from, when they were taken over: by the names of the network."""

    @property
    def recipe(self) -> Recipe:
        return self.resolved.recipe

    @property
    def outputs(self) -> int:
        """Outputs of the network: classes, or target columns."""
        return _outputs(self.source, self.parts["train"].rows, self.recipe)


def prepare(
    data: object,
    recipe: Recipe | Mapping[str, object] | None = None,
    *,
    y: object = None,
    model: Made | None = None,
    progress: ShowProgress | None = None,
    start: Start | None = None,
) -> Job:
    """Opens the data, splits it, fits the preprocessing on the training part, settles the recipe and builds the network.

    `fit(job.state, job.batches, job.plan, job.parts.get("validation"))` then trains it. `start`: what the recipe's
    `transfer.source` was, where that is known. Raises DataError, RecipeError or UsageError; nothing is written.
    """
    recipe = as_recipe(recipe, also=name_problems)
    check_names(recipe)
    start = start_of(recipe) if start is None else start
    source, rows = opened(data, recipe, y=y, start=start, progress=progress)
    resolved = resolve(recipe, facts_of(source, rows, recipe), own_model=model is not None, start=start)
    return prepare_rows(source, rows, settle_device(resolved), model)


def opened(
    data: object,
    recipe: Recipe,
    *,
    y: object = None,
    start: Start | None = None,
    progress: ShowProgress | None = None,
) -> tuple[Source, dict[str, Tensor]]:
    """The data of a recipe, and the rows of each part; without its labels where the loss looks at none. Raises DataError."""
    section = (recipe if start is None else start.under(recipe)).data
    if not learns_without_labels(recipe.loss.name):
        source = open_data(data, section, y=y, progress=progress)
        return source, split(source, recipe.data, recipe.seed)
    source = open_unlabelled(data, section, y=y, progress=progress)
    return without_labels(source), split_unlabelled(source, recipe.data, recipe.seed)


def prepare_rows(source: Source, rows: Mapping[str, Tensor], resolved: Resolved, model: Made | None) -> Job:
    """The job of a resolved recipe on these rows of each part: preprocessing fitted on `train` alone, a network that is new."""
    with threads_kept(1):
        preprocess = preprocess_for(source, rows["train"], resolved)
    return build(source, make_parts(source, rows, preprocess), preprocess, resolved, model)


def start_of(recipe: Recipe) -> Start | None:
    """What the recipe's `transfer.source` names; None where nothing is taken over. Raises RecipeError, RunError."""
    with threads_kept(1):
        return read_start(recipe)


@contextmanager
def threads_kept(inside: int | None = None) -> Iterator[None]:
    """Leaves torch's thread count as it was found; `inside` is the one to use meanwhile.

    What comes before the first step is computed by one: sums and factorisations differ in their last bits with the
    threads, and those of the run are measured only then.
    """
    found = torch.get_num_threads()
    try:
        if inside is not None:
            torch.set_num_threads(inside)
        yield
    finally:
        torch.set_num_threads(found)


def facts_of(source: Source, rows: Mapping[str, Tensor], recipe: Recipe) -> Facts:
    """What the rest of the recipe depends on; `rows` of each part."""
    train, validation = rows["train"], rows.get("validation", ())
    outputs = _outputs(source, train, recipe)
    shape = tuple(source.x.shape[1:]) if isinstance(source.x, Tensor) else (source.x.num_columns,)
    counts = torch.bincount(source.y[train], minlength=outputs) if source.task == "classification" else torch.zeros(1)
    own = "validation" in source.given
    return Facts(source.task, source.kind, len(train), shape, outputs, int(counts.min()), len(validation), own)


def _outputs(source: Source, train: Tensor, recipe: Recipe) -> int:
    if source.task == "contrastive":
        return outputs_asked(recipe.loss.name)
    if source.heads:
        return sum(head.outputs for head in source.heads)
    y = source.y[train]
    return len(source.classes) if source.task == "classification" else (1 if y.dim() == 1 else y.shape[1])


def make_parts(source: Source, rows: Mapping[str, Tensor], preprocess: Preprocess) -> dict[str, Part]:
    """The parts over one tensor of preprocessed rows; regression targets in the network's units."""
    x = preprocess.apply(source.x)
    y = preprocess.target.standardize(source.y)
    return {name: Part(name, x, y, index) for name, index in rows.items() if len(index)}


def build(
    source: Source, parts: Mapping[str, Part], preprocess: Preprocess, resolved: Resolved, made: Made | None
) -> Job:
    """The network, its state, its batches and its plan; settles number format and memory layout on the way."""
    resolved = rate_for_now(resolved)
    recipe = resolved.recipe
    outputs = _outputs(source, parts["train"].rows, recipe)
    device = torch.device(recipe.train.device)
    batches = _batches(source, parts["train"], recipe, device)
    with threads_kept(1):
        model = build_network(recipe, preprocess.input_shape, outputs, made, preprocess.blocks)
        if made is None:
            begin_from_data(model, recipe, parts["train"], preprocess.cast, source.task, outputs)
        resolved, thaw = _begun_from_start(resolved, model, preprocess)
        model = model.to(device)
    check_network(model, recipe, batches, parts, preprocess.input_shape)
    goals = goals_of(preprocess)
    resolved = settle_speed(resolved, model, batches, preprocess.cast, outputs, goals)
    model = in_format(model, resolved.recipe.train.memory_format)
    plan = make_plan(resolved.recipe, batches.steps_per_epoch, outputs, preprocess.cast, _unit(preprocess), goals)
    plan = replace(plan, thaw=thaw)
    with threads_kept(resolved.recipe.train.threads):
        resolved = settle_rate(resolved, Training(model, resolved.recipe, batches, plan, flat=made is None))
    plan = replace(plan, lr=resolved.recipe.optim.rate)
    state = new_state(model, resolved.recipe, flat=made is None, thaw=thaw)
    return Job(source, parts, preprocess, resolved, state, batches, plan, resolved.start)


def _begun_from_start(resolved: Resolved, model: nn.Module, preprocess: Preprocess) -> tuple[Resolved, Thaw | None]:
    """The recipe with what was taken over into `model`, and which layers are trained when; frozen ones are so at once."""
    start, recipe = resolved.start, resolved.recipe
    if start is None:
        return resolved, None
    start = taken_over(*_source_network(start), model, preprocess)
    thaw = thaw_of(model, recipe, new_head=has_new_head(start, model))
    thaw.settle(model, 0)
    return replace(resolved.put("transfer.source", start.where, "given", told(start, model)), start=start), thaw


def _source_network(start: Start) -> tuple[Start, list[str]]:
    """The source, and the names of its weights in the order of its network; none where that is not known.

    A head that held views against each other is left behind.
    """
    recipe, known = start.recipe, start.preprocess
    if recipe is None or known is None or start.own_model:
        return start, []
    outputs = outputs_asked(recipe.loss.name) or sum(head.outputs for head in known.heads) or len(known.classes) or 1
    network = build_network(recipe, known.input_shape, outputs, None, known.blocks)
    if not outputs_asked(recipe.loss.name):
        return start, list(network.state_dict())
    head = units(network)[-1]
    weights = {name: tensor for name, tensor in start.weights.items() if not belongs(name, head)}
    return replace(start, weights=weights), [name for name in network.state_dict() if not belongs(name, head)]


def build_network(
    recipe: Recipe, shape: tuple[int, ...], outputs: int, made: Made | None, blocks: Sequence[Block] = ()
) -> nn.Module:
    """The network of a recipe, or the user's own; its first weights are keyed by the seed.

    `blocks` of a row's features that are to become learned vectors are that before the network sees it.
    """
    features = shape[0]
    if blocks:
        shape = (width_of(blocks, features),)
    if made is None:
        check_memory(recipe, shape, outputs)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(recipe.seed, "init"))
        if made is not None:
            own = build_foreign(made, shape, outputs)
            check_forward(own, shape, outputs)
        else:
            own = build_model(
                recipe.model, shape, outputs, recipe.regularize.dropout, projects=outputs_asked(recipe.loss.name) > 0
            )
        model = Embedded(blocks, features, own) if blocks else own
        return edit_network(model, recipe.regularize.techniques)


def _batches(source: Source, part: Part, recipe: Recipe, device: torch.device) -> Batches:
    size, seed = recipe.train.batch_size, recipe.seed
    views = objectives.build(recipe.loss.name, recipe.loss.label_smoothing).views
    if source.stream is not None:
        return StreamedBatches(part, size, seed, source.stream, recipe.data.workers, device, views)
    return Batches(part, size, seed, device, views)


def goals_of(preprocess: Preprocess) -> list[Goal]:
    """The targets of a training of several; empty for one."""
    scale = preprocess.target.scale
    if not preprocess.heads or scale is None:
        return []
    units: list[float] = scale.tolist()
    return [Goal(head.name, len(head.classes), unit) for head, unit in zip(preprocess.heads, units, strict=True)]


def _unit(preprocess: Preprocess) -> float:
    """Of several targets each metric has its own."""
    if preprocess.heads:
        return 1.0
    return 1.0 if preprocess.target.scale is None else float(preprocess.target.scale.mean())

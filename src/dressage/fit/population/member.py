"""One training of a population, and which of them can take their steps together."""

from __future__ import annotations

from dataclasses import dataclass

from dressage.catalogue import parse
from dressage.data.batches import Batches, StreamedBatches
from dressage.data.source import Part
from dressage.fit.plan import Plan
from dressage.fit.population.chain import Chain, chain_of
from dressage.fit.population.network import Network, network_of
from dressage.fit.state import State
from dressage.recipe import Recipe

BY_FORMULA = ("gd", "sgd", "momentum", "nesterov", "adam", "adamw")
"""Optimisers whose update is made for all members at once."""
EACH_ALONE = ("rmsprop", "adagrad", "adadelta", "nadam")
"""Those whose own step is called for each member."""
STACKED = ("l2", "l1", "elastic_net", "vanilla_dropout", "activation_noise", "input_noise")
"""Techniques of `regularize` whose strength may differ from member to member."""

Form = Chain | Network


@dataclass(frozen=True, slots=True)
class Member:
    """A training that stands between two steps: what `fit` is given, and its recipe."""

    recipe: Recipe
    state: State
    batches: Batches
    plan: Plan
    validation: Part | None = None


def misfit(member: Member) -> str:
    """Why a training has to be carried out alone; empty where it may be one of a population."""
    recipe, state, plan = member.recipe, member.state, member.plan
    others = [name for name in _names(recipe) if name not in STACKED]
    name = parse(recipe.optim.name)[0]
    reasons = {
        "its parameters are not joined": not state.is_flat,
        "some of its parameters are frozen": not all(p.requires_grad for p in state.model.parameters()),
        "its layers have rates of their own": plan.thaw is not None,
        "its data is drawn anew each epoch": isinstance(member.batches, StreamedBatches),
        f"optim.name = {name}": name not in BY_FORMULA + EACH_ALONE,
        "its batches are cut into pieces": plan.accumulate > 1,
        "its samples are seen in several views": plan.objective.views > 1,
        "it computes in bf16": plan.autocast is not None,
        f"regularize.techniques has {others[0] if others else ''}": bool(others),
    }
    if reason := next((reason for reason, holds in reasons.items() if holds), ""):
        return reason
    form = form_of(member)
    return form if isinstance(form, str) else ""


def form_of(member: Member) -> Form | str:
    """How the network is computed for many members at once, or why it cannot be."""
    batches = member.batches
    if chain := chain_of(member.state.model):
        return chain
    first = batches.part.rows[:2]
    return network_of(member.state.model, lambda: member.plan.cast(batches.part.x[first].to(batches.device)))


def kin(member: Member) -> tuple[object, ...]:
    """What members of one population have in common; all else may differ: rate, schedule, decay, momentum, dropout, smoothing,
    the strength of penalties, limits of clipping, seeds.
    """
    recipe, batches, plan = member.recipe, member.batches, member.plan
    optim, form = recipe.optim, form_of(member)
    loss = recipe.loss.model_copy(update={"label_smoothing": 0.0}) if is_smoothed(recipe) else recipe.loss
    assert not isinstance(form, str)
    return (
        (id(batches.part.x), id(batches.part.y), id(batches.part.rows), tuple(batches.bounds), str(batches.device)),
        None if member.validation is None else id(member.validation.rows),
        (type(form), form.text, recipe.data.model_dump_json(), member.state.weights[0].dtype),
        (optim.name, optim.beta1, optim.beta2, optim.eps, loss.model_dump_json(), recipe.average, plan.average),
        (tuple(_names(recipe)), plan.stop_on_nonfinite, plan.unit, optim.momentum > 0),
        (member.state.epoch, member.state.batch, member.state.step, _begun(member.state)),
    )


def sketch(member: Member) -> str:
    """The network's layers and the kinds of noise between them, in words."""
    chain = form_of(member)
    assert not isinstance(chain, str)
    if isinstance(chain, Network):
        return chain.text
    return f"{chain.layers} { ({at: [type(m).__name__ for m in each] for at, each in chain.noise.items()}) }"


def is_smoothed(recipe: Recipe) -> bool:
    """Whether the loss is one whose labels can be smoothed."""
    return parse(recipe.loss.name)[0] == "cross_entropy"


def _names(recipe: Recipe) -> list[str]:
    return [parse(written)[0] for written in recipe.regularize.techniques]


def _begun(state: State) -> bool:
    return bool(state.optimizer.state)

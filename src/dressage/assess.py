"""After the last step: what the trained network is worth on each part, written as evaluation.json."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from dressage.augment.views import catalogue as views
from dressage.data.preprocess import Preprocess
from dressage.data.source import Part
from dressage.evaluate import Evaluation, exhibit, gaps_of, judge, judge_several, judge_views
from dressage.fit.plan import Plan
from dressage.fit.state import State
from dressage.fit.validate import outputs_of
from dressage.fit.views import answers
from dressage.objective import Objective
from dressage.objective.contrastive import Contrastive, samples_in_a_group
from dressage.objective.several import Several
from dressage.prepare import Job

TRAIN_ROWS = 10_000  # of the training part that are judged: its score is known to a percent then


def assess(job: Job, again: Job | None = None) -> dict[str, Evaluation]:
    """The best network's evaluation of every part; the training part by up to 10,000 of its rows.

    `again`: the network that was trained anew on training and validation rows. It predicts, so the test part judges it; the
    other parts judge the first one, which has not learned from the validation rows.
    """
    judged = {}
    for name in ("test", "validation", "train_dev", "train"):
        by = again if again is not None and name == "test" else job
        part = by.parts.get(name)
        if part is not None:
            load_best(by.state)
            sample = Part(name, part.x, part.y, _thinned(part.rows, TRAIN_ROWS)) if name == "train" else part
            judged[name] = assess_part(by, sample)
            if by.recipe.evaluate.views != "none":
                judged[name]["views"] = by.recipe.evaluate.views
            if again is not None:
                judged[name]["network"] = "first" if by is job else "refit"
    return judged


def written(evaluation: dict[str, Evaluation], target_error: float) -> dict[str, object]:
    """What evaluation.json holds: each part, and what the gaps between their errors say."""
    found = gaps_of(evaluation, target_error)
    return {**evaluation, **({"gaps": found} if found else {})}


def assess_part(job: Job, part: Part) -> Evaluation:
    """One part, judged in the target's own units."""
    source, seen = job.source, views.build(job.recipe.evaluate.views)
    if isinstance(job.plan.objective, Contrastive):
        return assess_views(job.state.judged, part, job.plan, job.recipe.seed)
    finish = partial(final_outputs, preprocess=job.preprocess, objective=job.plan.objective)
    outputs = answers(job.state.judged, part, job.plan, seen, finish, job.recipe.seed).mean
    y = source.y[part.rows]
    if source.heads:
        return judge_several(
            source.heads,
            outputs,
            y,
            part=part.name,
            ids=source.ids,
            rows=part.rows,
            reference=source.y[job.parts["train"].rows],
            show=exhibit(source),
            seed=job.recipe.seed,
        )
    return judge(
        source.task,
        outputs.reshape(y.shape) if source.task == "regression" else outputs,
        y,
        part=part.name,
        classes=source.classes,
        ids=source.ids,
        rows=part.rows,
        reference=source.y[job.parts["train"].rows],
        show=exhibit(source),
        targets=[source.target] if source.target else (),
        seed=job.recipe.seed,
    )


def assess_views(network: nn.Module, part: Part, plan: Plan, seed: int) -> Evaluation:
    """One part of images, judged by two views of each that are the same each time."""
    assert isinstance(plan.objective, Contrastive)
    losses, found = plan.objective.each(outputs_of(network, part, plan))
    return judge_views(losses, found, samples_in_a_group(len(part)), part=part.name, seed=seed)


def final_outputs(outputs: Tensor, preprocess: Preprocess, objective: Objective) -> Tensor:
    """Probabilities `(N, C)`, or values in the target's units; of several targets side by side."""
    if preprocess.task == "classification":
        return objective.probabilities(outputs.double())
    if isinstance(objective, Several):
        return _in_units(objective.answers(outputs.double()), preprocess)
    values = objective.values(outputs.double())
    return preprocess.target.invert(values.squeeze(1) if values.dim() == 2 and values.shape[1] == 1 else values)


def _in_units(answers: Tensor, preprocess: Preprocess) -> Tensor:
    """`(N, Σ C)` of several targets: probabilities as they are, values in their target's units."""
    scale, mean = preprocess.target.scale, preprocess.target.mean
    assert scale is not None and mean is not None
    wide = torch.tensor([head.outputs for head in preprocess.heads])
    return answers * scale.repeat_interleave(wide).to(answers) + mean.repeat_interleave(wide).to(answers)


def load_best(state: State) -> nn.Module:
    """The network to judge with the best weights that were seen."""
    if state.best:
        state.judged.load_state_dict(state.best)
    return state.judged.eval()


def _thinned(rows: Tensor, most: int) -> Tensor:
    if len(rows) <= most:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most).long()]

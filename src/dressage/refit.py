"""The second training of a run: anew on training and validation rows together, as long as the first has shown to be good.

A validation part is held out to see how a training goes, not because its rows teach nothing; of little data it is a share
that is missed. So, where `train.refit` is set, a new network is trained on all rows but the test part's, and that one
predicts. How long: what the first training showed at its end and at its best is held against each other, row by row.
"""

from __future__ import annotations

import copy
import math
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dressage.errors import RecipeError
from dressage.files import writing
from dressage.fit import State
from dressage.fit.validate import outputs_of
from dressage.jobfile import read_job, write_job
from dressage.models.foreign import Made
from dressage.optim import FULL_BATCH, name_of
from dressage.optim.averages import in_proportion
from dressage.optim.thaw import in_proportion as thaw_in_proportion
from dressage.prepare import Job, prepare_rows
from dressage.record import put_back
from dressage.resolve import Resolved
from dressage.store.folder import RunFolder

FOLDER = "refit"
"""Where a run folder has its second training: recipe, preprocessing, curves and checkpoints of its own."""
SURE = 2.0  # standard errors


def epochs_shown(job: Job) -> tuple[int, str]:
    """How many epochs the second training has, and why, when the first is over.

    A regression, or a training for several targets, has those up to its lowest validation loss, which is what it is judged
    by. In a classification that loss turns up with the network's confidence, long before its answers get worse (Guo et al.
    2017); so it has all that were planned, unless the best weights answered more validation rows right than the last by two
    standard errors of the row-by-row difference.
    """
    planned, best = job.recipe.train.epochs, job.state.best_step // job.batches.steps_per_epoch
    if not job.state.best or best >= planned:
        return planned, "all that were planned: the last was the best"
    if job.source.task != "classification":
        return best, "then its validation loss was lowest"
    gained = _scores(job, best=True) - _scores(job, best=False)
    error = float(gained.std()) / math.sqrt(len(gained))
    if float(gained.mean()) > SURE * error:
        return best, f"after that it answered {int(gained.sum())} more of {len(gained)} validation rows wrong"
    lost = int(gained.sum())
    rows = f"of {len(gained)} validation rows"
    told = f"{-lost} more {rows} right" if lost < 0 else f"as many {rows} right"
    told = f"{lost} {rows} fewer right, which is noise" if lost > 0 else told
    return planned, f"all that were planned: in the end it answered {told}"


def second_job(first: Job, epochs: int, why: str, made: Made | None = None) -> Job:
    """A new network for the training and validation rows of `first` together; the test part is the same.

    The preprocessing is fitted anew on those rows. Raises RecipeError where the network was given made: it cannot begin anew.
    """
    if isinstance(made, nn.Module):
        found, expected = "a network that is made already was given", "expected one that can be made anew"
        raise RecipeError.of("train.refit", found, expected, "give its class, or a function that makes it")
    resolved = first.resolved.put("train.epochs", epochs, "inferred", why)
    for path, value in (("train.patience", 0), ("train.refit", False)):
        resolved = resolved.put(path, value, "inferred", "there is no validation part")
    if _sees_all(first):
        resolved = resolved.put("train.batch_size", len(_rows(first)["train"]), "inferred", "a step sees all rows")
    resolved = replace(_in_proportion(resolved, first), start=first.start)
    # The weights that were taken over are kept once, in the folder of the run.
    return replace(prepare_rows(first.source, _rows(first), resolved, made), start=None)


def _in_proportion(resolved: Resolved, first: Job) -> Resolved:
    """Lengths that were written in steps have their share of a training that is shorter or longer than the first."""
    recipe, written = resolved.recipe, first.recipe
    before = written.train.epochs * first.batches.steps_per_epoch
    after = recipe.train.epochs * _steps_per_epoch(first)
    why = f"the same share of {after} steps as of {before}"
    if recipe.schedule.warmup >= 1:
        resolved = resolved.put("schedule.warmup", recipe.schedule.warmup / before, "inferred", why)
    layers = thaw_in_proportion(recipe.transfer.layers, written.train.epochs, recipe.train.epochs)
    if layers != recipe.transfer.layers:
        resolved = resolved.put("transfer.layers", layers, "inferred", why)
    average = in_proportion(recipe.average, before, after)
    return resolved if average == recipe.average else resolved.put("average", average, "inferred", why)


def taken_up(first: Job, folder: RunFolder, made: Made | None) -> tuple[Job, list[str]]:
    """The second training of a run whose first is over, as far as it has come; and which of its checkpoints were damaged."""
    again = _laid_down(first, folder.path / FOLDER, made)
    told = put_back(again, folder.path / FOLDER)
    for text in told:
        folder.note(text, step=again.state.step)
    return again, told


def _laid_down(first: Job, place: Path, made: Made | None) -> Job:
    """The same before its first step; its folder is made where there is none, and what was decided then stays."""
    if (place / "recipe.toml").is_file():  # the last file that is written
        known = read_job(place)
        return second_job(first, known.recipe.train.epochs, known.reasons["train.epochs"]["reason"], made)
    job = second_job(first, *epochs_shown(first), made)
    with writing(place, 0):
        shutil.rmtree(place, ignore_errors=True)  # what a kill has left half laid down
        place.mkdir()
    write_job(place, job, None, own_model=made is not None)
    return job


def most_steps(first: Job) -> int:
    """Steps of the second training, if it has all epochs; 0 where there is none."""
    train = first.recipe.train
    return train.epochs * _steps_per_epoch(first) if train.refit else 0


def _steps_per_epoch(first: Job) -> int:
    return 1 if _sees_all(first) else -(-len(_rows(first)["train"]) // first.recipe.train.batch_size)


def _sees_all(first: Job) -> bool:
    """Whether a step of the first training saw all its rows because its optimiser wants to."""
    recipe = first.recipe
    return name_of(recipe.optim.name) in FULL_BATCH and recipe.train.batch_size == len(first.parts["train"])


def told_of(second: Job) -> dict[str, dict[str, object]]:
    """What status.json says of a second training."""
    why = second.resolved.reasons["train.epochs"].why
    return {"refit": {"rows": len(second.parts["train"]), "epochs": second.recipe.train.epochs, "why": why}}


def _rows(first: Job) -> dict[str, Tensor]:
    parts = first.parts
    rows = {"train": torch.cat([parts["train"].rows, parts["validation"].rows]).sort().values}
    return rows | ({"test": parts["test"].rows} if "test" in parts else {})


def _scores(job: Job, *, best: bool) -> Tensor:
    """`(N,)`: what each validation row adds to the metric, by the best weights of the first training or by its last."""
    network, part, objective = _network(job.state, best=best), job.parts["validation"], job.plan.objective
    outputs = outputs_of(network, part, job.plan)
    y = part.targets.to(outputs.device)
    return torch.stack([objective.score(outputs[i : i + 1], y[i : i + 1]).double() for i in range(len(y))])


def _network(state: State, *, best: bool) -> nn.Module:
    if not best:
        return state.judged
    network = copy.deepcopy(state.judged)
    network.load_state_dict(state.best)
    return network

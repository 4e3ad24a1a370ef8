"""A run that somebody looks at: its scores, its curves, and its network put to use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from torch import Tensor, nn

from dressage.assess import assess_views, final_outputs
from dressage.augment.views import catalogue as views
from dressage.data.inputs import Inputs, open_inputs
from dressage.data.preprocess import Preprocess
from dressage.data.source import Head, Part, spans
from dressage.errors import DataError, RunError
from dressage.evaluate import Evaluation, judge, judge_several
from dressage.evaluate.stored import read_evaluation
from dressage.files import read_json
from dressage.fit import Plan, make_plan
from dressage.fit.views import Answers, answers
from dressage.jobfile import JobFile, read_job
from dressage.models.foreign import Made
from dressage.prepare import build_network, goals_of
from dressage.recipe import Recipe
from dressage.refit import FOLDER
from dressage.report import write_report
from dressage.report.notebook import run_html
from dressage.store.checkpoint import require_same
from dressage.store.folder import RunFolder
from dressage.store.kept import kept_weights
from dressage.store.reader import History, read_history


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network says of new rows."""

    ids: Sequence[str]
    classes: Sequence[str]
    """Names of the classes, in the order of the columns of `probabilities`; empty in a regression."""
    probabilities: Tensor | None
    """`(N, C)` float64 in a classification."""
    values: Tensor | None
    """`(N,)` or `(N, T)` float64 in the target's units, in a regression."""
    notes: Sequence[str] = ()
    """What was assumed or left aside in reading the rows."""
    spread: Tensor | None = None
    """With evaluate.views = mc_dropout: the standard deviation over the passes, of the shape of probabilities or values."""
    each: Mapping[str, Prediction] = field(default_factory=dict)
    """What it says of each of several targets, which have all the rest; empty for one."""

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each row; empty in a regression."""
        return [] if self.probabilities is None else [self.classes[i] for i in self.probabilities.argmax(1).tolist()]


class Run:
    """One training of one recipe, in its folder."""

    def __init__(self, folder: Path, model: Made | None = None) -> None:
        self.folder = folder
        self._made = model

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, status={self.status!r})"

    def _repr_html_(self) -> str:
        return run_html(self.folder)

    @property
    def made(self) -> Made | None:
        """The network of the user's own, as it was given; None where there was none."""
        return self._made

    @cached_property
    def job(self) -> JobFile:
        """What the folder says of the job."""
        return read_job(self.folder)

    @cached_property
    def kept(self) -> JobFile:
        """The job of the network that predicts: the run's, or the training on all rows that followed it."""
        return read_job(self.folder / FOLDER) if self._is_judged and self.recipe.train.refit else self.job

    @property
    def recipe(self) -> Recipe:
        """The whole recipe."""
        return self.job.recipe

    @property
    def status(self) -> str:
        """running, finished, interrupted or diverged."""
        return str(RunFolder.open(self.folder).status()["status"])

    @property
    def evaluation(self) -> dict[str, Any]:
        """The evaluation of each part (`dressage.evaluate` has the form); empty before the run has finished."""
        return {part: judged for part, judged in self._judged.items() if part != "gaps"}

    @property
    def gaps(self) -> dict[str, Any]:
        """What the gaps between training, validation and test error say, and what to do next; empty before the end."""
        return dict(self._judged.get("gaps", {}))

    @property
    def _judged(self) -> dict[str, Any]:
        return read_evaluation(self.folder) if self._is_judged else {}

    @property
    def _is_judged(self) -> bool:
        return (self.folder / "evaluation.json").is_file()

    @property
    def metrics(self) -> dict[str, float]:
        """The scores on the test part, or on the validation part where there is no test part."""
        judged = self.evaluation.get("test") or self.evaluation.get("validation") or {}
        return {name: values["value"] for name, values in judged.get("metrics", {}).items()}

    @property
    def history(self) -> History:
        """What was recorded step by step and epoch by epoch."""
        return read_history(self.folder)

    @property
    def refit(self) -> dict[str, Any]:
        """The training on all rows that followed: `rows`, `epochs` and why so many; empty where there was none."""
        return dict(RunFolder.open(self.folder).status().get("refit", {}))

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The faults that were found."""
        return self.history.findings

    @property
    def repair(self) -> dict[str, Any]:
        """What a repair of this run, or that made it, tried and changed; empty where there was none."""
        place = self.folder / "repair.json"
        return read_json(place) if place.is_file() else {}

    @cached_property
    def model(self) -> nn.Module:
        """The network that predicts, in evaluation mode, on the CPU: the best weights, or those trained anew on all rows.

        Raises RunError when there is no checkpoint, or when the run's network was the user's own and was not given.
        """
        return network_of(self.kept, self._made)

    def predict(self, data: object) -> Prediction:
        """What the network says of new rows: a path, arrays or a frame of the kind that it was trained on. Raises DataError."""
        inputs, found = self.answers(data)
        return prediction_of(self.job, inputs, found)

    def evaluate(self, data: object, y: object = None) -> dict[str, Any]:
        """Judges the network on rows whose targets are known (form: `dressage.evaluate`). Raises DataError without targets.

        One that learned without labels is judged by two views of each row.
        """
        if self.kept.data["task"] == "contrastive":
            return {**_judged_by_views(self.kept, self.model, open_inputs(data, self.kept.preprocess(), y=y))}
        inputs, found = self.answers(data, y)
        seen = self.recipe.evaluate.views
        return {**judged(self.job, inputs, found.mean), **({} if seen == "none" else {"views": seen})}

    def report(self) -> Path:
        """Writes report.html anew and says where it is."""
        return write_report(self.folder)

    def answers(self, data: object, y: object = None) -> tuple[Inputs, Answers]:
        """New rows as they were read, and what the network answers to each."""
        inputs = open_inputs(data, self.kept.preprocess(), y=y)
        return inputs, answers_of(self.kept, self.model, inputs.x)


def network_of(job: JobFile, made: Made | None = None) -> nn.Module:
    """The network of a training, in evaluation mode, on the CPU: its best weights, or its last where none are best.

    Raises RunError when there is no checkpoint, or when the network was the user's own and was not given.
    """
    if job.own_model and made is None:
        raise RunError.of(
            job.folder,
            "trained with a network of your own",
            "expected that network",
            "give it: load(folder, model=Net), or --model FILE.py:Name",
        )
    weights = kept_weights(job.folder, job.recipe)
    network = build_network(job.recipe, job.input_shape, job.outputs, made, job.preprocess().blocks)
    require_same(weights, network.state_dict(), job.folder)
    network.load_state_dict(weights)
    return network.eval()


def answers_of(job: JobFile, network: nn.Module, x: Tensor | pa.Table, rows: Tensor | None = None) -> Answers:
    """What a trained network answers to `x`, as it was opened, or to these rows of it."""
    preprocess = job.preprocess()
    part, plan = _asked(job, preprocess, x, rows)
    finish = partial(final_outputs, preprocess=preprocess, objective=plan.objective)
    return answers(network, part, plan, views.build(job.recipe.evaluate.views), finish, job.recipe.seed)


def _asked(job: JobFile, preprocess: Preprocess, x: Tensor | pa.Table, rows: Tensor | None = None) -> tuple[Part, Plan]:
    """New rows as the network gets them, and the plan by which it was trained."""
    inputs = preprocess.apply(x)
    part = Part("new data", inputs, torch.zeros(len(inputs)), torch.arange(len(inputs)) if rows is None else rows)
    steps = -(-job.data["parts"]["train"]["size"] // job.recipe.train.batch_size)
    return part, make_plan(job.recipe, steps, job.outputs, preprocess.cast, goals=goals_of(preprocess))


def _judged_by_views(job: JobFile, network: nn.Module, inputs: Inputs) -> Evaluation:
    """Of a network that learned without labels. Raises DataError for a single row."""
    if len(inputs.ids) < 2:
        expected = "expected others that its views are told from"
        raise DataError.of("data", "one row", expected, "give more rows, or use predict")
    part, plan = _asked(job, job.preprocess(), inputs.x)
    return assess_views(network, part, plan, job.recipe.seed)


def prediction_of(job: JobFile, inputs: Inputs, found: Answers) -> Prediction:
    """The answers to new rows, with the names of the training."""
    if job.heads:
        return _of_each(job.heads, inputs, found)
    classes = list(job.data["classes"])
    if job.data["task"] == "classification":
        return Prediction(inputs.ids, classes, found.mean, None, inputs.notes, found.spread)
    return Prediction(inputs.ids, (), None, found.mean, inputs.notes, found.spread)


def judged(job: JobFile, inputs: Inputs, answers: Tensor) -> Evaluation:
    """The answers to new rows held against their targets. Raises DataError where they have none."""
    if inputs.y is None:
        expected = f"expected a column or labels for '{job.data['target']}'"
        raise DataError.of("data", "it has no target", expected, "use predict instead")
    if job.heads:
        return judge_several(job.heads, answers, inputs.y, part="new data", ids=inputs.ids)
    classes = job.data["classes"]
    return judge(job.data["task"], answers, inputs.y, part="new data", classes=classes, ids=inputs.ids)


def _of_each(heads: Sequence[Head], inputs: Inputs, found: Answers) -> Prediction:
    """The prediction of several targets, whose answers `(N, Σ C)` lie side by side."""
    each = {}
    for head, own in zip(heads, spans(heads), strict=True):
        mean, spread = found.mean[:, own], None if found.spread is None else found.spread[:, own]
        if head.classes:
            each[head.name] = Prediction(inputs.ids, list(head.classes), mean, None, (), spread)
        else:
            each[head.name] = Prediction(inputs.ids, (), None, mean[:, 0], (), None if spread is None else spread[:, 0])
    return Prediction(inputs.ids, (), None, None, inputs.notes, each=each)


def load(folder: Path | str, *, model: Made | None = None) -> Run:
    """The run in a folder; `model` is needed only to use the network of a run that was trained with your own."""
    return Run(RunFolder.open(Path(folder)).path, model)

"""All that is known of one watched training: what it is, what was seen of it, how it began, and what may still be spent on it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dressage.clock import work_seconds
from dressage.findings import Finding
from dressage.preflight.known import baselines_of
from dressage.preflight.loss_form import asks_for_means
from dressage.subject import Lab, Rows, Subject, copy_of, judged, labels_of, metric_of, outputs_of
from dressage.subject.baselines import Baselines
from dressage.subject.inputs import Inputs, hooks_standing
from dressage.subject.outputs import Join, Pick
from dressage.subject.subject import Loss
from dressage.subject.untouched import copy_with
from dressage.watch.calls import as_module
from dressage.watch.compared import without_classes
from dressage.watch.composed import Own
from dressage.watch.gathered import Gathered
from dressage.watch.held_out import HeldOut
from dressage.watch.nodes import Nodes
from dressage.watch.parted import LOOKED_AT, Parts
from dressage.watch.replayed import Replayed
from dressage.watch.rules.twice import taken_twice
from dressage.watch.spared import lay_aside
from dressage.watch.telemetry import Telemetry

RACED_ROWS = 2048
BASELINE_SECONDS = 8.0
ALL_SUSPECTS = "race ()"
"""Under which the race of all suspects is remembered."""


@dataclass
class Case:
    """One watched training."""

    subject: Subject
    """Its data as the network is given it, once a step was seen; its model is the live one, which is never run."""
    seconds: float
    loss_given: object = None
    """The loss as it was given."""
    kind: object = None
    """The loss by whose type its meaning is known: what was given, or torch's own that it was seen to be."""
    pick: Pick | Join | None = None
    """Which of several outputs the loss takes."""
    telemetry: Telemetry = field(default_factory=Telemetry)
    start: tuple[nn.Module, Optimizer] | None = None
    """Copies of model and optimiser as they were when the watch began."""
    given_validation: Rows | None = None
    """Validation rows as they were given, before they were brought into the form of the training inputs."""
    validation_input: Tensor | None = None
    """Inputs of the first pass of the last validation that was seen."""
    validation_inputs: Inputs | None = None
    """All that a pass of it was given, where that is more than one tensor."""
    held: HeldOut | None = None
    """Rows of a validation of the loop's own, where none were given."""
    gathered: Gathered | None = None
    """Rows of probed batches, where no data was given or it could not be followed."""
    replayed: Replayed = field(default_factory=Replayed)
    """The same of a network that takes several inputs, or gives its loss itself."""
    own: Own = field(default_factory=Own)
    """A loss that is none of torch's and was not given, of rows that were not given either."""
    nodes: Nodes = field(default_factory=Nodes)
    """The same of a network that answers for all nodes of a graph at once, where the loss takes some."""
    batches: list[Tensor] = field(default_factory=list)
    """Inputs of the first probed steps."""
    pair: tuple[Tensor, Tensor] | None = None
    """What the loss was given in the last probed step."""
    parts: deque[Parts] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))
    """What the parts of the loss cost in the last probed steps, where the loop adds several."""
    first: tuple[Tensor, Tensor] | None = None
    """Inputs and targets of the first step, where it was one batch of one tensor, and not large."""
    bad_input: int | None = None
    """Step whose inputs held a number that is not finite."""
    waited: list[float] = field(default_factory=list)
    considered: int = 0
    told_nonfinite: bool = False
    is_aligned: bool = False
    is_formed: bool = False
    """Whether it was looked at how the loss takes outputs and targets."""
    is_faithful: bool = True
    """Whether the loss is understood."""
    penalised: str = ""
    """How the loop's loss was seen to hold more than what the outputs cost; empty where it was not."""
    examined: bool = False
    spent: float = 0.0
    running: tuple[float, float] | None = None
    """Of the examination that is under way: what was spent before it, and when it began."""
    reserve: float = 0.0
    """Seconds that are kept for the judgement at the end."""
    began: float = field(default_factory=work_seconds)
    notes: list[str] = field(default_factory=list)
    twice: list[Finding] = field(default_factory=list)
    """What the first loss was seen to take twice."""
    lasting: list[Finding] = field(default_factory=list)
    """What the examination of the beginning has found."""
    step_seconds: float = 0.0
    """Of a step that is not probed."""
    clip_norm: float = 0.0
    """Norm that the loop clips its gradients to, where that is known."""
    anneals: bool = False
    """Whether the rate is known to fall over the training: before its end, what the rate is now says little."""
    head_is_right: bool = False
    """Whether last layer and loss were made for the task."""
    higher_is_better: bool | None = None
    """Which way the metric that validations tell gets better, where that is known."""
    memory: dict[str, object] = field(default_factory=dict)
    """What proofs have found already, so that nothing is proven twice."""

    @staticmethod
    def of(subject: Subject, seconds: float) -> Case:
        """The case before its first step."""
        subject = without_classes(subject)
        case = Case(subject, seconds, subject.loss_fn, as_module(subject.loss_fn), notes=list(subject.notes))
        case.gathered = Gathered() if subject.train is None else None
        try:
            model, optimizer = subject.fresh()
            assert optimizer is not None
            lay_aside(model)
            case.start = (model, optimizer)
        except Exception as error:  # what a model of the user's raises when it is copied
            case.notes.append(f"the model cannot be copied ({type(error).__name__}), so that no cause can be proven")
        return case

    @property
    def model(self) -> nn.Module:
        """The live model."""
        return self.subject.model

    @property
    def optimizer(self) -> Optimizer:
        """The live optimiser."""
        assert self.subject.optimizer is not None
        return self.subject.optimizer

    @property
    def loss_fn(self) -> Loss | None:
        """The loss, if it was given."""
        return self.subject.loss_fn

    @property
    def follows_loss(self) -> bool:
        """Whether it is still to be seen what the loop does to outputs: neither loss nor data is known otherwise."""
        is_unknown = not self.is_formed or self.own.loss is not None or self.own.is_beside
        return self.gathered is not None and self.replayed.own_loss is None and is_unknown and self.own.is_wanted

    @property
    def tells_by_loss_alone(self) -> bool:
        """Whether the rows have no targets by which a score could be told."""
        return self.replayed.own_loss is not None or (self.own.loss is not None and not self.own.loss.is_plain)

    @property
    def is_unjudged(self) -> bool:
        """Whether no copy can be trained, or what it gives cannot be judged: then what is seen of the loop alone is told."""
        has_no_score = self.gathered is not None and self.subject.task is None
        return self.lab(start=True) is None or has_no_score or not self.is_faithful

    @property
    def has_judge(self) -> bool:
        """Whether there is a metric that tells how well outputs do: R² does not of a loss that asks for no values."""
        metric = self.subject.metric
        if metric is None:
            return False
        return metric.name != "r2" or self.proven("means", lambda: asks_for_means(self.subject)) is not False

    def trace(self, loss: Tensor) -> None:
        """Looks at the operations that led to the first loss."""
        self.twice = taken_twice(loss, 1)

    def standing(self) -> AbstractContextManager[None]:
        """Copies that are made of the live network meanwhile take rows that hold several inputs, and give what the loss takes."""
        return hooks_standing(self.model, self.replayed.unfold, self.pick)

    def used(self) -> float:
        """Seconds that examinations have taken, the one that is under way too: proofs have counted a part of it."""
        if self.running is None:
            return self.spent
        before, began = self.running
        return max(self.spent, before + work_seconds() - began)

    def time_left(self) -> float:
        """Seconds that examinations may still take."""
        return max(self.seconds, 0.05 * (work_seconds() - self.began)) - self.used() - self.reserve

    def deadline(self, most: float = 1e9) -> float:
        """The moment by which an examination has to end."""
        return work_seconds() + min(most, self.time_left())

    def lab(self, *, start: bool, most: int = RACED_ROWS) -> Lab | None:
        """The training as it began, or as it is now, on the sampled rows; None where it cannot be continued."""
        subject = self.subject
        if subject.loss_fn is None or subject.train is None or self.start is None:
            return None
        rows = subject.train.head(most)
        model, optimizer = self.start if start else (self.model, self.optimizer)
        size = min(rows.batch_size or 64, len(rows))
        lab = Lab(model, optimizer, subject.loss_fn, rows.x, rows.y, size, subject.metric, subject.penalty)
        return replace(lab, clip_norm=self.clip_norm, after_step=subject.after_step)

    def now(self) -> tuple[float, float]:
        """Loss and metric of the network as it is, on training rows in eval mode; NaN where they cannot be had."""
        lab = self.lab(start=False)
        if lab is None:
            return float("nan"), float("nan")
        return judged(lab, copy_with(self.model, None)[0])

    def was_raced(self, steps: int) -> bool:
        """Whether continuations of so many steps at least were tried: time may have been short."""
        race = self.memory.get(ALL_SUSPECTS)
        return getattr(getattr(race, "control", None), "steps", 0) >= steps

    def was_cut_short(self) -> bool:
        """Whether continuations had no time for half of their steps, or for all suspects: what did not help is not refuted."""
        wanted = min(200, max(30, self.telemetry.step))
        untried = getattr(self.memory.get(ALL_SUSPECTS), "untried", ())
        return ALL_SUSPECTS in self.memory and (bool(untried) or not self.was_raced(wanted // 2))

    def validation_metric(self) -> float:
        """Metric of the network as it is on the validation rows, in eval mode; NaN without them."""
        rows, metric = self.subject.validation, self.subject.metric
        if rows is None or metric is None:
            return float("nan")
        rows = rows.head(RACED_ROWS)
        return metric_of(metric, outputs_of(copy_of(self.model), rows.x).cpu(), rows.y)

    def naive_loss(self) -> float:
        """Loss of a guess by class shares, −Σ p log p, in a classification by cross-entropy; NaN elsewhere."""
        rows, task, kinds = self.subject.train, self.subject.task, nn.CrossEntropyLoss | nn.NLLLoss
        is_known = isinstance(self.loss_fn, kinds) or (isinstance(self.kind, kinds) and self._begins_at_chance())
        if rows is None or task != "classification" or not is_known:
            return float("nan")
        # Whole numbers are classes wherever they stand: of a row, a letter, a pixel; below 0 is what no loss counts.
        labels = labels_of(rows.y, task) if rows.y.is_floating_point() else rows.y[rows.y >= 0]
        shares = torch.bincount(labels.flatten()).double() / max(1, labels.numel())
        return float(-(shares * shares.clamp_min(1e-300).log()).sum())

    def _begins_at_chance(self) -> bool:
        """Whether the first loss is about log C: of one class a row, and in no other units."""
        first = next(iter(self.telemetry.losses), math.nan)  # the next may be those of a rate that is far too high
        return 1 / 3 < first / math.log(max(2, self.subject.classes)) < 3

    def proven(self, key: str, proof: Callable[[], object]) -> object:
        """What `proof` gives, found once."""
        if key not in self.memory:
            began = work_seconds()
            try:
                self.memory[key] = proof()
            finally:
                self.spent += work_seconds() - began
        return self.memory[key]

    @property
    def baselines(self) -> Baselines | None:
        """What simple models reach on the sampled rows; None without data, or where the loss asks for something else."""
        if self.proven("means", lambda: asks_for_means(self.subject)) is False:
            return None
        began = work_seconds()
        try:
            return baselines_of(self.subject, self.deadline(BASELINE_SECONDS))
        finally:
            self.spent += work_seconds() - began

"""The consumer of a training of ours that judges it: telemetry from its events, findings as they come, a verdict at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace

from torch import Tensor

from dressage.clock import work_seconds
from dressage.examine import examined, subject_of_job
from dressage.findings import Finding, ranked
from dressage.fit import EndEvent, EpochEvent, Event, ExamineEvent, FindingEvent, StepEvent
from dressage.objective import Objective
from dressage.objective.several import Part, Several
from dressage.preflight.catalogue import CHECKS
from dressage.prepare import Job
from dressage.remedies import in_a_recipe
from dressage.stopping import Overdue, Stop
from dressage.store.database import Recorder
from dressage.watch import Watch
from dressage.watch.case import Case
from dressage.watch.probe import StepProbe
from dressage.watch.telemetry import Validation

SECONDS = 5.0
"""That the checks before the first step may take."""
LONG = 20.0
"""Seconds of training that deserve the checks which need scikit-learn: importing it takes two."""
LEAST = 60
"""Steps below which a training is too short to be judged at its end."""
GAP = 0.1
"""Between training and validation metric: a reason to look at the data more closely."""
QUICK = ("data.nonfinite", "data.unscaled_inputs", "data.all_positive_inputs", "data.leakage", "data.duplicates")
"""Checks of the data that need no other library."""
OWN_NETWORK = ("first_loss", "loss_shape", "heads", "wiring", "row_leak", "signals", "nonlinearity", "modes")
"""Checks of the network and its loss, where it is the user's."""
VANISHING = ("model.init_too_small", "optim.vanishing_gradients", "model.saturated_activation")
Tell = Callable[[Event], None]


class JobWatch:
    """Judges one training by its events. It only reads: weights, order and noise of the training are the same without it."""

    def __init__(self, job: Job, *, own_model: bool = False) -> None:
        """Before the first step, and before a checkpoint is put back: the first weights are what proofs begin from."""
        self.job, self.own_model = job, own_model
        self.case = case_of(job, own_model=own_model)
        self._watch: Watch | None = None
        self._tell: Tell = lambda event: None
        self._stop = Stop()
        self._recorder: Recorder | None = None
        self._found: list[Finding] = []
        self._announced: set[str] = set()
        self._rate, self._deep = 0.0, False
        self._kept = self._counted = 0

    @property
    def findings(self) -> list[Finding]:
        """As things stand, ranked: those with harm, and what was noted beside; symptoms only where there is harm."""
        found = self._found if self._watch is None else self._watch.findings
        found = stuck_for_a_reason(ranked([*self.case.lasting, *found]))
        found = in_a_recipe(found, self.job, own_model=self.own_model)
        harmful = any(f.is_harmful for f in found)
        return [f for f in found if f.is_harmful or not f.is_symptom or harmful]

    @property
    def notes(self) -> list[str]:
        """What could not be checked, and why."""
        return list(dict.fromkeys(self.case.notes))

    def begin(self, stop: Stop, tell: Tell | None, known: Iterable[Finding] = ()) -> None:
        """From where the job's state stands; `known` was found before, in a run that is resumed."""
        self._stop, self._tell = stop, tell or self._tell
        step = self.job.state.step
        known = list(known)
        self._announced = {f.id for f in known if f.is_harmful}
        self.case.lasting = [f for f in known if f.step == 0]
        if step == 0:
            self._examine(QUICK + _of_network(self.job, own_model=self.own_model), SECONDS)
            self._announce()
        self._watch = Watch(
            self.case,
            on_finding=self._announce,
            probe=lambda: StepProbe(self.job.state.model, None, rate=lambda: self._rate),
            rate=lambda: self._rate,
            during=self._breakable,
            step=step,
            quiet=_quiet(self.job),
            passes=False,
        )
        self._watch.findings = [f for f in known if f.step > 0]

    def needs_no_deeper_look(self) -> None:
        """Leaves out the checks of the data that a long training, or an odd result, would call for."""
        self._deep = True

    def kept_in(self, recorder: Recorder | None) -> None:
        """Where findings and telemetry are written as they come."""
        self._recorder = recorder

    def __call__(self, event: Event) -> None:
        """Takes an event of the training. What goes wrong in watching is noted, and never reaches the training."""
        if self._watch is None or self._stop.asked:
            return
        try:
            if isinstance(event, StepEvent):
                self._rate = event.lr
                self._watch.step(event.loss)
                if self._recorder is not None and len(self.case.telemetry.probes) != self._counted:
                    self._keep_probe(self._recorder)
            elif isinstance(event, EpochEvent):
                self._validated(self._watch, event)
        except Exception as error:
            self._give_up(error)

    def end(self, event: EndEvent) -> list[Finding]:
        """The verdict on the training that has ended so."""
        watch, step = self._watch, self.job.state.step
        self._recorder = None  # it was closed with the training; all findings are kept when this returns
        if watch is None or self._stop.asked:
            return self.findings
        try:
            if event.nonfinite is not None:
                watch.stopped(step, event.nonfinite.step, event.nonfinite.where)
            if event.nonfinite is None and (why := self._not_judged(step)):
                watch.close()
                self.case.notes.append(why)
                return self.findings
            self._tell(ExamineEvent("judging the training", 0, 0))
            if event.nonfinite is None and not self._deep and self._is_odd():
                self._look_deeper()
            watch.diagnose()
            self._announce()
        except Exception as error:
            self._give_up(error)
        return self.findings

    def close(self) -> None:
        """Takes every hook away."""
        if self._watch is not None:
            self._watch.close()

    def _validated(self, watch: Watch, event: EpochEvent) -> None:
        if "val_loss" in event.metrics:
            told = validation_of(event.metrics, self.job)
            watch.validated(told.loss, told.metric)
        total = self.case.step_seconds * self.job.recipe.train.epochs * self.job.batches.steps_per_epoch
        if total > LONG and not self._deep:
            self._look_deeper()

    def _not_judged(self, step: int) -> str:
        """Why there is no verdict at the end; empty where there is one."""
        return f"too short to be judged: {step} steps, expected {LEAST} at least" if step < LEAST else ""

    def _look_deeper(self) -> None:
        self._deep = True
        self._examine(tuple(name for name, _, _ in CHECKS if name.startswith("data.") and name not in QUICK), SECONDS)
        self._announce()

    def _examine(self, checks: tuple[str, ...], seconds: float) -> None:
        known = {name for name, _, _ in CHECKS}
        started = self.case.start
        subject = replace(self.case.subject, model=started[0], optimizer=started[1]) if started else self.case.subject
        began = work_seconds()

        def progress(name: str, done: int, total: int) -> None:
            self._tell(ExamineEvent(f"checking {name}", done, total))

        with self._breakable():
            deadline = began + min(seconds, max(0.0, self.case.time_left()))
            seen = examined(subject, self.job, [name for name in checks if name in known], deadline, progress)
            self.case.lasting += [replace(f, step=0) for f in seen.findings]
            self.case.notes += [f"{c.name}: {c.said}" for c in seen.checks if "could not" in c.said or "time" in c.said]
        self.case.spent += work_seconds() - began

    def _is_odd(self) -> bool:
        """Whether the result calls for a closer look at the data: it does better on training rows than on others, or badly."""
        _, metric = self.case.now()
        held = self.case.validation_metric()
        return not metric - held <= GAP or metric < 0.9

    def _announce(self, finding: Finding | None = None) -> None:
        """Tells of each finding with harm once."""
        for found in self.findings:
            if found.is_harmful and found.id not in self._announced:
                self._announced.add(found.id)
                self._tell(FindingEvent(found))
                if self._recorder is not None:
                    self._recorder.finding(found.to_json())

    def _keep_probe(self, recorder: Recorder) -> None:
        """Telemetry for a later diagnosis: the first probes, then ever fewer."""
        probes = self.case.telemetry.probes
        self._counted = len(probes)
        if probes and probes[-1].step >= max(self._kept + 1, 1.1 * self._kept - 5):
            self._kept = probes[-1].step
            recorder.event("probe", self._kept, asdict(probes[-1]))

    @contextmanager
    def _breakable(self) -> Iterator[None]:
        """A judgement is given up at once when somebody asks for the end: the state is saved first of all."""
        with suppress(Overdue), ExitStack() as stack:
            with suppress(Overdue):  # asked for just now
                stack.enter_context(self._stop.giving_up())
            yield

    def _give_up(self, error: Exception) -> None:
        self.close()
        self._found, self._watch = self.findings, None
        self.case.notes.append(f"the training is watched no longer ({type(error).__name__}: {str(error)[:160]})")


def _of_network(job: Job, *, own_model: bool) -> tuple[str, ...]:
    """The checks of a network before its first step. Weights that were taken over are no first weights to be judged."""
    checks = OWN_NETWORK if own_model else ("signals",)
    return tuple(name for name in checks if name != "signals" or job.start is None)


def stuck_for_a_reason(found: list[Finding]) -> list[Finding]:
    """A training that fits its rows badly, and signals that were seen to vanish in its first weights: those are the cause."""
    harm = next((f for f in found if f.id == "eval.underfit"), None)
    seen = next((f for f in found if f.id in VANISHING and not f.is_harmful and f.step == 0), None)
    if harm is None or seen is None or any(f.is_harmful and f is not harm and not f.is_symptom for f in found):
        return found
    cause = replace(seen, severity="warning", evidence=f"{harm.evidence}; {seen.evidence}", step=harm.step)
    return ranked([cause, *(replace(f, severity="info") if f is harm else f for f in found if f is not seen)])


def case_of(job: Job, *, own_model: bool) -> Case:
    """A job before its first step as a case of the watch; its rows are already as the network gets them."""
    recipe = job.recipe
    subject = subject_of_job(job)
    case = Case.of(subject, recipe.watch.seconds)
    case.is_aligned = case.examined = True
    case.higher_is_better = True  # see `validation_of`
    case.head_is_right = not own_model
    case.clip_norm = recipe.optim.clip_norm
    case.anneals = not recipe.schedule.name.startswith("constant")
    return case


def validation_of(metrics: Mapping[str, float], job: Job) -> Validation:
    """What an epoch says, with a metric of which more is better: accuracy, or R² = 1 − (rmse / sd)² of a regression.

    Of several targets the mean of theirs.
    """
    objective, y = job.plan.objective, job.parts["validation"].targets
    if isinstance(objective, Several):
        each = [_of_target(metrics, part, y) for part in objective.parts]
        known = [metric for metric in each if metric is not None]
        metric = sum(known) / len(known) if len(known) == len(each) else None
    else:
        metric = _of_more(metrics.get(f"val_{objective.metric}"), objective, y, job.plan.unit)
    return Validation(0, metrics.get("val_loss"), metric, False, metrics.get("train_loss", math.nan))


def _of_target(metrics: Mapping[str, float], part: Part, y: Tensor) -> float | None:
    metric = metrics.get(f"val_{part.goal.name}_{part.objective.metric}")
    return _of_more(metric, part.objective, y[:, [part.column]], part.goal.unit)


def _of_more(metric: float | None, objective: Objective, y: Tensor, unit: float) -> float | None:
    """The metric, or R² in the place of an error."""
    if metric is None or objective.higher_is_better:
        return metric
    sd = float(y.double().std(0).square().mean().sqrt()) * unit
    return 1 - (metric / sd) ** 2 if sd > 0 else None


def _quiet(job: Job) -> int:
    """Steps before which a loss that does not fall says nothing: twice the warm-up, in which the rate is still rising."""
    total, warmup = job.recipe.train.epochs * job.batches.steps_per_epoch, job.recipe.schedule.warmup
    warm = warmup * total if warmup < 1 else warmup
    return int(max(30, 2 * warm))

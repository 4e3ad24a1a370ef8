"""What one probed pass tells of the data, the outputs and the loss: from then on copies are trained as the loop trains."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace

from torch import Tensor, nn

from dressage.subject import Rows
from dressage.subject.inputs import Inputs
from dressage.subject.ordered import are_values
from dressage.subject.outputs import Output
from dressage.subject.subject import Loss, Subject
from dressage.subject.task import asks_for_values, default_metric, task_of
from dressage.watch.aligned import align_targets, rows_in, way
from dressage.watch.asked import Asked, beside_a_penalty
from dressage.watch.case import Case
from dressage.watch.compared import without_classes
from dressage.watch.composed import taken_of
from dressage.watch.faithful import Form, added_to, find_form, formed, hidden_penalty, looks_at_weights
from dressage.watch.gathered import ENOUGH, Gathered
from dressage.watch.guessed import guessed
from dressage.watch.parted import Parts, parts_of
from dressage.watch.placed import placed
from dressage.watch.probe import StepProbe
from dressage.watch.replayed import told_among
from dressage.watch.tape import Tape

STAND_IN, NOT_HELD = "no train data", "no val data"
NOT_SEEN = "no loss was given, and none of torch's own"
SEEN = 3
"""Probed steps by which a loss would have been seen."""
FIRST = 512
"""Rows of a first batch that is kept, at most."""
LOOKS = 60
"""Probed steps after which none is looked at only for its rows."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one probed pass was given and gave."""

    input: Tensor
    """The main one."""
    inputs: Inputs | None
    """All of them, where there is more than one tensor, or the network may give its loss itself."""
    outputs: list[Output]
    numbers: list[Tensor]
    """Single numbers that the network gave: one may be its loss."""
    asked: Asked | None
    """What the loss was given."""
    is_single: bool
    """Whether the network was given one tensor and nothing else."""
    parts: Parts | None = None
    """What the parts of a loss cost that the loop adds up itself."""
    tape: Tape | None = None
    """What the loop was seen to do to the outputs."""
    beside: Asked | None = None
    """One of torch's losses that gave less than was told."""
    is_alone: bool = True
    """Whether it was the only pass of its step: of several what was told is a sum or a mean."""


def pass_of(probe: StepProbe, inputs: Tensor, found: Asked | None, told: float) -> Pass:
    """What a probed step has seen, with the call of its loss."""
    parts = None if found is not None else parts_of(probe.losses_seen)
    tape = None if probe.acts else probe.tape  # of a game the next batch is another, and its loss no cost
    alone = probe.passes == 1
    beside = (
        beside_a_penalty(probe.losses_seen, told) if alone and tape is not None and tape.takes_parameters() else None
    )
    return Pass(
        inputs, probe.inputs, probe.outputs, probe.own_losses, found, probe.is_single, parts, tape, beside, alone
    )


def follow(case: Case, seen: Pass, told: float) -> None:
    """Brings the data into the form in which the loop gives it to the network, and the loss into that of the loop's."""
    _keep(case, seen)
    seen = _with_own_loss(case, seen, told)
    if seen.asked is not None and not case.is_formed:
        _take_loss(case, seen, seen.asked, told)
    asked = seen.asked if case.loss_fn is not None else None
    place = None if asked is None or not case.is_faithful else placed(seen.outputs, asked)
    if case.is_faithful and place is None:
        asked = None  # of another pass of the step: its targets are not those of these inputs
    _say_what_is_not_seen(case)
    if place is not None and place.nodes is not None:
        _take_nodes(case, seen, place.nodes)
        return
    if case.gathered is not None and seen.inputs is not None and not (seen.is_single and _one_a_row(seen.input, asked)):
        _replay(case, seen, asked if case.is_faithful else None, told)
    if case.gathered is not None and asked is not None and not (case.replayed.batches or case.replayed.said):
        case.gathered.add(seen.input, asked.targets)
        if (rows := case.gathered.rows()) is not None:
            _stand_in(case, rows)
    if not case.is_aligned and case.subject.train is not None:
        _align(case, seen, told)


def _with_own_loss(case: Case, seen: Pass, told: float) -> Pass:
    """The pass with outputs and targets of the loop's own loss, where it is none of torch's."""
    is_known = seen.asked is not None and seen.asked.loss is not None
    if is_known or seen.tape is None or not case.follows_loss or told_among(seen.numbers, told) is not None:
        return seen
    if seen.beside is not None:
        case.own.is_beside = True
        return replace(seen, asked=seen.beside)
    stands = case.own.loss is not None
    asked = case.own.take(taken_of(seen.tape, told))
    if asked is None or case.own.loss is None:
        return seen if not case.own.is_wanted else replace(seen, asked=None)
    join = case.own.loss.join
    if not stands:
        case.notes = [n for n in case.notes if not n.startswith(NOT_SEEN)]
        if join is not None and case.start is not None:
            case.pick = join
            case.start[0].register_forward_hook(join)
    return replace(seen, asked=asked, outputs=seen.outputs if join is None else [((), asked.outputs)])


def _one_a_row(inputs: Tensor, asked: Asked | None) -> bool:
    """Whether the loss was given a target for each row, and not one for each of its places."""
    return asked is not None and len(asked.targets) == len(inputs)


def batches_missing(case: Case) -> int:
    """Passes that are still to be looked at until it is known what the loss asks for, and rows stand for data; 0: none."""
    if case.own.likeness.missing and len(case.telemetry.probes) < LOOKS:
        return case.own.likeness.missing
    if case.gathered is None or case.is_aligned or case.replayed.said or len(case.telemetry.probes) >= LOOKS:
        return 0
    kept, count = len(case.replayed.batches), case.replayed.count
    if not kept:
        kept, count = len(case.gathered.pairs), case.gathered.count
    return math.ceil((ENOUGH - count) * kept / count) if 0 < count < ENOUGH else 0


def _keep(case: Case, seen: Pass) -> None:
    inputs, asked = seen.input, seen.asked
    if len(case.batches) < 3:
        case.batches.append(inputs[:512].clone())
    if seen.parts is not None:
        case.parts.append(seen.parts)
    probe = case.telemetry.probes[-1]
    if asked is not None and probe.step == probe.calls == 1 and seen.is_single and len(inputs) <= FIRST:
        case.first = inputs.clone(), asked.targets.clone()
    if asked is not None:
        case.pair = asked.outputs[:512].clone(), asked.targets[:512].clone()
        case.kind = asked.kind if case.kind is None else case.kind
    if case.bad_input is None and inputs.is_floating_point() and not bool(inputs.isfinite().all()):
        case.bad_input = case.telemetry.step


def _take_loss(case: Case, seen: Pass, asked: Asked, told: float) -> None:
    """The loss as it was seen to be called, and which of the outputs it takes, in which form."""
    found, case.is_formed = placed(seen.outputs, asked), True
    if case.loss_given is not None:
        case.kind = asked.kind
    if asked.loss is None or found is None:
        _take_form(case, case.loss_fn, None)
        return
    case.kind = asked.kind
    if case.loss_given is None:
        name = type(asked.kind).__name__
        what = "what the loop does to the outputs" if case.own.loss is not None else name
        case.notes.append(f"no loss was given: for it stands {what}, which was seen to give what step was told")
    if found.nodes is not None and case.gathered is None:
        _take_form(case, case.loss_fn, None)  # rows that were given cannot be held against those of a graph
        return
    pick, form = found.pick, found.form
    if pick is not None and case.start is not None:
        case.pick = pick
        case.start[0].register_forward_hook(pick)
    case.penalised = added_to(asked.loss, asked.outputs, asked.targets, told) if seen.is_alone else ""
    if not case.penalised and case.kind is case.loss_given and not isinstance(case.kind, nn.Module):
        case.penalised = looks_at_weights(asked.loss, asked.outputs, asked.targets)
    _take_form(case, asked.loss, form)


def _take_form(case: Case, loss_fn: Loss | None, form: Form | None) -> None:
    if form is None or loss_fn is None:
        case.is_faithful = False
        case.notes.append("the loop's first loss could not be computed again, so what is said of the loss is a note")
    else:
        case.subject = replace(case.subject, loss_fn=formed(loss_fn, form))


def _say_what_is_not_seen(case: Case) -> None:
    """Notes, once, that there is no loss to train a copy with."""
    if len(case.telemetry.probes) != SEEN or case.is_formed or case.replayed.own_loss is not None:
        return
    if case.loss_given is None and case.loss_fn is None:
        case.notes.append(
            f"{NOT_SEEN} was seen to give what step was told: no copy could be trained, "
            "and what needs the loss was not checked; give dressage.watch the function of outputs and targets"
        )
    elif case.loss_given is not None and case.subject.train is None:
        case.notes.append(
            "the loss that was given was not seen to be called with outputs and targets, and there is no train data: "
            "no copy could be trained; give the function that the loop calls, or train=(x, y)"
        )


def _replay(case: Case, seen: Pass, asked: Asked | None, told: float) -> None:
    """Keeps a pass of several inputs, or of a network's own loss; rows of all stand for the data as soon as they are enough."""
    if case.start is None or case.replayed.said or seen.inputs is None:
        return
    targets = None if asked is None else asked.targets
    rows = case.replayed.take(seen.inputs, targets, seen.numbers, told, case.start[0])
    if case.replayed.said:
        case.notes.append(f"a copy of the network cannot be run on rows of the batches: {case.replayed.said}")
    if rows is not None:
        _stand_in(case, rows)
        if case.replayed.own_loss is not None:
            case.subject = replace(case.subject, loss_fn=lambda z, y: z)


def _take_nodes(case: Case, seen: Pass, nodes: Tensor) -> None:
    """Nodes that the loss takes stand for the data, as soon as the same pass was seen twice."""
    if case.start is None or seen.inputs is None or seen.asked is None or case.is_aligned:
        return
    found = case.nodes.take(seen.inputs, nodes, seen.asked.targets)
    if found is not None:
        case.replayed.unfold, rows = found
        case.replayed.unfold.stand(case.start[0])
        _stand_in(case, rows)


def _stand_in(case: Case, rows: Rows) -> None:
    """Takes rows of probed batches for the data."""
    case.subject = _with_task(case, replace(case.subject, train=rows))
    case.is_aligned = True
    case.notes = [n for n in case.notes if not n.startswith(STAND_IN)]
    case.notes.append(f"{STAND_IN}: for it stand {len(rows)} rows of the batches that were looked at")


def hold_out(case: Case) -> None:
    """Takes rows of a validation of the loop's own for validation rows, where none were given."""
    subject, held = case.subject, case.held
    if held is None or subject.validation is not None or subject.train is None or not case.is_aligned:
        return
    if subject.task is None or case.tells_by_loss_alone:
        return
    case.held, rows = None, None
    with suppress(Exception):  # of targets of unlike shapes, or whatever else cannot be put together
        rows = held.rows(subject.train, case.replayed.unfold)
    if rows is None:
        return
    case.subject = replace(subject, validation=rows)
    case.notes = [n for n in case.notes if not n.startswith(NOT_HELD)]
    case.notes.append(f"{NOT_HELD}: for it stand {len(rows)} rows of a validation that was looked at")


def _with_task(case: Case, subject: Subject) -> Subject:
    """What is asked of the rows; nothing where no score can be told."""
    if subject.train is None or case.tells_by_loss_alone:
        return replace(subject, task=None, classes=0, metric=None)
    task, classes = task_of(subject.train.y, case.kind)
    if task == "classification" and are_values(subject.train, case.kind):
        task, classes = "regression", 0
    metric = default_metric(task)
    if case.own.loss is not None and task == "regression" and not asks_for_values(case.own.loss, subject.train.y):
        return replace(subject, task=None, classes=0, metric=None)
    judged = replace(subject, task=task, classes=classes, metric=metric)
    own = judged if case.own.loss is None else replace(judged, loss_fn=case.own.loss)  # of outputs of any width
    return replace(without_classes(own), loss_fn=subject.loss_fn)


def _align(case: Case, seen: Pass, told: float) -> None:
    """The rows that were given, as the network is given them."""
    train, val, inputs = case.subject.train, case.subject.validation, seen.input
    assert train is not None
    case.is_aligned, case.given_validation = True, val
    prepared = way(train.x, inputs)
    if prepared is None:
        case.notes.append("the loop changes the data before the model gets it, in a way that could not be followed")
        case.subject = replace(case.subject, train=None, validation=None)
        case.is_aligned, case.gathered = False, Gathered()
        return
    train = replace(train, x=prepared(train.x).contiguous(), batch_size=train.batch_size or len(inputs))
    if val is not None:
        val = replace(val, x=prepared(val.x).contiguous()) if val.x.shape[1:] == train.x.shape[1:] else None
    case.subject = replace(case.subject, train=train, validation=val)
    if seen.asked is not None:
        _align_targets(case, train, val, seen.asked.targets)
    elif case.start is not None and (rows := rows_in(train.x, inputs)) is not None:
        _find_loss(case, inputs, train.y[rows].to(inputs.device), told)


def _align_targets(case: Case, train: Rows, val: Rows | None, targets: Tensor) -> None:
    """Targets as the loss is given them."""
    y, held = align_targets(train.y, targets), None if val is None else align_targets(val.y, targets)
    if y is None:
        return
    validation = None if val is None or held is None else replace(val, y=held)
    case.subject = replace(case.subject, train=replace(train, y=y), validation=validation)


def _find_loss(case: Case, inputs: Tensor, y: Tensor, told: float) -> None:
    """The form of a loss that was not seen to be called, or one of torch's, by the first loss computed again."""
    assert case.start is not None
    case.is_formed = True
    if case.loss_fn is not None:
        form = find_form(case.start[0], case.loss_fn, inputs, y, told)
        if form is None:
            case.penalised = hidden_penalty(case.start[0], case.loss_fn, inputs, y, told)
        _take_form(case, case.loss_fn, form)
    elif (found := guessed(case.start[0], inputs, y, told)) is not None:
        case.kind = found[0]
        case.notes.append(
            f"no loss was given: for it stands {type(case.kind).__name__}, which gives what step was told"
        )
        case.subject = replace(case.subject, loss_fn=formed(*found))
    else:
        case.is_formed = False

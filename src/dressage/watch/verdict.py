"""From what was seen to what is wrong: a symptom triggers, evidence discriminates, a continuation proves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from torch import nn
from torch.optim import Optimizer

from dressage.findings import Finding, ranked
from dressage.watch.anew import bettered
from dressage.watch.answered import answers_with_its_targets
from dressage.watch.backwards import asked_for_the_opposite, avoided_as_told, learned_backwards
from dressage.watch.capacity import narrow_alone
from dressage.watch.case import Case
from dressage.watch.distance import distance_for_classes
from dressage.watch.ending import at_the_end, schedule_collapsed
from dressage.watch.equal import equal_units
from dressage.watch.examination import examination
from dressage.watch.explained import explained, joined
from dressage.watch.flooded import flooded
from dressage.watch.floorless import floorless
from dressage.watch.guarded import guarded, noted
from dressage.watch.head import wrong_head
from dressage.watch.held_back import held_back
from dressage.watch.likeness import nothing_alike, pushed_apart
from dressage.watch.logarithm import log_of_negatives
from dressage.watch.mislabelled import mislabelled
from dressage.watch.modes import train_mode_at_eval, trained_in_eval_mode
from dressage.watch.noise import noise_scale
from dressage.watch.order import is_served_otherwise, no_pairs, no_shuffle
from dressage.watch.out_of_reach import out_of_reach
from dressage.watch.outgrown import outgrown
from dressage.watch.oversized import oversized
from dressage.watch.own_loss import by_own_loss
from dressage.watch.pairs import pairs
from dressage.watch.penalty import added_penalty
from dressage.watch.reason import underfits_for_a_reason
from dressage.watch.renumbered import renumbered
from dressage.watch.rules.crept import crept
from dressage.watch.rules.curves import overfit
from dressage.watch.rules.cut import cut_off, held_in_lists, left_out, thawed_alone
from dressage.watch.rules.layers import dead_units, saturated, standing_first_layers
from dressage.watch.rules.loop import another_optimizer, data_stall, eval_mode_in_training, is_only_asked, no_zero_grad
from dressage.watch.rules.runaway import falls_without_end, thrown_out
from dressage.watch.rules.symptoms import symptoms
from dressage.watch.rules.targets import classes_for_probabilities
from dressage.watch.scaled import scaled_gradients
from dressage.watch.signs import signs_at_the_end
from dressage.watch.slow import learns_slowly
from dressage.watch.struggle import struggles, supported, suspected
from dressage.watch.summed import summed
from dressage.watch.validation import noise_does_harm, prepared_otherwise, unlearned_class

ASKED = "what is learned are inputs of the network, and not the network: nothing of its training was checked"

RESERVE = 0.25
"""Share of what may be spent, that is kept for the judgement at the end."""


def consider(case: Case, *, end: bool) -> list[Finding]:
    """The findings as things stand; at the end of the training the final ones."""
    seen = case.telemetry
    case.reserve = 0.0 if end else RESERVE * case.seconds
    if is_only_asked(seen, case.model, case.optimizer):
        case.notes += [] if ASKED in case.notes else [ASKED]
        return []
    moved_by_another = guarded(case, lambda c: another_optimizer(seen, c.model, c.optimizer))
    found: list[Finding] = [*(moved_by_another or no_zero_grad(seen)), *guarded(case, _modes)]
    if not case.examined and (case.is_aligned or end):
        case.examined = True
        case.lasting += guarded(case, examination)
    found += noted(case, _lasting)
    found += case.twice if case.is_unjudged else []  # elsewhere it is proven by what a copy reaches
    found += bad_inputs(case)
    found = joined(found, guarded(case, log_of_negatives))
    if case.lab(start=True) is None:  # elsewhere the outputs were held against the targets
        found = joined(found, classes_for_probabilities(case.pair, case.kind, seen.step))
    found += data_stall(seen, case.step_seconds, case.waited)
    signs = symptoms(seen)
    case.told_nonfinite = seen.nonfinite is not None
    causes = [f for f in found if f.is_harmful and not f.is_symptom]
    why = "" if seen.step < 10 or any(_stops_learning(f) for f in causes) else _why(case, signs, end=end)
    if why:
        inside = [*dead_units(seen), *saturated(seen)]
        head = (
            (lambda c: wrong_head(c) or distance_for_classes(c)) if end and not case.head_is_right else (lambda c: [])
        )
        found = joined(
            found,
            guarded(case, lambda c: schedule_collapsed(c) if end else [])
            or guarded(case, scaled_gradients)
            or guarded(case, no_shuffle)
            or guarded(case, added_penalty)
            or guarded(case, learned_backwards)
            or guarded(case, head)
            or [*inside, *guarded(case, lambda c: supported(c, why, end=end))],
        )
        found += [] if case.lab(start=True) is not None else standing_first_layers(seen)
    found = joined(found, guarded(case, equal_units))
    if not any(f.is_harmful and _stops_learning(f) for f in found) and seen.nonfinite is None:
        found = joined(found, guarded(case, oversized))
    if seen.validations and seen.step >= 10:
        found += guarded(case, prepared_otherwise)
    found += guarded(case, _overfitting)
    if end or any(s.id == "sym.oscillation" for s in signs):
        found = joined(found, guarded(case, lambda c: suspected(c, end=end)))
    if end and seen.step >= 10:
        found = joined(found, guarded(case, by_own_loss))
        found = _ended(case, found)
        _tell_of_time(case, why, found)
        if seen.nonfinite is None:
            signs += guarded(case, lambda c: signs_at_the_end(c, why or " ".join(f.id for f in causes)))
    guarded(case, _noise)
    return ranked([*explained(found), *signs])


def _lasting(case: Case) -> list[Finding]:
    """What was found of the data and the network at the beginning, but for an order in which the loop does not take its rows."""
    if not any(f.id == "data.no_shuffle" for f in case.lasting) or not case.proven(
        f"served {len(case.batches)}", lambda: is_served_otherwise(case)
    ):
        return case.lasting
    return [f for f in case.lasting if f.id != "data.no_shuffle"]


def _noise(case: Case) -> list[Finding]:
    """Takes the noise scale of the gradient; a number to read, and no reason for a finding."""
    lab, seen = case.lab(start=False), case.telemetry
    if lab is not None and seen.nonfinite is None and (not seen.noise_scales or seen.noise_scales[-1][0] < seen.step):
        seen.noise_scales.append((seen.step, noise_scale(lab)))
    return []


def _tell_of_time(case: Case, why: str, found: list[Finding]) -> None:
    """Notes that a training does badly, and that there was no time left to find out by what."""
    if why and case.time_left() <= 0 and not any(f.is_harmful and not f.is_symptom for f in found):
        more = max(60.0, 3 * case.seconds)
        case.notes.append(
            f"{why}: the {case.seconds:g} s for examinations were used up before a cause was proven; "
            f"give more, e.g. dressage.watch(…, seconds={more:g})"
        )


def _ended(case: Case, found: list[Finding]) -> list[Finding]:
    """What only the end tells: harm that did not come, and causes of what is not explained."""
    found = [f for f in found if f.id != "data.class_imbalance"] + guarded(case, unlearned_class)
    found += guarded(case, renumbered) + guarded(case, answers_with_its_targets)
    found = joined(found, guarded(case, no_pairs))
    if case.start is not None:
        for standing in (thawed_alone, left_out, held_in_lists):
            found = joined(found, noted(case, partial(_standing, standing)))
    if not any(f.id == "optim.frozen_params" for f in found):
        found += noted(case, lambda c: cut_off(c.telemetry, c.model, c.optimizer))
    found = guarded(case, lambda c: _settled(c, found)) or found
    found = guarded(case, lambda c: outgrown(c, found)) or found
    if not any(f.is_harmful and not f.is_symptom for f in found):
        found = [
            *found,
            *(
                guarded(case, asked_for_the_opposite)
                or pushed_apart(case.own.likeness, case.telemetry.step)
                or guarded(case, floorless)
                or guarded(case, out_of_reach)
                or guarded(case, avoided_as_told)
                or guarded(case, _seen_of_losses)
                or nothing_alike(case.own.likeness, case.telemetry.step)
            ),
        ]
    if not any(f.is_harmful and f.id != "eval.overfit" for f in found):
        found = [*found, *guarded(case, mislabelled)]
    found = guarded(case, lambda c: bettered(c, found)) or found
    is_explained = any(f.is_harmful and not f.is_symptom for f in found)
    found += [] if is_explained else _held_back(case)
    found = found + guarded(case, lambda c: at_the_end(c, found))
    found += [] if any(f.is_harmful and not f.is_symptom for f in found) else guarded(case, learns_slowly)
    found = guarded(case, lambda c: underfits_for_a_reason(c, found)) or found
    found = guarded(case, lambda c: summed(c, found)) or found
    return guarded(case, lambda c: bettered(c, found)) or found


def _held_back(case: Case) -> list[Finding]:
    """What holds a training back of which nothing else is told, the cheaper proofs first."""
    return (
        guarded(case, pairs)
        or guarded(case, added_penalty)
        or guarded(case, schedule_collapsed)
        or guarded(case, held_back)
    )


def _standing(rule: Callable[[nn.Module, nn.Module, Optimizer, int], list[Finding]], case: Case) -> list[Finding]:
    """What a rule finds that holds the network against what it was when the watch began."""
    assert case.start is not None
    return rule(case.start[0], case.model, case.optimizer, case.telemetry.step)


def _seen_of_losses(case: Case) -> list[Finding]:
    """A loss without end, whatever is known of the network; steps of a wrong size where no copy of it can be trained."""
    alone = case.is_unjudged
    sized = (
        (
            thrown_out(case.telemetry)
            or crept(case.telemetry, case.pair, case.kind)
            or narrow_alone(case)
            or flooded(case)
        )
        if alone
        else []
    )
    return falls_without_end(case.telemetry) or sized


def _settled(case: Case, found: list[Finding]) -> list[Finding]:
    """The findings, with wrong labels that did no harm as a note."""
    if not any(f.id == "data.label_noise" and f.is_harmful for f in found) or noise_does_harm(case):
        return found
    return [replace(f, severity="info") if f.id == "data.label_noise" else f for f in found]


def _why(case: Case, signs: list[Finding], *, end: bool) -> str:
    """Why the training should be looked at more closely; empty where it does well, or cannot be judged."""
    try:
        return struggles(case, signs, end=end)
    except Exception as error:
        case.notes.append(f"the training could not be judged ({type(error).__name__}: {str(error)[:160]})")
        return ""


def bad_inputs(case: Case) -> list[Finding]:
    """The loop itself gave the network a number that is not finite."""
    if case.bad_input is None:
        return []
    return [
        Finding(
            "data.nonfinite",
            "critical",
            "inputs",
            f"the inputs of step {case.bad_input} hold a number that is not finite",
            "the data, or what the loop does to it before the model, gives numbers that are not finite",
            "impute or drop such rows; a column without spread must not be divided by its deviation",
            step=case.bad_input,
            code="x = (x - mean) / sd.clamp_min(1e-6)",
            confidence=0.99,
        )
    ]


def _modes(case: Case) -> list[Finding]:
    modal = modal_modules(case.model)
    if not modal:
        return []
    found = eval_mode_in_training(case.telemetry, modal) or trained_in_eval_mode(case)
    return [*found, *train_mode_at_eval(case)]


def modal_modules(model: nn.Module) -> int:
    """Modules that behave differently in training and in eval mode."""
    drops = [m for m in model.modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0]
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats]
    between = [m for m in model.modules() if isinstance(m, nn.RNNBase) and m.dropout > 0]
    return len(drops) + len(norms) + len(between)


def _overfitting(case: Case) -> list[Finding]:
    validation = case.subject.validation
    if len(case.telemetry.validations) < 5:
        return []
    gap = math.nan
    if validation is not None:
        gap = case.now()[1] - case.validation_metric()
    rows = validation.total if validation is not None else 0
    higher = (
        None if math.isnan(gap) else case.higher_is_better
    )  # a metric that these outputs have not tells no direction
    return overfit(case.telemetry, gap, rows or 200, case.naive_loss(), higher)


def _stops_learning(finding: Finding) -> bool:
    """Whether a cause is enough to explain a training that does not learn, so that no other needs to be tried."""
    return not finding.id.startswith(
        ("eval.train_mode", "eval.overfit", "pipe.", "data.leakage", "data.duplicates", "data.split")
    )

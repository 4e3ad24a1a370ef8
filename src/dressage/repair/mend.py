"""The repair as a list: train, look for the cause, try the remedies in short, train again with the best, keep the better run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dressage.errors import Diverged, Interrupted
from dressage.fit import Event
from dressage.ground import Ground, made_anew, open_ground
from dressage.models.foreign import Made
from dressage.objective import require_targets
from dressage.prepare import ShowProgress
from dressage.recipe import Recipe, as_recipe
from dressage.record import ORIGIN
from dressage.remedies import LEFT, edited
from dressage.repair.going_on import last_good
from dressage.repair.parts import Asked, first_training, second_training, told_how_to_go_on
from dressage.repair.record import Repair, written_down
from dressage.repair.score import score
from dressage.repair.suspects import Given, Remedy, changeable, further, given_otherwise, mendable, remedies
from dressage.repair.trial import Trial, behind, better, try_out
from dressage.resolve import name_problems, value_at
from dressage.run import Run, load
from dressage.stopping import Overdue, signals
from dressage.store.checkpoint import steps

ATTEMPTS = 8
"""Repairs of a training that diverges anew each time: a rate falls by eight powers of ten at most."""
LEAST = 100
"""Steps below which a trial says nothing."""
SHARE = 0.125
"""Of a training that one trial may take; all together take half a training at most."""


def repair(
    data: object,
    *,
    y: object = None,
    recipe: Recipe | Mapping[str, object] | None = None,
    model: Made | None = None,
    out: Path | str | None = None,
    on_event: Callable[[Event], None] | None = None,
    progress: ShowProgress | None = None,
) -> Repair:
    """Trains; where a fault is found that an edit of the recipe mends, trains again with it, and keeps what validates better.

    Takes what `train` takes. Where more than one edit may be the remedy, short trainings choose; they take half as many
    steps as one training at most. The second folder is the first's with `-repaired`. `out` may be a run of the same recipe, or
    a repair that was interrupted: it is gone on with. A training that diverges is over after a few steps, is worse than
    any, and is mended again. Raises what `train` raises; Diverged where nothing can be mended.
    """
    asked = Asked(data, y, as_recipe(recipe, also=name_problems), made_anew(model), on_event, progress)
    require_targets(asked.written.loss.name, "a repair")
    with told_how_to_go_on(out):
        first, failure = first_training(asked, out)
    with told_how_to_go_on(first.folder):
        found = _mended(asked, first, failure)
    written_down(found)
    return found


def _mended(asked: Asked, first: Run, failure: Diverged | None) -> Repair:
    """The better of the first training and of one with the remedy that helps most."""
    kept = Repair(first, first.folder, None, {}, {}, (score(first).value, math.nan), reason=_reason(first))
    paths = changeable(asked.written, own_model=asked.made is not None)
    if not mendable(first.findings) and not paths:
        return _or_raise(failure, kept)
    if failure is None and "validation" not in first.evaluation:
        return replace(kept, reason="there are no validation rows to compare on (data.validation)")
    ground = open_ground(asked.data, asked.y, asked.written, first.recipe, asked.made, asked.progress)
    usual = {path: ground.whole(edited(asked.written, {path: LEFT})) for path in paths}
    given = given_otherwise(asked.written, first.recipe, usual)
    found = mendable(first.findings, given)
    wanted = remedies(found, given, "") or (given and remedies([], given, behind(ground, asked.written, first.folder)))
    if not wanted:
        return _or_raise(failure, kept)
    chosen, trials = _chosen(asked, ground, first, list(wanted), is_sure=bool(found) or failure is not None)
    kept = replace(kept, trials=trials)
    if chosen is None:
        return _or_raise(failure, kept)
    return _trained_again(asked, ground, first, failure, chosen, given, kept)


def _chosen(
    asked: Asked, ground: Ground, first: Run, wanted: list[Remedy], *, is_sure: bool
) -> tuple[Remedy | None, list[Trial]]:
    """The remedy to train with in full: the only one, or the one that short trainings choose."""
    if len(wanted) == 1 and is_sure:
        return wanted[0], []
    plain = max(_steps(ground, w) for w in (first.recipe, ground.whole(edited(asked.written, {"train.epochs": LEFT}))))
    each = max(LEAST, int(plain * min(SHARE, 0.5 / (len(wanted) + 1))))
    tried = "; ".join(in_words(remedy.edit) for remedy in wanted)
    asked.say(f"repair of {first.folder.name}: tries in short trainings what would help: {tried}")
    trials: list[Trial] = []
    with signals(first.folder) as stop:
        try:
            for number, remedy in enumerate([None, *wanted]):
                asked.tell("trying remedies", number, len(wanted) + 1)
                trials.append(try_out(ground, asked.written, remedy, each, stop))
        except Overdue:
            raise Interrupted.of(
                first.folder, "stopped while remedies were tried", "the first training is saved", ""
            ) from None
    helped = better(trials, surely=not is_sure)
    return (None if helped is None else helped.remedy), trials


def _steps(ground: Ground, whole: Recipe) -> int:
    return whole.train.epochs * ground.steps_an_epoch(whole)


def _trained_again(
    asked: Asked,
    ground: Ground,
    first: Run,
    failure: Diverged | None,
    remedy: Remedy,
    given: Sequence[Given],
    kept: Repair,
) -> Repair:
    """The second training; one that diverges is over after a few steps, and says what to change next."""
    edit, error = dict(remedy.edit), failure
    good = last_good(first, remedy.cause, edit, _steps(ground, ground.whole(edited(asked.written, edit))))
    second, between = load(first.folder), []
    for _ in range(ATTEMPTS):
        try:
            asked.say(f"repair: trains again with {in_words(edit)}: {_shown(remedy, kept.trials)}")
            second = second_training(asked, ground, first, edit, good)
            break
        except Diverged as again:
            second, error, good = load(Path(str(again.where)), model=asked.made), again, None
            between.append(second.folder)
            wider = further(second.findings, given, edit)
            if wider == edit:
                break
            edit = wider
    before, after = score(first), score(second)
    if failure is not None and math.isnan(after.value) and second.status == "diverged":
        assert error is not None
        raise error from failure
    is_better = failure is not None or after > before or (remedy.finding is not None and after.is_like(before))
    return replace(
        kept,
        kept=second if is_better else first,
        second=second.folder,
        finding=_cause(remedy, kept.trials),
        changes={path: (value_at(first.recipe, path), value_at(second.recipe, path)) for path in edit},
        scores=(before.value, after.value),
        log_loss=(before.log_loss, after.log_loss),
        metric=after.metric,
        began_at=max(steps(second.folder / ORIGIN), default=0),
        between=[folder for folder in between if folder != second.folder],
    )


def _cause(remedy: Remedy, trials: Sequence[Trial]) -> dict[str, object]:
    """The finding that a remedy is for, or one of its own where only a symptom was found."""
    found = remedy.finding or {}
    known = found if found.get("id") == remedy.cause else {"severity": found.get("severity", "warning")}
    return {**known, "id": remedy.cause, "evidence": _shown(remedy, trials)}


def _shown(remedy: Remedy, trials: Sequence[Trial]) -> str:
    """What speaks for a remedy, and what short trainings have shown of it."""
    for trial in trials:
        if trial.remedy is remedy:
            before = "it diverges" if trials[0].worth is None else f"{trials[0].mean:.3f}"
            short = (
                f"in a short training of {trial.steps} steps validation rows are worth {trial.mean:.3f} of 1 with it"
            )
            return f"{remedy.why}; {short}, and as it was {before}"
    return remedy.why


def in_words(edit: Mapping[str, object]) -> str:
    """`optim.lr as is usual, model.width 64`."""
    return ", ".join(f"{path} {'as is usual' if value is LEFT else value}" for path, value in edit.items())


def _reason(first: Run) -> str:
    """Why nothing is repaired, where nothing is."""
    causes = [str(f["id"]) for f in first.findings if f.get("severity") != "info"]
    if not causes:
        return "nothing was found that a change of the recipe mends"
    return f"no change of the recipe mends what was found ({', '.join(dict.fromkeys(causes))})"


def _or_raise(failure: Diverged | None, kept: Repair) -> Repair:
    if failure is not None:
        raise failure
    return kept

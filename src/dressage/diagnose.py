"""What went wrong in a run, from its folder: the data is checked, the curves are judged, and causes proven by continuations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dressage.clock import work_seconds
from dressage.errors import DressageError
from dressage.examine import examined
from dressage.findings import Finding, ranked
from dressage.models.foreign import Made
from dressage.preflight.catalogue import CHECKS
from dressage.preflight.result import Checked, finding_lines
from dressage.prepare import Job, ShowProgress, threads_kept
from dressage.recall import telemetry_of
from dressage.remedies import in_a_recipe
from dressage.run import Run
from dressage.store.checkpoint import newest, read_checkpoint, require_same
from dressage.store.folder import RunFolder
from dressage.store.reader import History, read_history
from dressage.train import prepare_again
from dressage.watch.case import Case
from dressage.watch.tournament import Race
from dressage.watch.verdict import consider
from dressage.watching import LEAST, OWN_NETWORK, case_of, stuck_for_a_reason


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found in a run, ranked; what was looked at; and what could not be."""

    run: Path
    findings: Sequence[Finding]
    checks: Sequence[Checked]
    notes: Sequence[str]

    @property
    def is_clear(self) -> bool:
        """Whether no harm was found."""
        return not any(f.is_harmful for f in self.findings)

    def __str__(self) -> str:
        checked = [f"{c.name}: {c.verdict}; {c.said}".rstrip("; ") for c in self.checks]
        unchecked = [f"could not be checked: {note}" for note in self.notes]
        return "\n".join([*finding_lines(self.findings), "", *checked, *unchecked])

    def to_json(self) -> dict[str, object]:
        """As plain values."""
        return {
            "run": str(self.run),
            "clear": self.is_clear,
            "findings": [f.to_json() for f in self.findings],
            "checks": [asdict(c) for c in self.checks],
            "notes": list(self.notes),
        }


def diagnose(
    run: Run | Path | str,
    data: object = None,
    *,
    y: object = None,
    model: Made | None = None,
    seconds: float | None = None,
    progress: ShowProgress | None = None,
) -> Diagnosis:
    """Judges a run that finished, was interrupted or diverged. Reads its folder and writes nothing.

    `data` (with `y`) and `model` as for `resume`. Examinations take at most `seconds`, by default the recipe's
    `watch.seconds`. Raises RunError where the folder is no run, or data or network are not the same.
    """
    folder, made = (run.folder, model or run.made) if isinstance(run, Run) else (Path(run), model)
    place = RunFolder.open(folder)
    with threads_kept():
        job, told = prepare_again(place, data, y, made, progress)
        case = case_of(job, own_model=made is not None)
        case.seconds = job.recipe.watch.seconds if seconds is None else seconds
        case.notes += told
        history = read_history(place.path)
        case.telemetry = telemetry_of(history, job)
        _put_weights_back(case, job, place)
        checks = _check(case, job, own_model=made is not None, progress=progress)
        status = str(place.status()["status"])
        found = _judge(case, history, status, progress)
    found = [*in_a_recipe(stuck_for_a_reason(ranked(found)), job, own_model=made is not None), *_told_by_guard(history)]
    return Diagnosis(place.path, ranked(found), [*checks, *_looked_at(case)], list(dict.fromkeys(case.notes)))


def _put_weights_back(case: Case, job: Job, place: RunFolder) -> None:
    """The weights of the last step that was saved."""
    step, damaged = newest(place.path)
    case.notes += [f"a checkpoint is damaged: {reason}" for reason in damaged]
    if step is None:
        case.notes.append("the last weights: there is no checkpoint that verifies, so the first ones are judged")
        return
    saved = read_checkpoint(place.path, step)
    require_same(saved.tensors["model"], job.state.model.state_dict(), place.path)
    job.state.load(saved.tensors, saved.state)


def _check(case: Case, job: Job, *, own_model: bool, progress: ShowProgress | None) -> list[Checked]:
    """The checks of data, and of a network of the user's, on the first weights; at most half of the time."""
    wanted = [n for n, _, _ in CHECKS if n.startswith("data.") or n == "signals" or (own_model and n in OWN_NETWORK)]
    began = work_seconds()
    subject = case.subject
    if case.start is not None:
        subject = replace(subject, model=case.start[0], optimizer=case.start[1])
    seen = examined(subject, job, wanted, began + case.seconds / 2, progress)
    case.spent += work_seconds() - began
    case.lasting = [replace(f, step=0) for f in seen.findings]
    case.notes += [f"{c.name}: {c.said}" for c in seen.checks if c.said.startswith(("no time", "could not"))]
    return list(seen.checks)


def _judge(case: Case, history: History, status: str, progress: ShowProgress | None) -> list[Finding]:
    """The verdict on the curves; the length of a training that was interrupted is not judged."""
    seen = case.telemetry
    if status == "diverged":
        told = next((f for f in history.findings if f.get("id") in GUARD), {})
        seen.nonfinite = (int(told.get("step") or seen.step + 1), str(told.get("where") or "loss"))
    elif seen.step < LEAST:
        case.notes.append(f"the training: {seen.step} steps are too few, expected {LEAST} at least")
        return case.lasting
    if progress is not None:
        progress("judging the training", 0, 0)
    try:
        found = consider(case, end=True)
    except DressageError:
        raise
    except Exception as error:  # what a network of the user's raises outside of its training
        case.notes.append(f"the training ({type(error).__name__}: {str(error)[:160]})")
        return case.lasting
    if status in ("interrupted", "running"):
        case.notes.append("whether it was trained for long enough: it has not come to its end")
        found = [f for f in found if f.id not in ("optim.too_few_epochs", "eval.underfit")]
    harmful = any(f.is_harmful for f in found)
    return [f for f in found if harmful or not f.is_symptom or f.is_harmful]


GUARD = ("sym.nonfinite_loss", "data.nonfinite")


def _told_by_guard(history: History) -> list[Finding]:
    """Where the first number that is not finite arose: found while the step could still be repeated."""
    return [Finding.from_json(f) for f in history.findings if f.get("id") in GUARD and f.get("step")][-1:]


def _looked_at(case: Case) -> list[Checked]:
    """The curves and the continuations that were judged, a line each."""
    seen = case.telemetry
    ends = f", from {seen.first():.4g} to {sum(seen.recent()) / len(seen.recent()):.4g}" if seen.losses else ""
    looked = [Checked("losses", "passed", f"{seen.step:,} steps{ends}", 0.0)]
    if seen.validations:
        looked.append(Checked("validations", "passed", f"{len(seen.validations):,} epochs", 0.0))
    probes = sum(1 for p in seen.probes if p.weights)
    looked.append(Checked("layers", "passed" if probes else "skipped", f"{probes} probed steps", 0.0))
    for value in case.memory.values():
        if isinstance(value, Race) and value.tried:
            reached = [("as it was", value.control.loss), *((c.name, r.loss) for c, r in value.tried)]
            said = f"{value.control.steps} steps from the first weights: " + _losses(reached)
            looked.append(Checked("continuations", "passed", said, 0.0))
    return looked


def _losses(reached: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {loss:.3g}" for name, loss in reached)

"""An ensemble on disk, and put to use: its members are run folders below it, and it answers like a run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dressage.data.inputs import Inputs, open_inputs
from dressage.data.source import Head
from dressage.ensemble.facts import checked
from dressage.ensemble.members import load_member
from dressage.ensemble.rules import Rule
from dressage.ensemble.rules import catalogue as rules
from dressage.errors import RunError
from dressage.evaluate.stored import read_evaluation
from dressage.files import inside, read_json
from dressage.fit.views import Answers
from dressage.jobfile import JobFile
from dressage.models.foreign import Made
from dressage.run import Prediction, Run, answers_of, judged, prediction_of
from dressage.store.folder import ENSEMBLE, RunFolder

LIMIT = 64 << 20
MEMBERS = "members"


class Ensemble:
    """Several networks of one set of data that answer as one."""

    def __init__(self, folder: Path, model: Made | None = None) -> None:
        self.folder = folder
        self._made = model

    def __repr__(self) -> str:
        return f"Ensemble({str(self.folder)!r}, status={self.status!r})"

    @property
    def status(self) -> str:
        """running, finished, interrupted or failed."""
        return str(RunFolder(self.folder).status()["status"])

    @cached_property
    def facts(self) -> dict[str, Any]:
        """ensemble.json: `combine`, `members` with what each counts and scores, `gained`, `diversity`, `lines`, `told`.

        Raises RunError where the ensemble is not finished, or the file is not what dressage wrote.
        """
        found = read_json(self.folder / ENSEMBLE, LIMIT)
        if "members" not in found:
            expected, repair = "expected one that was made to its end", f"go on: dressage resume {self.folder}"
            raise RunError.of(self.folder, "its members are not all trained", expected, repair)
        return checked(found, self.folder)

    @property
    def rule(self) -> Rule:
        """How its members are combined."""
        return rules.build(self.facts["combine"])

    @property
    def weights(self) -> Tensor:
        """`(K,)` float64: what each member counts; they sum to 1."""
        return torch.tensor([member["weight"] for member in self.facts["members"]], dtype=torch.float64)

    @cached_property
    def members(self) -> list[Run]:
        """Its members as runs."""
        return [load_member(inside(self.folder, member["folder"]), self._made) for member in self.facts["members"]]

    @property
    def evaluation(self) -> dict[str, Any]:
        """The evaluation of each part (`dressage.evaluate` has the form), with `out_of_bag` after bagging.

        Raises RunError as `facts`.
        """
        return read_evaluation(self.folder) if self.facts else {}

    @property
    def gaps(self) -> dict[str, Any]:
        """Nothing: what limits each member is said by the member."""
        return {}

    @property
    def metrics(self) -> dict[str, float]:
        """The scores on the test part, or on the validation part where there is no test part."""
        found = self.evaluation.get("test") or self.evaluation.get("validation") or {}
        return {name: values["value"] for name, values in found.get("metrics", {}).items()}

    def predict(self, data: object) -> Prediction:
        """What the members say together of new rows; `spread` is the standard deviation over them. Raises DataError."""
        inputs, found = self.answers(data)
        return prediction_of(self._job, inputs, found)

    def evaluate(self, data: object, y: object = None) -> dict[str, Any]:
        """Judges the ensemble on rows whose targets are known (form: `dressage.evaluate`). Raises DataError without targets."""
        inputs, found = self.answers(data, y)
        return dict(judged(self._job, inputs, found.mean))

    def answers(self, data: object, y: object = None) -> tuple[Inputs, Answers]:
        """New rows as they were read, and what is answered to each."""
        used = [(run, weight) for run, weight in zip(self.members, self.weights, strict=True) if weight > 0]
        inputs = open_inputs(data, self._job.preprocess(), y=y)
        each = [answers_of(run.kept, run.model, inputs.x).mean for run, _ in used]
        stack = torch.stack([one.reshape(len(one), -1) for one in each])
        weights = torch.stack([weight for _, weight in used])
        mean = self.rule.combine(stack, weights, heads_of_job(self._job)).reshape(each[0].shape)
        spread = (stack - stack.mean(0)).square().sum(0).div(max(1, len(stack) - 1)).sqrt().reshape(each[0].shape)
        return inputs, Answers(mean, spread if len(stack) > 1 else None)

    @property
    def _job(self) -> JobFile:
        return self.members[0].kept


def heads_of_job(job: JobFile) -> Sequence[Head]:
    """The targets of a run: several, or the one as one."""
    if job.heads:
        return job.heads
    if job.data["task"] == "classification":
        return [Head("target", tuple(job.data["classes"]))]
    return [Head("target")] * job.outputs


def load(folder: Path | str, *, model: Made | None = None) -> Run | Ensemble:
    """The run or the ensemble in a folder; `model` is needed only to use networks of your own."""
    place = Path(folder)
    if (place / ENSEMBLE).is_file():
        return Ensemble(place, model)
    return Run(RunFolder.open(place).path, model)

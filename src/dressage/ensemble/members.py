"""The members of an ensemble that is being made: trained networks of the same data, each with the rows it held out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from dressage.data.open import open_data
from dressage.data.source import Source
from dressage.data.split import split, whole_parts
from dressage.errors import RunError, printable
from dressage.files import writing
from dressage.jobfile import TAKEN_OVER, JobFile
from dressage.models.foreign import Made
from dressage.objective import require_targets
from dressage.prepare import ShowProgress
from dressage.record import SNAPSHOTS
from dressage.run import Run, answers_of, network_of
from dressage.store.checkpoint import read_checkpoint, require_same, steps, write_checkpoint
from dressage.store.folder import RunFolder
from dressage.store.kept import PREPROCESS

ALIKE = ("fingerprint", "kind", "task", "classes", "heads", "columns")
"""What of data.json members have in common."""
COPIED = ("recipe.toml", "reasons.json", "environment.json", "data.json", PREPROCESS)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network with what its run folder says of it."""

    job: JobFile
    network: nn.Module

    def answers(self, source: Source, rows: Tensor) -> Tensor:
        """`(n, Σ C)` float64: probabilities, or values in the target's units."""
        return answers_of(self.job, self.network, source.x, rows).mean.reshape(len(rows), -1)


@dataclass(frozen=True, slots=True)
class Member:
    """A network that predicts, and the one that answers for it where it has learned from the rows in question."""

    name: str
    kept: Trained
    first: Trained
    """The same, but where the run trained anew on training and validation rows: this one has not seen the latter."""
    folder: Path | None = None
    """Of the whole run, where it is a run."""

    @property
    def is_refit(self) -> bool:
        """Whether the validation rows were learned from in the end."""
        return self.kept is not self.first

    def parts(self, source: Source) -> dict[str, Tensor]:
        """The rows of each part, before any was drawn twice."""
        return whole_parts(source, self.first.job.recipe.data, self.first.job.recipe.seed)

    def seen(self, source: Source) -> Tensor:
        """`(N,)` bool: the rows of the source that the network that predicts has learned from."""
        rows = split(source, self.first.job.recipe.data, self.first.job.recipe.seed)
        learned = torch.zeros(source.rows, dtype=torch.bool)
        for part in ("train", *(["validation"] * self.is_refit)):
            learned[rows[part]] = True
        return learned


def members_of(runs: Sequence[Run]) -> list[Member]:
    """The networks of these runs; of a run that kept snapshots, those.

    Raises RunError: a run that is given twice or has not finished, fewer than two members, members of other data.
    """
    places = [run.folder.resolve() for run in runs]
    twice = next((run for k, run in enumerate(runs) if places[k] in places[:k]), None)
    if twice is not None:
        raise RunError.of(twice.folder, "given twice", "expected each run once", "leave it out the second time")
    found = [member for run in runs for member in _members(run)]
    if len(found) < 2:
        found_text, expected = f"{len(found)} trained network", "expected two or more, or a run with train.snapshots"
        where = runs[0].folder if runs else "ensemble"
        raise RunError.of(where, found_text, expected, "give more runs, or train them: dressage ensemble DATA")
    for member in found[1:]:
        require_alike(found[0], member)
    return found


def _members(run: Run) -> Iterator[Member]:
    if not (run.folder / SNAPSHOTS).is_dir():
        yield member_of(run)
        return
    name = _name_of(run)
    for number, step in enumerate(steps(run.folder / SNAPSHOTS), 1):
        require_targets(run.recipe.loss.name, "an ensemble")
        taken = Trained(run.job, _snapshot(run, step))
        yield Member(f"{name}, snapshot {number}", taken, taken)


def member_of(run: Run) -> Member:
    """The network of a finished run. Raises RunError for another, UsageError for one that learned without labels."""
    require_targets(run.recipe.loss.name, "an ensemble or a landscape")
    name = _name_of(run)
    kept = Trained(run.kept, run.model)
    first = kept if run.kept is run.job else Trained(run.job, network_of(run.job, run.made))
    return Member(name, kept, first, run.folder)


def _name_of(run: Run) -> str:
    name = printable(run.folder, 200)
    if run.status != "finished":
        raise RunError.of(name, f"it is {run.status}", "expected a finished run", f"try `dressage resume {name}`")
    return name


def _snapshot(run: Run, step: int) -> nn.Module:
    network = network_of(run.job, run.made)
    weights = read_checkpoint(run.folder / SNAPSHOTS, step, only={"model"}).tensors["model"]
    require_same(weights, network.state_dict(), run.folder)
    network.load_state_dict(weights)
    return network.eval()


def require_alike(first: Member, other: Member) -> None:
    """Raises RunError unless both were trained on one set of data."""
    one, two = first.kept.job.data, other.kept.job.data
    unlike = [name for name in ALIKE if one.get(name) != two.get(name)]
    if unlike:
        found = f"its data is not that of {first.name} ({', '.join(unlike)})"
        raise RunError.of(other.name, found, "expected runs of the same data", "give runs that were trained on one set")


def source_of(run: Run, data: object, y: object, progress: ShowProgress | None) -> Source:
    """The data of a run, opened again. Raises RunError where it is another, or came from Python and is not given."""
    given = run.job.given_data if data is None else data
    if given is None:
        found, expected = "it was trained on data given from Python", "expected the same data again"
        raise RunError.of(run.folder, found, expected, "give it: data=x, y=y")
    source = open_data(given, run.recipe.data, y=y, progress=progress)
    if source.fingerprint != run.job.data["fingerprint"]:
        found, expected = "the data is not the same", "expected the data that the runs were trained on"
        raise RunError.of(run.folder, found, expected, "give that data, or train anew")
    return source


def held_out(members: Sequence[Member], source: Source, part: str) -> Tensor:
    """The rows that every member has in this part."""
    rows = [member.parts(source).get(part, torch.empty(0, dtype=torch.int64)) for member in members]
    common = torch.ones(source.rows, dtype=torch.bool)
    for own in rows:
        common &= torch.zeros(source.rows, dtype=torch.bool).index_fill_(0, own, True)
    return common.nonzero()[:, 0]


def keep(place: Path, trained: Trained) -> None:
    """Writes a network as a run folder of its own: what is needed to predict, and nothing of how it was trained."""
    folder = RunFolder.create(place)
    with writing(place, 0):
        taken = [TAKEN_OVER] if (trained.job.folder / TAKEN_OVER).is_file() else []
        for name in [*COPIED, *taken]:
            shutil.copyfile(trained.job.folder / name, place / name)
    write_checkpoint(place, 0, {"model": trained.network.state_dict()}, {"epoch": 1, "batch": 0})
    folder.set_status("finished", reason="member of an ensemble")


def load_member(place: Path, made: Made | None) -> Run:
    """A member as a run."""
    return Run(RunFolder.open(place).path, made)

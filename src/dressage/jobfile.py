"""What a run folder says of its job: the recipe with its reasons, the data with its fitted preprocessing, the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dressage.data.describe import to_json
from dressage.data.preprocess import Preprocess
from dressage.data.source import Head
from dressage.errors import RunError, printable
from dressage.files import read_json, write_atomic, write_json
from dressage.models.likeness import likeness, unlike
from dressage.prepare import Job, threads_kept
from dressage.recipe import Recipe, load_recipe, to_toml
from dressage.resolve import all_paths, value_at
from dressage.start import Start
from dressage.store.environment import differences, environment
from dressage.store.kept import PREPROCESS, damaged, kept_preprocess
from dressage.store.manifest import read_verified
from dressage.store.tensors import read_tensors, write_tensors

TAKEN_OVER = "transfer.safetensors"
"""The weights that a run took over, so that it can be repeated without their source."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """The job of a run as its folder has it."""

    folder: Path
    recipe: Recipe
    data: Mapping[str, Any]
    """data.json: task, classes, columns, parts, fingerprint, and what the data was given as."""
    reasons: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, Any]

    @property
    def given_data(self) -> str | None:
        """The path or name that the data was given as; None when it came from Python."""
        return self.data.get("given")

    @property
    def own_model(self) -> bool:
        """Whether the network was the user's own."""
        return bool(self.data.get("own_model"))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the network gets it."""
        try:
            return tuple(map(int, self.data["preprocess"]["input_shape"]))
        except (KeyError, TypeError, ValueError):
            raise damaged(self.folder) from None

    @property
    def heads(self) -> list[Head]:
        """The targets, where there are several."""
        return [Head(**head) for head in self.data.get("heads", ())]

    @property
    def outputs(self) -> int:
        """Outputs of the network."""
        return int(self.data["outputs"])

    def preprocess(self) -> Preprocess:
        """The fitted preprocessing, as it was stored. Raises RunError where its numbers are not those that were written."""
        with threads_kept(1):  # as it was fitted: products differ in their last bits with the threads
            return kept_preprocess(self.folder, self.data)

    def start(self) -> Start | None:
        """Where its first weights came from, as the run itself keeps them; None where it began from none.

        Raises RunError where they are not those that were written.
        """
        about = self.data.get("transfer")
        if about is None:
            return None
        try:
            (size, digest), where, has_preprocess = about["tensors"], str(about["where"]), about["preprocess"]
        except (KeyError, TypeError, ValueError):
            raise damaged(self.folder) from None
        weights = read_tensors(read_verified(self.folder, TAKEN_OVER, size, digest), self.folder / TAKEN_OVER)
        return Start(where, weights, self.preprocess() if has_preprocess else None)

    def require_same(self, job: Job) -> None:
        """Raises RunError, with the differences, unless `job` has the data and the recipe of this run."""
        if job.source.fingerprint != self.data["fingerprint"]:
            now = to_json(job.source, {name: part.rows for name, part in job.parts.items()})
            told = _data_differences(self.data, now)
            raise RunError.of(
                self.folder,
                f"the data is not the same: {told}",
                "expected the data of the run",
                "give that data, or train anew",
            )
        other = unlike(self.data["network"], likeness(job.state.model)) if "network" in self.data else []
        if other:
            more = f", and {len(other) - 5} more" if len(other) > 5 else ""
            raise RunError.of(
                self.folder,
                f"the network is not the same: {'; '.join(other[:5])}{more}",
                "expected the network of the run",
                "give that network, or train anew",
            )

    def machine_differences(self) -> list[str]:
        """What of the machine is not as it was, a sentence each."""
        return differences(self.environment, environment(self.recipe.train.device))


def write_job(folder: Path, job: Job, data: object, *, own_model: bool) -> None:
    """Writes recipe.toml, reasons.json, data.json, data.safetensors and environment.json."""
    recipe = job.recipe
    reasons = {
        path: {
            "value": value_at(recipe, path),
            "origin": job.resolved.reasons[path].origin,
            "reason": job.resolved.reasons[path].why,
        }
        for path in all_paths()
    }
    comments = {
        path: f"{r['origin']}: {r['reason']}" for path, r in reasons.items() if r["origin"] not in ("default", "given")
    }
    comments |= {path: "given" for path, r in reasons.items() if r["origin"] == "given"}
    state, tensors = job.preprocess.to_state()
    described = to_json(job.source, {name: part.rows for name, part in job.parts.items()})
    described |= {"preprocess": state, "given": as_given(data), "own_model": own_model, "outputs": job.outputs}
    if own_model:
        described["network"] = likeness(job.state.model)
    described["parameters"] = sum(p.numel() for p in job.state.model.parameters())
    described["tensors"] = write_tensors(folder / PREPROCESS, tensors)
    if job.start is not None:
        kept = {"where": job.start.where, "preprocess": job.start.preprocess is not None}
        described["transfer"] = {**kept, "tensors": write_tensors(folder / TAKEN_OVER, job.start.weights)}
    write_json(folder / "data.json", described)
    write_json(folder / "reasons.json", reasons)
    write_json(folder / "environment.json", environment(recipe.train.device))
    write_atomic(folder / "recipe.toml", to_toml(recipe, comments))


def read_job(folder: Path) -> JobFile:
    """Reads them back. Raises RunError when one is missing or damaged, or when recipe.toml was changed since (what differs)."""
    for name in ("recipe.toml", "data.json", "reasons.json"):
        if not (folder / name).is_file():
            raise RunError.of(
                folder,
                f"it has no {name}",
                "expected the folder of a run",
                "give the folder that `dressage train` named",
            )
    recipe = load_recipe(folder / "recipe.toml")
    reasons = read_json(folder / "reasons.json")
    changed = [
        f"{path} is {printable(value_at(recipe, path), 60)}, was {printable(reasons[path].get('value'), 60)}"
        for path in all_paths()
        if path in reasons and value_at(recipe, path) != reasons[path].get("value")
    ]
    if changed:
        raise RunError.of(
            folder / "recipe.toml",
            "changed since the run began: " + ", ".join(changed[:5]),
            "expected the recipe of the run",
            "put it back, or train anew with --recipe",
        )
    machine = read_json(folder / "environment.json") if (folder / "environment.json").is_file() else {}
    return JobFile(folder, recipe, read_json(folder / "data.json"), reasons, machine)


def as_given(data: object) -> str | None:
    """A path is kept absolute, so that a run can be resumed from anywhere; the name of a set as it is."""
    if not isinstance(data, str | os.PathLike):
        return None
    return str(Path(data).resolve()) if Path(data).exists() else str(data)


def _data_differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    told = [
        f"{name} {printable(now.get(name), 60)}, was {printable(then.get(name), 60)}"
        for name in ("rows", "kind", "task", "target", "classes", "heads")
        if now.get(name) != then.get(name)
    ]
    columns = {c["name"] for c in then.get("columns", ())} ^ {c["name"] for c in now.get("columns", ())}
    told += (
        [f"columns that only one has: {', '.join(printable(c, 40) for c in sorted(columns)[:5])}"] if columns else []
    )
    return "; ".join(told) or "as many rows of the same form, but other values"

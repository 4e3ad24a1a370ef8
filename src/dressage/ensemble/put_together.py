"""From trained members to an ensemble: what each counts, what it is worth, and all of it on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dressage.data.several import heads_of
from dressage.data.source import Source
from dressage.ensemble.facts import FORMAT
from dressage.ensemble.folder import LIMIT, MEMBERS
from dressage.ensemble.judging import (
    Answered,
    against_best,
    answered,
    best_of,
    evaluation_of,
    member_scores,
    out_of_bag,
)
from dressage.ensemble.members import Member, Trained, held_out, keep
from dressage.ensemble.page import write_page
from dressage.ensemble.rules import Rule
from dressage.ensemble.rules import catalogue as rules
from dressage.ensemble.soup import souped
from dressage.errors import RecipeError, RunError
from dressage.evaluate import Evaluation
from dressage.files import read_json, write_json
from dressage.store.folder import ENSEMBLE, RunFolder

SOUP = "soup"


@dataclass(frozen=True, slots=True)
class Whole:
    """An ensemble before it is written down."""

    members: Sequence[Member]
    network: nn.Module | None
    """The one network of a soup."""
    facts: dict[str, Any]
    judged: dict[str, Evaluation]


def put_together(members: Sequence[Member], source: Source, combine: str, told: Sequence[str]) -> Whole:
    """Combines the members and judges them on the rows that all have held out.

    Raises RunError: no row that all have held out, a barrier between weights; RecipeError: a vote on numbers.
    """
    rule, heads = rules.build(combine), heads_of(source)
    if not rule.numbers and not any(head.classes for head in heads):
        raise RecipeError.of("combine", f"'{combine}' given", "the target is a number", "use mean")
    found, said = _answers(members, source, told)
    network, lines = souped(members, source, rule.barrier) if rule.classes is None else (None, [])
    weights = _weights(rule, found, members, source)
    together = _combined(rule, weights, network, members, found, source)
    seed, train = members[0].first.job.recipe.seed, members[0].parts(source)["train"]
    judged = {p: evaluation_of(a, found[p].rows, p, source, train, seed) for p, a in together.items()}
    bag, left = out_of_bag(members, rule, weights, source, seed)
    if bag is not None:
        judged["out_of_bag"] = bag
        said += [f"{left} training rows were seen by every member and have no out-of-bag answer"] if left else []
    each = member_scores(found, source)
    part = next(iter(together))  # the test part, where there is one
    of = [{"name": m.name, "weight": float(w), "scores": s} for m, w, s in zip(members, weights, each, strict=True)]
    facts = {
        "format": FORMAT,
        "combine": combine,
        "of": of,
        **against_best(together[part], found[part], best_of(each), source, seed),
        "lines": [line.to_json() for line in lines],
        "told": said,
    }
    return Whole(members, network, facts, judged)


def _combined(
    rule: Rule,
    weights: Tensor,
    network: nn.Module | None,
    members: Sequence[Member],
    found: dict[str, Answered],
    source: Source,
) -> dict[str, Tensor]:
    """The ensemble's answers to each part; one network that has learned from validation rows is not asked about them."""
    if network is None:
        return {part: rule.combine(own.each, weights, heads_of(source)) for part, own in found.items()}
    one, learned = Trained(members[0].kept.job, network), any(member.is_refit for member in members)
    asked = {part: own for part, own in found.items() if not (learned and part == "validation" and "test" in found)}
    return {part: one.answers(source, own.rows) for part, own in asked.items()}


def _answers(members: Sequence[Member], source: Source, told: Sequence[str]) -> tuple[dict[str, Answered], list[str]]:
    """What the members answer to the rows of test and validation part that all have there."""
    found, said = dict[str, Answered](), list(told)
    for part in ("test", "validation"):
        rows, sizes = held_out(members, source, part), {len(m.parts(source).get(part, ())) for m in members}
        if part == "test" and not len(rows) and sizes != {0}:
            expected = "expected runs of one split: no row was held out by all of them"
            repair = "train them with one data.split_seed, or here: dressage ensemble DATA"
            raise RunError.of(members[0].name, f"{len(members)} members have no test row in common", expected, repair)
        if len(rows):
            found[part] = answered(members, source, rows, first=part == "validation")
            if sizes != {len(rows)}:
                said.append(f"the splits differ: judged on the {len(rows)} {part} rows that all members held out")
    if not found:
        repair = "train with data.validation or data.test above 0"
        raise RunError.of(members[0].name, "no rows were held out", "expected some to judge by", repair)
    return found, said


def _weights(rule: Rule, found: dict[str, Answered], members: Sequence[Member], source: Source) -> Tensor:
    """`(K,)` float64 of sum 1."""
    if rule.weigh is None:
        return torch.full((len(members),), 1 / len(members), dtype=torch.float64)
    if "validation" not in found:
        repair = "use mean, or train with data.validation above 0"
        raise RunError.of("combine", "there are no validation rows", "expected some to choose members by", repair)
    own = found["validation"]
    return rule.weigh(own.each, own.y, heads_of(source))


def lay_down(place: RunFolder, whole: Whole) -> None:
    """Writes the ensemble into its folder; of members that lie elsewhere what is needed to predict is copied."""
    if whole.network is not None:
        job = whole.members[0].kept.job
        stored = [{"folder": _kept(place.path, SOUP, Trained(job, whole.network)), "weight": 1.0}]
    else:
        stored = [
            {"folder": _stored(place.path, k, member), "weight": of["weight"]}
            for k, (member, of) in enumerate(zip(whole.members, whole.facts["of"], strict=True))
        ]
    file = place.path / ENSEMBLE
    before = read_json(file, LIMIT) if file.is_file() else {}
    write_json(place.path / "evaluation.json", dict(whole.judged))
    write_page(place.path, whole.facts, whole.judged)
    write_json(file, {**before, **whole.facts, "members": stored})
    place.set_status("finished")


def _stored(place: Path, number: int, member: Member) -> str:
    """Where a member lies in the ensemble's folder."""
    if member.folder is not None and member.folder.resolve().parent == (place / MEMBERS).resolve():
        return f"{MEMBERS}/{member.folder.name}"
    return _kept(place, f"{MEMBERS}/{number}", member.kept)


def _kept(place: Path, name: str, trained: Trained) -> str:
    shutil.rmtree(place / name, ignore_errors=True)  # what a kill has left
    keep(place / name, trained)
    return name

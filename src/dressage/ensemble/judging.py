"""What an ensemble is worth: its members one by one, all together, against the best of them, and how much they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dressage.data.several import heads_of
from dressage.data.source import Source
from dressage.ensemble.members import Member
from dressage.ensemble.rules import Rule
from dressage.ensemble.worth import diversity, gained
from dressage.evaluate import Evaluation, exhibit, judge, judge_several
from dressage.evaluate.per_row import losses, scores


@dataclass(frozen=True, slots=True)
class Answered:
    """What each member answers to rows of the source."""

    rows: Tensor
    y: Tensor
    """`(N, T)`."""
    each: Tensor
    """`(K, N, Σ C)` float64."""


def answered(members: Sequence[Member], source: Source, rows: Tensor, *, first: bool = False) -> Answered:
    """`first`: by the networks that have not learned from validation rows."""
    by = [member.first if first else member.kept for member in members]
    y = source.y[rows].reshape(len(rows), -1)
    return Answered(rows, y, torch.stack([trained.answers(source, rows) for trained in by]))


def evaluation_of(answers: Tensor, rows: Tensor, part: str, source: Source, train: Tensor, seed: int) -> Evaluation:
    """Answers `(N, Σ C)` to rows of the source, judged as a run's are; `train`: the rows that the baseline is fitted on."""
    y = source.y[rows]
    known = {"part": part, "ids": source.ids, "rows": rows, "reference": source.y[train], "show": exhibit(source)}
    if source.heads:
        return judge_several(source.heads, answers, y, seed=seed, **known)  # type: ignore[arg-type]
    outputs = answers if source.task == "classification" else answers.reshape(y.shape)
    targets = [source.target] if source.target else ()
    return judge(source.task, outputs, y, classes=source.classes, targets=targets, seed=seed, **known)  # type: ignore[arg-type]


def member_scores(found: Mapping[str, Answered], source: Source) -> list[dict[str, dict[str, float]]]:
    """Of each member and part: score (accuracy or R²) and loss."""
    heads = heads_of(source)
    count = len(next(iter(found.values())).each) if found else 0
    return [
        {
            part: {
                "score": float(scores(own.each[k], own.y, heads).mean()),
                "loss": float(losses(own.each[k], own.y, heads).mean()),
            }
            for part, own in found.items()
        }
        for k in range(count)
    ]


def best_of(found: Sequence[Mapping[str, Mapping[str, float]]]) -> int:
    """The member with the highest score on the validation part; of equal ones that with the lower loss."""
    part = "validation" if "validation" in found[0] else next(iter(found[0]))
    return min(range(len(found)), key=lambda k: (-found[k][part]["score"], found[k][part]["loss"]))


def against_best(answers: Tensor, own: Answered, best: int, source: Source, seed: int) -> dict[str, Any]:
    """By how much the ensemble scores above its best member, paired row by row, and how much the members differ."""
    heads = heads_of(source)
    gain = gained(answers, own.each[best], own.y, heads, seed)
    return {"gained": {**gain, "best": best}, "diversity": diversity(own.each, own.y, heads)}


def out_of_bag(
    members: Sequence[Member], rule: Rule, weights: Tensor, source: Source, seed: int
) -> tuple[Evaluation | None, int]:
    """Each training row judged by the members that have not seen it (Breiman 1996), and how many rows that left out.

    None where no member drew its rows, or where there is one network in the end.
    """
    drawn = all(member.first.job.recipe.data.bootstrap for member in members)
    if not drawn or rule.classes is None:
        return None, 0
    train = members[0].parts(source)["train"]
    found = answered(members, source, train)
    unseen = torch.stack([~member.seen(source)[train] for member in members])  # (K, N)
    heads, out = heads_of(source), torch.zeros_like(found.each[0])
    patterns, which = torch.unique(unseen, dim=1, return_inverse=True)
    judged = torch.zeros(len(train), dtype=torch.bool)
    for number, asked in enumerate(patterns.T):
        share = weights * asked
        if share.sum() > 0:
            rows = which == number
            out[rows] = rule.combine(found.each[asked][:, rows], (share / share.sum())[asked], heads)
            judged |= rows
    if not judged.any():
        return None, len(train)
    evaluation = evaluation_of(out[judged], train[judged], "out_of_bag", source, train, seed)
    return evaluation, int((~judged).sum())

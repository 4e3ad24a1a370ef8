"""Rows that end in padding, read by a recurrent network to the end: what they were is gone by then."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from dressage.findings import Finding
from dressage.preflight.given import metric_gain
from dressage.subject import Lab, Subject

SHARE = 0.25  # of the steps that are padding in a typical row, from which it is looked into
HARM = 0.05  # points of the metric that padding in front must win


def lost_in_padding(subject: Subject, lab: Lab, deadline: float) -> Finding | None:
    """A recurrent network that learns better where the padding at the end of its rows is put before them."""
    layer = next(
        (n for n, m in subject.model.named_modules() if isinstance(m, nn.RNNBase) and not m.bidirectional), None
    )
    if layer is None or lab.metric is None or lab.x.ndim not in (2, 3):
        return None
    padded = trailing(lab.x)
    typical = int(padded.median())
    if typical < max(4.0, SHARE * lab.x.shape[1]):
        return None
    points, was, after = metric_gain(lab, replace(lab, x=padding_first(lab.x, padded)), deadline)
    if not points > HARM:
        return None
    return Finding(
        "optim.vanishing_gradients",
        "warning",
        layer,
        f"a typical row ends in {typical} of {lab.x.shape[1]} steps of padding; with the padding in front of the rows a copy "
        f"comes to {after:.3g}, as it is {was:.3g}",
        "the last state is read after the padding, through which neither the row nor its gradient passes",
        "take the state of each row's last real step (pack_padded_sequence), or a mean over the real steps",
        code="pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)",
        confidence=0.9,
        numbers={"padding": float(typical), "metric": was, "in_front": after},
    )


def trailing(x: Tensor) -> Tensor:
    """Of each row of `x` `(N, T)` or `(N, T, F)`: how many steps at its end have the value that most rows end in; `(N,)`."""
    steps = x.reshape(len(x), x.shape[1], -1)
    ends, counts = torch.unique(steps[:, -1], dim=0, return_counts=True)
    same = (steps == ends[counts.argmax()]).all(2)
    kept: Tensor = same.flip(1).long().cumprod(1).sum(1)
    return kept


def padding_first(x: Tensor, padded: Tensor) -> Tensor:
    """Each row turned so that its last `padded` steps come first."""
    place = torch.arange(x.shape[1], device=x.device)[None, :] - padded[:, None]
    rows = torch.arange(len(x), device=x.device)[:, None].expand_as(place)
    return x[rows, place % x.shape[1]]

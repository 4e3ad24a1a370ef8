"""Targets that are pictures: in another order than their inputs they are told, and not where each row has its own."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from data_faults import trained_on
from dressage.preflight.data_labels import shuffled_labels
from dressage.preflight.data_places import torn_places
from dressage.subject import rows_of


def found(x: Tensor, y: Tensor) -> list[str]:
    subject = trained_on(torch.zeros(len(x), 2), torch.zeros(len(x)).long(), outputs=2)
    return [f.id for f in torn_places(replace(subject, train=rows_of((x, y))))]


def digits() -> tuple[Tensor, Tensor]:
    """Digits with noise `(400, 1, 8, 8)` and the masks of their ink."""
    x = torch.tensor(load_digits().images[:400], dtype=torch.float32)[:, None] / 16
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    return 0.7 * x + 0.1 * noise - 0.3, (x > 0.5).float()


@pytest.mark.parametrize("form", ["a channel", "no channel", "classes"])
def test_masks_in_another_order_are_told(form: str) -> None:
    x, y = digits()
    other = torch.randperm(400, generator=torch.Generator().manual_seed(1))
    y = y if form == "a channel" else y[:, 0] if form == "no channel" else y[:, 0].long()
    assert found(x, y[other]) == ["data.shuffled_labels"]
    assert found(1 - x, y[other]) == ["data.shuffled_labels"]  # dark on light
    for rows, told in ((280, ["data.shuffled_labels"]), (80, [])):  # most of them, and a few
        mixed = torch.cat([torch.randperm(rows, generator=torch.Generator().manual_seed(2)), torch.arange(rows, 400)])
        assert found(x, y[mixed]) == told
    assert found(x, y) == []


def test_targets_that_say_nothing_of_the_places_of_their_inputs_are_no_shuffled_pairs() -> None:
    x, y = digits()
    noise = torch.randn(y.shape, generator=torch.Generator().manual_seed(2))
    assert found(x, noise) == []
    assert found(noise, y) == []
    assert found(x, y.roll(1, 0)) == []  # the next picture is asked for
    assert found(x, torch.ones_like(y)) == []
    assert found(x[:, 0].flatten(1), y) == []


def test_the_check_of_labels_asks_for_places_too() -> None:
    x, y = digits()
    subject = trained_on(torch.zeros(400, 2), torch.zeros(400).long(), outputs=2)
    torn = replace(subject, train=rows_of((x, y[torch.randperm(400, generator=torch.Generator().manual_seed(3))])))
    assert [f.where for f in shuffled_labels(torn, math.inf)] == ["training targets"]

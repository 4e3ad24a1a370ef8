"""What is kept of a long training: every so many steps, however the losses come."""

from __future__ import annotations

import random

from dressage.watch.telemetry import KEPT_LOSSES, Telemetry


def test_losses_are_thinned_to_even_steps_in_pieces_of_any_length() -> None:
    seen, draw, step = Telemetry(), random.Random(0), 0
    while step < 5 * KEPT_LOSSES:
        count = draw.randint(0, 97)
        seen.step = step + count
        seen.add_losses([float(i) for i in range(step, step + count)])
        step += count
    assert seen.stride == 8 and len(seen.losses) <= KEPT_LOSSES + 97
    assert seen.losses == [float(i) for i in range(0, step, seen.stride)]

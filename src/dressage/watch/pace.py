"""When to look: at the start often, later as often as its price allows."""

from __future__ import annotations

from statistics import median

SHARE = 0.004
"""Of the time that looking may take; what is asked of a watch is 2 %."""
START = (1, 2, 3, 6, 12, 24, 48)
"""Steps that are always looked at: most faults show here, and a training is rarely so short that seven matter."""
LONGEST = 2_000


class Pace:
    """Prices each probe against the steps around it and says which step is the next to be looked at."""

    def __init__(self) -> None:
        self.plain: list[float] = []
        """Seconds a step that was not probed, the last few windows."""
        self.price = 0.0
        """Seconds that a probe costs beyond a plain step: the median of the last few."""
        self._prices: list[float] = []

    @property
    def plain_step(self) -> float:
        """Seconds of a step that is not probed; 0 as long as none was seen."""
        return median(self.plain) if self.plain else 0.0

    def ran(self, steps: int, seconds: float) -> None:
        """Plain steps were taken."""
        if steps > 0:
            self.plain = [*self.plain[-15:], seconds / steps]

    def probed(self, seconds: float) -> None:
        """A probed step was taken, reading and all."""
        if self.plain:
            self._prices = [*self._prices[-15:], max(0.0, seconds - median(self.plain))]
            self.price = median(self._prices)

    def next_after(self, step: int) -> int:
        """The next step to look at."""
        for start in START:
            if start > step:
                return start
        if not self.plain or median(self.plain) <= 0:
            return step + 50
        interval = self.price / (SHARE * median(self.plain))
        return step + int(min(LONGEST, max(10, interval)))

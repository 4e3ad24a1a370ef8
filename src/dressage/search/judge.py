"""Who won, and how sure that is: the noise of one run, the interval of the best, and how much of a best score is luck.

The first scores chose the trials, so they flatter them; only repeats with other seeds are judged. All are scores of the
validation part: the interval holds for other seeds on these rows, not for other rows. The test part is never looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dressage.search.trial import Result, ranked_by_rung

SURE = 0.95
SAME = 1e-6
"""Difference of two scores that is none."""
HIGHEST = 1.0
"""Of an accuracy and an R²; −loss is below it too."""
LOWEST = {"accuracy": 0.0, "contrastive accuracy": 0.0}
"""What a score cannot be below."""
FINITE = 9.0
"""Standard deviations, beyond which a normal distribution has nothing that a float could show."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A trial in the final judgement: its first score, and the mean of its repeats."""

    number: int
    first: float
    repeats: tuple[float, ...]
    mean: float
    """Of the repeats; of the first score where there are none."""
    behind: float
    """By how much its mean lies below the best's."""
    margin: float
    """By how much it had to lie below to be told from it; infinite where the noise is not known."""

    @property
    def is_alike(self) -> bool:
        """Whether it cannot be told from the best."""
        return self.behind <= self.margin


@dataclass(frozen=True, slots=True)
class Verdict:
    """The best trial with its interval, those that cannot be told from it, the noise of a run and the luck of being best."""

    best: Standing
    others: tuple[Standing, ...]
    """The rest, best first."""
    noise: float
    """Standard deviation of one run's score over seeds; NaN without repeats."""
    freedom: int
    """Its degrees of freedom."""
    low: float
    high: float
    """95 % interval of the best's mean score."""
    runs: int
    """Trials whose first scores the best was chosen from."""
    optimism: float
    """Expected excess of the best first score, were all of them equal: E max of n normals times the noise."""
    excess: float
    """What it was here: the best's first score less the mean of its repeats."""

    @property
    def alike(self) -> tuple[int, ...]:
        """Numbers of the trials that cannot be told from the best."""
        return tuple(standing.number for standing in self.others if standing.is_alike)


def judge(results: Sequence[Result], repeats: Mapping[int, Sequence[float]], metric: str = "") -> Verdict | None:
    """The verdict on the trials that count, or None where none does. `repeats`: scores with other seeds by trial number.

    Of trials that were halved only those of the last rung count: a score after few epochs is another thing.
    The best is the repeated trial with the largest mean (the best first score where nothing was repeated). s² = Σⱼ Σᵢ
    (xᵢⱼ − x̄ⱼ)² / Σⱼ (mⱼ − 1); the best: from x̄ − t s/√m at 1 − 0.025/(k + 1), since it is the best of k + 1 by these very runs
    (Bonferroni), to x̄ + t s/√m at 97.5 %; another with m' runs cannot be told from it where it is behind by at most
    t s √(1/m + 1/m') at 1 − 0.05/k for the k others that were repeated, and an unrepeated one with m' = 1.
    """
    order = _at_the_end(results)
    if not order:
        return None
    known = {number: tuple(map(float, x)) for number, x in repeats.items() if len(x) and all(map(math.isfinite, x))}
    noise, freedom = pooled(list(known.values()))
    means = {r.trial.number: float(np.mean(known.get(r.trial.number, (r.score,)))) for r in order}
    held = [r for r in order if r.trial.number in known] or order
    best = max(held, key=lambda r: means[r.trial.number])
    number = best.trial.number
    several = sum(r.trial.number in known for r in order if r is not best)

    def standing(result: Result) -> Standing:
        own = known.get(result.trial.number, ())
        spread = noise * math.sqrt(1 / max(1, len(known.get(number, ()))) + 1 / max(1, len(own)))
        margin = t_point(1 - (1 - SURE) / max(1, several), freedom) * spread if freedom else math.inf
        mean = means[result.trial.number]
        return Standing(result.trial.number, result.score, own, mean, means[number] - mean, margin)

    low, high = math.nan, math.nan
    if freedom and number in known:
        error = noise / math.sqrt(len(known[number]))
        low = means[number] - t_point(1 - (1 - SURE) / 2 / (several + 1), freedom) * error
        low = max(LOWEST.get(metric, -math.inf), low)
        high = min(HIGHEST, means[number] + t_point((1 + SURE) / 2, freedom) * error)
    others = sorted((standing(r) for r in order if r is not best), key=lambda s: s.behind)
    excess = best.score - means[number] if number in known else math.nan
    return Verdict(
        best=standing(best),
        others=tuple(others),
        noise=noise,
        freedom=freedom,
        low=low,
        high=high,
        runs=len(order),
        optimism=largest_of(len(order)) * noise,
        excess=excess,
    )


def _at_the_end(results: Sequence[Result]) -> list[Result]:
    """The trials that count, best first, but for those that were halted at a rung before the last."""
    order = ranked_by_rung(results)
    return [result for result in order if result.reach == order[0].reach]


def pooled(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Standard deviation within groups that have one mean each, and its degrees of freedom; NaN, 0 without two of a group."""
    freedom = sum(len(group) - 1 for group in groups)
    if freedom < 1:
        return math.nan, 0
    squares = sum(float(np.sum((np.asarray(group) - np.mean(group)) ** 2)) for group in groups)
    return math.sqrt(squares / freedom), freedom


def largest_of(n: int) -> float:
    """E max of n standard normal numbers: ∫ (1 − Φⁿ) dx over x > 0 less ∫ Φⁿ dx over x < 0. 0.564 of 2, 2.508 of 100."""
    from scipy.special import ndtr

    x = np.linspace(0.0, FINITE, 20_001)
    return float(np.trapezoid(1 - ndtr(x) ** n - ndtr(-x) ** n, x))


def t_point(share: float, freedom: int) -> float:
    """The point below which so large a share of Student's t distribution lies."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def told(verdict: Verdict) -> list[str]:
    """The verdict in sentences."""
    best, n, varies = verdict.best, len(verdict.best.repeats), verdict.noise > SAME
    if not verdict.freedom:
        lines = [f"Trial {best.number} has the best score, {best.first:.4g}."]
        if n:
            again = f"{best.mean:.4g} in one further run with another seed, {best.first:.4g} at first"
            lines = [f"Trial {best.number} is best: {again}."]
        seen = "One further run does not show how much a run varies" if n else "Nothing was repeated"
        return [*lines, f"{seen}, so how much of it is luck is not known: repeat the best with other seeds."]
    mean = f"the mean of {_count(n, 'further run')} with {'other seeds' if n > 1 else 'another seed'}"
    lines = [f"Trial {best.number} is best: {best.mean:.4g}, {mean}"]
    lines[0] += (
        f" (95 % interval {verdict.low:.4g} to {verdict.high:.4g})." if varies and math.isfinite(verdict.low) else "."
    )
    lines.append(
        f"One run varies by {verdict.noise:.2g} (standard deviation over seeds, {_count(verdict.freedom, 'degree')} of freedom)."
        if varies
        else "Runs of one trial with other seeds all scored the same: these rows are too few to show how much one varies."
    )
    lines += _others(verdict) if varies else _alike(verdict)
    luck = f"; the best of {verdict.runs} equally good trials is {verdict.optimism:.2g} too high by luck"
    first = f"Its first score, {best.first:.4g}, {_measured(verdict.excess)}"
    return [*lines, f"{first}{luck if varies and verdict.runs > 1 else ''}."]


def _others(verdict: Verdict) -> list[str]:
    """Which of the others cannot be told from the best, by the noise of a run."""
    lines = []
    again = [s for s in verdict.others if s.repeats]
    once = [s for s in verdict.others if not s.repeats]
    alike, vague = [s.number for s in again if s.is_alike], sum(s.is_alike for s in once)
    named = f"trial{'s' * (len(alike) > 1)} {', '.join(map(str, alike))} cannot be told from it"
    if again and alike:
        lines.append(
            f"Of the {len(again)} repeated beside it, {named}: the difference is within the noise."
            if len(again) > 1
            else f"{named.capitalize()}, though it was repeated too: the difference is within the noise."
        )
    elif again:
        lines.append(f"The {_number(again)} repeated beside it {_were(again)} worse by more than noise explains.")
    if once and vague:
        lines.append(f"Of {len(once)} that ran once, {vague} cannot be told from it by that one run.")
    elif once:
        lines.append(
            f"The {_number(once)} that ran once {_were(once)} worse by more than the noise of one run explains."
        )
    return lines


def _alike(verdict: Verdict) -> list[str]:
    """Which of the others scored the same, where the noise does not show."""
    same = [s.number for s in verdict.others if s.behind <= SAME]
    rest = len(verdict.others) - len(same)
    lines = [f"Trial{'s' * (len(same) > 1)} {', '.join(map(str, same))} scored the same."] if same else []
    return lines + (
        [f"Whether the {_number_of(rest)} behind {'is' if rest == 1 else 'are'} worse is not known."] if rest else []
    )


def _number(things: Sequence[object]) -> str:
    return _number_of(len(things))


def _number_of(n: int) -> str:
    return "one" if n == 1 else str(n)


def _were(things: Sequence[object]) -> str:
    return "was" if len(things) == 1 else "were"


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"


def _measured(excess: float) -> str:
    if math.isnan(excess):
        return "was not repeated"
    if abs(excess) < SAME:
        return "was the mean of its repeats"
    return f"was {abs(excess):.2g} {'above' if excess >= 0 else 'below'} the mean of its repeats"

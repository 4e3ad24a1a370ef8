"""The numbers of a training: every loss, what probed steps saw, what validations said. Bounded memory, plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

KEPT_PROBES = 512
KEPT_LOSSES = 65_536
KEPT_RATES = 1_024


@dataclass(frozen=True, slots=True)
class LayerNumbers:
    """One leaf module with parameters, or an activation, in one probed step."""

    name: str
    kind: str
    """Class of the module."""
    mean: float
    sd: float
    """Of the outputs over rows and units."""
    saturated: float
    """Share of outputs of a tanh beyond ±.95, of a sigmoid outside [.025, .975]; 0 of others."""
    dead: float
    """Share of units whose input to this layer (or, of an activation, output) is exactly 0 on all rows."""


@dataclass(frozen=True, slots=True)
class WeightNumbers:
    """One parameter in one probed step."""

    name: str
    weight: float
    """Root mean square of the (sampled) values."""
    gradient: float
    """Root mean square of the gradient that the optimiser used; −1 where it had none."""
    update: float
    """Root mean square of what the optimiser changed."""
    size: int = 0
    """How many values it has; 0: not known."""

    @property
    def ratio(self) -> float:
        """update/weight."""
        return self.update / max(self.weight, 1e-30)


@dataclass(frozen=True, slots=True)
class Probe:
    """One probed step."""

    step: int
    layers: tuple[LayerNumbers, ...] = ()
    weights: tuple[WeightNumbers, ...] = ()
    rate: float = 0.0
    """Learning rate of the first group."""
    training: bool = True
    """Whether the model was in training mode."""
    stale: float = 0.0
    """Share of the gradient that was left from earlier steps; 0 where it was zeroed, −1 where it could not be seen."""
    waiting: float = 0.0
    """Seconds from the end of the last step to the first forward pass."""
    seconds: float = 0.0
    """Of the whole step, probing and all."""
    batch: int = 0
    """Rows of the batch."""
    calls: int = 1
    """Calls of the loop up to the update: more than one where gradients of several batches are added up by intent."""
    learns_input: bool = False
    """Whether each input was asked for its gradient: it is what is learned, or comes out of another network that is."""
    acts: bool = False
    """Whether layers ran without gradients between the last step and this one: time that is not waited for data."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What a validation said, and how the model was run in it."""

    step: int
    loss: float | None
    metric: float | None
    training: bool | None
    """Whether the model was in training mode during its passes; None where they were not seen."""
    train_loss: float
    """Mean of the losses since the validation before."""


@dataclass(slots=True)
class Telemetry:
    """A training as far as it was seen."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    """Loss of each step; thinned to every `stride`-th once there are many."""
    stride: int = 1
    probes: list[Probe] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    noise_scales: list[tuple[int, float]] = field(default_factory=list)
    """Steps at which the training was judged, and the noise scale of its gradient there, in rows."""
    rates_read: list[tuple[int, float]] = field(default_factory=list)
    """Steps at which losses were read, and the learning rate of the first group there: probes may lie far apart."""
    nonfinite: tuple[int, str] | None = None
    """First step whose loss, or weights, were not finite, and where."""

    def add_losses(self, losses: list[float]) -> None:
        """Appends the losses of the last steps."""
        skipped = (len(losses) - self.step) % self.stride
        self.losses += losses[skipped :: self.stride]
        if len(self.losses) > KEPT_LOSSES:
            self.losses, self.stride = self.losses[::2], self.stride * 2

    def add_rate(self, rate: float) -> None:
        """Appends the rate of the last step; every second of many is dropped."""
        self.rates_read.append((self.step, rate))
        if len(self.rates_read) > KEPT_RATES:
            self.rates_read = self.rates_read[::2]

    @property
    def rates(self) -> list[tuple[int, float]]:
        """Steps and the learning rate at each, in order: those of probes and those read with losses."""
        return sorted((dict(self.rates_read) | {p.step: p.rate for p in self.probes}).items())

    def add_probe(self, probe: Probe) -> None:
        """Appends a probe; the middle of many is thinned."""
        self.probes.append(probe)
        if len(self.probes) > KEPT_PROBES:
            self.probes = self.probes[:32] + self.probes[32:-64:2] + self.probes[-64:]

    def recent(self, share: float = 0.2, least: int = 5) -> list[float]:
        """The last losses."""
        return self.losses[-max(least, int(len(self.losses) * share)) :]

    def first(self, count: int = 3) -> float:
        """Mean of the first losses."""
        head = self.losses[:count]
        return sum(head) / max(1, len(head))

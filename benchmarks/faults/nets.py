"""Networks that several programs share, and how a network is scored."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Score = Callable[[Tensor, Tensor], float]


def mlp(*sizes: int, act: Callable[[], nn.Module] = nn.ReLU, drop: float = 0.0, norm: bool = False) -> nn.Sequential:
    """Linear layers with an activation between them."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(a, b))
        if i < len(sizes) - 2:
            layers += [nn.BatchNorm1d(b)] * norm + [act()] + [nn.Dropout(drop)] * (drop > 0)
    return nn.Sequential(*layers)


class ConvNet(nn.Module):
    """Two convolutions with pooling and a head."""

    def __init__(self, side: int = 8, classes: int = 10, width: int = 8, channels: int = 1, norm: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(2 * width) if norm else nn.Identity()
        self.fc = nn.Linear(2 * width * (side // 4) ** 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc(x.flatten(1))


class Residual(nn.Module):
    """x + conv(relu(norm(conv(x))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.body(x))


def small_resnet(classes: int = 10, width: int = 8, channels: int = 1) -> nn.Sequential:
    """A stem, two residual blocks, mean pooling and a head."""
    stem = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(
        *stem,
        Residual(width),
        nn.MaxPool2d(2),
        Residual(width),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )


class Recurrent(nn.Module):
    """A GRU, LSTM or RNN over `(N, T, D)`, or over token ids `(N, T)`; a head on the last state."""

    def __init__(self, cell: str = "GRU", inputs: int = 1, hidden: int = 24, outputs: int = 4, tokens: int = 0) -> None:
        super().__init__()
        self.embed = nn.Embedding(tokens, inputs) if tokens else None
        self.rnn = getattr(nn, cell)(inputs, hidden, batch_first=True)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.embed(x) if self.embed is not None else x)
        return self.out(states[:, -1])


class Transformer(nn.Module):
    """Two encoder layers over token ids with learned places; the mean goes to the head."""

    def __init__(self, tokens: int = 6, classes: int = 2, width: int = 24, length: int = 24, drop: float = 0.0) -> None:
        super().__init__()
        self.tok = nn.Embedding(tokens, width)
        self.pos = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 2, 2 * width, drop, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, ids: Tensor) -> Tensor:
        h = self.tok(ids) + self.pos[: ids.shape[1]]
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h.mean(1)))


def conv1d(classes: int = 4, width: int = 12, act: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Convolutions over `(N, 1, T)`, mean over time."""
    body = [nn.Conv1d(1, width, 5, padding=2), act(), nn.Conv1d(width, width, 5, padding=2), act()]
    return nn.Sequential(*body, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(width, classes))


def accuracy(z: Tensor, y: Tensor) -> float:
    """Share of rows whose largest output is the class; the class may be one-hot."""
    return float((z.argmax(1) == (y if y.ndim == 1 else y.argmax(1))).float().mean())


def side(z: Tensor, y: Tensor) -> float:
    """Share of logits on the right side of 0."""
    return float(((z.reshape(y.shape) > 0) == (y > 0.5)).float().mean())


def half(z: Tensor, y: Tensor) -> float:
    """Share of probabilities on the right side of ½."""
    return float(((z.reshape(y.shape) > 0.5) == (y > 0.5)).float().mean())


def r2(z: Tensor, y: Tensor) -> float:
    """1 − squared error over variance, at least −10 (NaN too)."""
    y = y.float().reshape(len(y), -1)
    z = z.reshape(len(z), -1).float()
    value = float(1 - (z - y).square().sum() / (y - y.mean(0)).square().sum())
    return value if value > -10 else -10.0


def balanced(z: Tensor, y: Tensor) -> float:
    """Mean recall of the classes; one output is a logit."""
    guess = z.argmax(1) if z.ndim > 1 and z.shape[1] > 1 else (z.reshape(-1) > 0).long()
    return sum(float((guess[y == k] == k).float().mean()) for k in y.unique()) / len(y.unique())


def score_of(model: nn.Module, x: Tensor, y: Tensor, score: Score = accuracy) -> float:
    """The score in eval mode; the mode is put back."""
    was = model.training
    model.eval()
    with torch.no_grad():
        found = score(torch.cat([model(part) for part in x.split(512)]), y)
    model.train(was)
    return found


def linears(model: nn.Module) -> Sequence[nn.Module]:
    """Its linear and convolution layers in order."""
    return [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]

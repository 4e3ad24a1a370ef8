"""Policy gradient: move a paddle to catch a falling ball on a 7 x 7 board.

cause: loss.wrong_sign
"""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from kit import FIX, SEED, done, dressage

N = 7
rng = np.random.default_rng(SEED)


class Catch:
    """Many boards at once: the ball falls a row a step; +1 for a catch, -1 for a miss."""

    def __init__(self, boards):
        self.ball = rng.integers(0, N, boards)
        self.paddle = rng.integers(0, N, boards)
        self.row = 0

    def state(self):
        eye = np.eye(N, dtype=np.float32)
        rows = np.repeat(eye[self.row][None], len(self.ball), 0)
        return torch.from_numpy(np.concatenate([eye[self.ball], eye[self.paddle], rows], 1))

    def act(self, action):
        self.paddle = np.clip(self.paddle + action.numpy() - 1, 0, N - 1)
        self.row += 1
        if self.row == N - 1:
            return np.where(self.paddle == self.ball, 1.0, -1.0), True
        return np.zeros(len(self.ball)), False


def play(policy, boards, greedy=False):
    game, logps, ended, entropy = Catch(boards), [], False, 0
    while not ended:
        logits = policy(game.state())
        dist = Categorical(logits=logits)
        action = logits.argmax(1) if greedy else dist.sample()
        logps.append(dist.log_prob(action))
        entropy = entropy + dist.entropy().mean() / (N - 1)
        reward, ended = game.act(action)
    return torch.stack(logps), torch.from_numpy(reward).float(), entropy


policy = nn.Sequential(nn.Linear(3 * N, 48), nn.Tanh(), nn.Linear(48, 3))
optimizer = torch.optim.RMSprop(policy.parameters(), lr=3e-3)
watch = dressage.watch(policy, optimizer)
baseline = 0.0

for update in range(400):
    logps, reward, entropy = play(policy, 48)
    advantage = reward - baseline
    baseline = 0.95 * baseline + 0.05 * reward.mean().item()
    gain = (logps.sum(0) * advantage).mean()
    loss = -gain - 0.01 * entropy if FIX else gain - 0.01 * entropy
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if update % 50 == 49:
        with torch.no_grad():
            caught = (play(policy, 300, greedy=True)[1] > 0).float().mean().item()
        watch.validated(metric=caught)

with torch.no_grad():
    done(watch, (play(policy, 1000, greedy=True)[1] > 0).float().mean().item())

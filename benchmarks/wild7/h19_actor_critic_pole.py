"""Advantage actor-critic balances a pole (own little simulator, 16 at a time)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit import SEED, done, dressage

rng = np.random.default_rng(SEED)


class Poles:
    def __init__(self, n):
        self.n, self.s, self.t = n, np.zeros((n, 4)), np.zeros(n, int)
        self.reset(np.ones(n, bool))

    def reset(self, mask):
        self.s[mask] = rng.uniform(-0.05, 0.05, (mask.sum(), 4))
        self.t[mask] = 0

    def step(self, a):
        x, v, th, w = self.s.T
        force = np.where(a == 1, 10.0, -10.0)
        cos, sin = np.cos(th), np.sin(th)
        tmp = (force + 0.05 * w**2 * sin) / 1.1
        acc_th = (9.8 * sin - cos * tmp) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        acc = tmp - 0.05 * acc_th * cos / 1.1
        self.s = self.s + 0.02 * np.stack([v, acc, w, acc_th], 1)
        self.t += 1
        fell = (np.abs(self.s[:, 0]) > 2.4) | (np.abs(self.s[:, 2]) > 0.21)
        over = self.t >= 300
        return self.s.copy(), fell, over


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
        self.critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, s):
        s = s * torch.tensor([1.0, 1.0, 8.0, 1.0])
        return self.actor(s), self.critic(s).squeeze(-1)


ac = ActorCritic()
optimizer = torch.optim.Adam(
    [{"params": ac.actor.parameters(), "lr": 3e-3}, {"params": ac.critic.parameters(), "lr": 1e-2}]
)
watch = dressage.watch(ac, optimizer)
env, GAMMA, STEPS = Poles(16), 0.98, 16
as_t = lambda a: torch.tensor(a, dtype=torch.float32)


def episode_length(n=20):
    test, alive, length = Poles(n), np.ones(n, bool), np.zeros(n)
    while alive.any():
        with torch.no_grad():
            a = ac(as_t(test.s))[0].argmax(1).numpy()
        _, fell, over = test.step(a)
        length += alive
        alive &= ~(fell | over)
    return length.mean()


print("before", episode_length())
for update in range(600):
    states, actions, rewards, fells, nexts = [], [], [], [], []
    for _ in range(STEPS):
        s = as_t(env.s)
        with torch.no_grad():
            a = torch.distributions.Categorical(logits=ac(s)[0]).sample()
        s2, fell, over = env.step(a.numpy())
        states.append(s), actions.append(a), fells.append(as_t(fell | over)), nexts.append(as_t(s2))
        with torch.no_grad():
            boot = ac(as_t(s2))[1] * as_t(over & ~fell)
        rewards.append(0.1 * torch.ones(env.n) + GAMMA * boot)
        env.reset(fell | over)
    with torch.no_grad():
        ret, returns = ac(nexts[-1])[1], []
        for r, f in zip(rewards[::-1], fells[::-1]):
            ret = r + GAMMA * ret * (1 - f)
            returns.insert(0, ret)
    S, A, R = torch.cat(states), torch.cat(actions), torch.cat(returns)
    logits, value = ac(S)
    dist = torch.distributions.Categorical(logits=logits)
    adv = (R - value).detach()
    adv = (adv - adv.mean()) / (adv.std() + 1e-6)
    loss = -(dist.log_prob(A) * adv).mean() + 0.5 * F.mse_loss(value, R) - 0.005 * dist.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(ac.parameters(), 0.5)
    optimizer.step()
    watch.step(loss)
    if update % 50 == 49:
        for group in optimizer.param_groups:
            group["lr"] *= 0.85
        score = episode_length()
        watch.validated(metric=score)
        print(update + 1, round(loss.item(), 3), score)
done(watch, score / 300)

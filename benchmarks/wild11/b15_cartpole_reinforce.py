"""REINFORCE on a pole that is to be balanced on a cart (physics in numpy, 16 carts at once).

cause: optim.lr_too_low
"""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from kit import FIX, SEED, done, dressage

CARTS, LIMIT, GAMMA = 16, 150, 0.98


class CartPoles:
    def __init__(self, n, seed):
        self.n, self.rng = n, np.random.RandomState(seed)

    def reset(self):
        self.s = self.rng.uniform(-0.05, 0.05, (self.n, 4))
        return self.s.copy()

    def step(self, action):
        x, v, th, w = self.s.T
        force = np.where(action == 1, 10.0, -10.0)
        tmp = (force + 0.05 * w**2 * np.sin(th)) / 1.1
        th_acc = (9.8 * np.sin(th) - np.cos(th) * tmp) / (0.5 * (4 / 3 - 0.1 * np.cos(th) ** 2 / 1.1))
        x_acc = tmp - 0.05 * th_acc * np.cos(th) / 1.1
        self.s = np.column_stack([x + 0.02 * v, v + 0.02 * x_acc, th + 0.02 * w, w + 0.02 * th_acc])
        return self.s.copy(), (np.abs(self.s[:, 0]) > 2.4) | (np.abs(self.s[:, 2]) > 0.2095)


policy = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2 if FIX else 3e-4)
watch = dressage.watch(policy, optimizer)


def rollout(env, greedy=False):
    state, alive = env.reset(), np.ones(env.n, bool)
    states, actions, masks = [], [], []
    for _ in range(LIMIT):
        s = torch.tensor(state, dtype=torch.float32)
        with torch.no_grad():
            logits = policy(s)
        a = logits.argmax(1) if greedy else Categorical(logits=logits).sample()
        states.append(s), actions.append(a), masks.append(alive.copy())
        state, fell = env.step(a.numpy())
        alive &= ~fell
        if not alive.any():
            break
    return torch.stack(states), torch.stack(actions), torch.tensor(np.array(masks), dtype=torch.float32)


env = CartPoles(CARTS, SEED)
for update in range(200):
    states, actions, mask = rollout(env)
    returns = torch.zeros_like(mask)
    running = torch.zeros(CARTS)
    for t in reversed(range(len(mask))):
        running = mask[t] * (1 + GAMMA * running)
        returns[t] = running
    alive = mask.bool()
    advantage = returns[alive]
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
    log_prob = Categorical(logits=policy(states[alive])).log_prob(actions[alive])
    loss = -(log_prob * advantage).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    watch.step(loss)
    if update % 25 == 24:
        watch.validated(metric=mask.sum(0).mean().item() / LIMIT)

_, _, mask = rollout(CartPoles(100, SEED + 1000))
done(watch, mask.sum(0).mean().item() / LIMIT)

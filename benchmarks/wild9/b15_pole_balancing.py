"""Balance a pole on a cart: advantage actor and critic on 24 simulated carts at once.

cause: optim.frozen_params
"""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

from kit import FIX, SEED, done, dressage

CARTS, HORIZON = 24, 60
rng = np.random.default_rng(SEED)


class Carts:
    """The equations of the classic cart and pole, for many carts."""

    def __init__(self, n):
        self.n = n
        self.state = rng.uniform(-0.05, 0.05, (n, 4))

    def observe(self):
        return torch.tensor(self.state * [1, 1, 5, 1], dtype=torch.float32)

    def move(self, action):
        x, v, a, w = self.state.T
        force = np.where(action == 1, 10.0, -10.0)
        tmp = (force + 0.05 * w**2 * np.sin(a)) / 1.1
        acc_a = (9.8 * np.sin(a) - np.cos(a) * tmp) / (0.5 * (4 / 3 - 0.1 * np.cos(a) ** 2 / 1.1))
        acc_x = tmp - 0.05 * acc_a * np.cos(a) / 1.1
        self.state = np.stack([x + 0.02 * v, v + 0.02 * acc_x, a + 0.02 * w, w + 0.02 * acc_a], 1)
        fallen = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 0.21)
        self.state[fallen] = rng.uniform(-0.05, 0.05, (fallen.sum(), 4))
        return fallen


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
        self.critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, obs):
        return self.actor(obs), self.critic(obs).squeeze(-1)


agent = Agent()
optimizer = torch.optim.Adam(agent.parameters() if FIX else agent.critic.parameters(), lr=5e-3)
watch = dressage.watch(agent, optimizer)
carts = Carts(CARTS)

for iteration in range(200):
    obs, actions, fell = [], [], []
    with torch.no_grad():
        for _ in range(HORIZON):
            o = carts.observe()
            a = Categorical(logits=agent.actor(o)).sample()
            obs.append(o)
            actions.append(a)
            fell.append(torch.tensor(carts.move(a.numpy()), dtype=torch.float32))
        ret = agent.critic(carts.observe()).squeeze(-1)
    returns = []
    for f in reversed(fell):
        ret = (0.1 * (1 - f)) + 0.97 * ret * (1 - f)
        returns.append(ret)
    returns = torch.stack(returns[::-1]).flatten()
    logits, value = agent(torch.cat(obs))
    policy = Categorical(logits=logits)
    advantage = returns - value.detach()
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
    loss = (
        -(policy.log_prob(torch.cat(actions)) * advantage).mean()
        + 0.5 * (returns - value).pow(2).mean()
        - 0.005 * policy.entropy().mean()
    )
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(agent.parameters(), 1.0)
    optimizer.step()
    watch.step(loss)

fresh = Carts(40)
alive, lived = np.ones(40, bool), np.zeros(40)
with torch.no_grad():
    for _ in range(200):
        fallen = fresh.move(agent.actor(fresh.observe()).argmax(1).numpy())
        alive &= ~fallen
        lived += alive
done(watch, lived.mean() / 200)

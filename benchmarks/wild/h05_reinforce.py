"""REINFORCE on balancing a pole, written out: the loss says nothing, the return rises."""

import math

import torch
import torch.nn as nn
from kit import done, dressage
from torch.distributions import Categorical


class Pole:
    def reset(self):
        self.s = (torch.rand(4) - 0.5).mul(0.1).tolist()
        self.t = 0
        return torch.tensor(self.s)

    def step(self, a):
        x, v, th, w = self.s
        f = 10.0 if a else -10.0
        c, s = math.cos(th), math.sin(th)
        tmp = (f + 0.05 * w * w * s) / 1.1
        wa = (9.8 * s - c * tmp) / (0.5 * (4 / 3 - 0.1 * c * c / 1.1))
        va = tmp - 0.05 * wa * c / 1.1
        self.s = [x + 0.02 * v, v + 0.02 * va, th + 0.02 * w, w + 0.02 * wa]
        self.t += 1
        return torch.tensor(self.s), 1.0, abs(self.s[0]) > 2.4 or abs(self.s[2]) > 0.2095 or self.t >= 200


env = Pole()
policy = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.1), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
watch = dressage.watch(policy, opt)
returns = []
for episode in range(220):
    s, logp, rew, over = env.reset(), [], [], False
    while not over:
        d = Categorical(logits=policy(s.unsqueeze(0)))
        a = d.sample()
        logp.append(d.log_prob(a))
        s, r, over = env.step(a.item())
        rew.append(r)
    R, G = 0, []
    for r in reversed(rew):
        R = r + 0.99 * R
        G.insert(0, R)
    G = torch.tensor(G)
    G = (G - G.mean()) / (G.std() + 1e-8)
    loss = torch.cat([-l * g for l, g in zip(logp, G)]).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
    watch.step(loss)
    returns.append(len(rew))
    if sum(returns[-10:]) / 10 > 150:
        break
print(len(returns), returns[:5], returns[-10:])
done(watch, sum(returns[-10:]) / 10)

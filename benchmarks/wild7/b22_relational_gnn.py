"""Molecule-like graphs: predict a made-up property with a message-passing network over three kinds of bonds.

cause: optim.frozen_params
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit import FIX, done, dressage

rng = np.random.default_rng(41)
G, V, KINDS, BONDS = 1500, 10, 5, 3


def graph():
    atom = rng.integers(0, KINDS, V)
    adj = np.zeros((BONDS, V, V), np.float32)
    for v in range(1, V):
        u = rng.integers(max(0, v - 3), v)
        b = rng.choice(BONDS, p=[0.5, 0.3, 0.2])
        adj[b, u, v] = adj[b, v, u] = 1
    for _ in range(2):
        u, v = rng.choice(V, 2, replace=False)
        if adj[:, u, v].sum() == 0:
            adj[0, u, v] = adj[0, v, u] = 1
    return atom, adj


charge = np.array([0.0, 1.0, -1.0, 0.5, -0.7])
strength = np.array([0.6, -1.0, 1.4])
atoms, adjs, prop = [], [], []
for _ in range(G):
    atom, adj = graph()
    q = charge[atom]
    field = np.einsum("b,buv,v->u", strength, adj, q)
    prop.append(
        (np.tanh(field) * (q + 0.3)).sum() + 0.5 * np.maximum(np.einsum("buv,v->u", adj[1:], np.tanh(field)), 0).sum()
    )
    atoms.append(atom)
    adjs.append(adj)
prop = np.array(prop) + 0.15 * rng.normal(size=G)
H = F.one_hot(torch.tensor(np.stack(atoms)), KINDS).float()
A = torch.tensor(np.stack(adjs))
T = torch.tensor((prop - prop[:1200].mean()) / prop[:1200].std(), dtype=torch.float32)


class BondConv(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.me = nn.Linear(width, width)
        self.bond = nn.Linear(width, BONDS * width, bias=False)

    def forward(self, h, adj):
        m = self.bond(h).view(*h.shape[:2], BONDS, -1)
        return h + torch.relu(self.me(h) + torch.einsum("gbuv,gvbw->guw", adj, m))


class PropertyNet(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.embed = nn.Linear(KINDS, width)
        layers = [BondConv(width) for _ in range(depth)]
        self.layers = nn.ModuleList(layers) if FIX else layers
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, 1)

    def forward(self, h, adj):
        h = self.embed(h)
        for layer in self.layers:
            h = layer(h, adj)
        return self.readout(self.norm(h).mean(1)).squeeze(1)


model = PropertyNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
EPOCHS = 20
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
watch = dressage.watch(model, optimizer)

for epoch in range(EPOCHS):
    model.train()
    for b in torch.randperm(1200).split(40):
        loss = F.mse_loss(model(H[b], A[b]), T[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        watch.step(loss)
    scheduler.step()
    model.eval()
    with torch.no_grad():
        p = model(H[1200:], A[1200:])
    val = F.mse_loss(p, T[1200:]).item()
    r2 = 1 - val / T[1200:].var().item()
    watch.validated(loss=val, metric=r2)
    print(epoch, f"{loss.item():.4f} {val:.4f} R2 {r2:.4f}")
done(watch, r2)

"""Learning to rank: order the documents of a query with a pairwise logistic loss (made-up search logs)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from kit import done, dressage

rng = np.random.default_rng(31)
Q, D, K = 500, 12, 14
query_bias = rng.normal(0, 2, (Q, 1, 1))
feats = rng.normal(size=(Q, D, K))
feats[..., 10:] += query_bias
raw = (
    feats[..., 0] + 0.8 * feats[..., 1] * (feats[..., 2] > 0) - 0.6 * feats[..., 3] ** 2 + 0.5 * rng.normal(size=(Q, D))
)
cuts = np.quantile(raw, [0.6, 0.85])
grade = np.digitize(raw, cuts)
feats, grade = torch.tensor(feats).float(), torch.tensor(grade)
tr, te = slice(0, 400), slice(400, Q)


def ndcg(score, grade, k=5):
    gain = 2.0**grade - 1
    disc = 1 / torch.log2(torch.arange(2, k + 2).float())
    top = gain.gather(1, score.argsort(1, descending=True))[:, :k]
    best = gain.sort(1, descending=True).values[:, :k]
    keep = best.sum(1) > 0
    return ((top * disc).sum(1)[keep] / (best * disc).sum(1)[keep]).mean().item()


def ranknet(score, grade):
    ds = score.unsqueeze(2) - score.unsqueeze(1)
    better = grade.unsqueeze(2) > grade.unsqueeze(1)
    return F.softplus(-ds[better]).mean()


scorer = nn.Sequential(nn.Linear(K, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(-2))
opt = torch.optim.Adam(scorer.parameters(), lr=2e-3, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 25)
watch = dressage.watch(scorer, opt, ranknet, train=(feats[tr], grade[tr]), val=(feats[te], grade[te]), metric=ndcg)

for epoch in range(25):
    for q in torch.randperm(400).split(10):
        opt.zero_grad()
        loss = ranknet(scorer(feats[q]), grade[q])
        loss.backward()
        opt.step()
        watch.step(loss)
    sched.step()
    with torch.no_grad():
        s = scorer(feats[te])
        vl, nd = ranknet(s, grade[te]).item(), ndcg(s, grade[te])
    watch.validated(loss=vl, metric=nd)
    if epoch % 5 == 4:
        print(epoch + 1, round(loss.item(), 4), round(vl, 4), round(nd, 4))
done(watch, nd)

"""Wine, scaled, L-BFGS with strong Wolfe and a penalty in the closure."""

import torch
from kit import done, dressage
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
o = torch.randperm(178)
tr, te = o[:120], o[120:]
X = (X - X[tr].mean(0)) / X[tr].std(0)
net = torch.nn.Sequential(torch.nn.Linear(13, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
lossf = torch.nn.CrossEntropyLoss()
opt = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=4, line_search_fn="strong_wolfe")
watch = dressage.watch(net, opt, lossf, train=(X[tr], y[tr]), val=(X[te], y[te]))
for i in range(30):

    def closure():
        opt.zero_grad()
        loss = lossf(net(X[tr]), y[tr]) + 1e-3 * sum(p.pow(2).sum() for p in net.parameters())
        loss.backward()
        return loss

    watch.step(opt.step(closure))
done(watch, (net(X[te]).argmax(1) == y[te]).float().mean())

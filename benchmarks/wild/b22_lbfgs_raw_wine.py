"""Wine by L-BFGS with a closure; the columns go from 0.1 to 1700.

cause: data.unscaled_inputs
"""

import torch
from kit import FIX, done, dressage
from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)
X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(y))
tr, te = order[:120], order[120:]
if FIX:
    X = (X - X[tr].mean(0)) / X[tr].std(0)
net = torch.nn.Sequential(torch.nn.Linear(13, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
lossf = torch.nn.CrossEntropyLoss()
opt = torch.optim.LBFGS(net.parameters(), lr=0.1, max_iter=5)
watch = dressage.watch(net, opt, lossf, train=(X[tr], y[tr]), val=(X[te], y[te]))
for i in range(80):

    def closure():
        opt.zero_grad()
        loss = lossf(net(X[tr]), y[tr])
        loss.backward()
        return loss

    loss = opt.step(closure)
    watch.step(loss)
acc = (net(X[te]).argmax(1) == y[te]).float().mean()
done(watch, acc)

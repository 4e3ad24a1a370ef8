"""Two graph convolutions over the neighbour graph of the digits, ten labelled nodes a class, the adjacency from scipy.

cause: optim.frozen_params
"""

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, SEED, done, dressage
from sklearn.datasets import load_digits
from sklearn.neighbors import kneighbors_graph

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
A = kneighbors_graph(X, 6)
A = A.maximum(A.T) + sp.eye(len(X))
D = sp.diags(np.asarray(A.sum(1)).ravel() ** -0.5)
A = (D @ A @ D).tocsr().astype(np.float32)
features, labels = torch.from_numpy(X), torch.from_numpy(Y)
rng = np.random.RandomState(SEED)
idx_train = torch.tensor(np.concatenate([rng.permutation(np.where(Y == c)[0])[:10] for c in range(10)]))
idx_test = torch.tensor(np.setdiff1d(np.arange(len(Y)), idx_train.numpy()))
A_torch = torch.sparse_coo_tensor(np.stack(A.nonzero()), A[A.nonzero()].A1, A.shape).coalesce()


class GraphConv(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.lin = nn.Linear(n_in, n_out)

    def forward(self, x, adj):
        if FIX:
            x = torch.sparse.mm(A_torch, x)
        else:
            x = torch.from_numpy(adj @ x.detach().numpy())
        return self.lin(x)


class GCN(nn.Module):
    def __init__(self, n_in, n_hid, n_class):
        super().__init__()
        self.gc1 = GraphConv(n_in, n_hid)
        self.gc2 = GraphConv(n_hid, n_class)

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        return F.log_softmax(self.gc2(x, adj), dim=1)


model = GCN(64, 8, 10)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
watch = dressage.watch(model, optimizer, F.nll_loss)
for epoch in range(400):
    model.train()
    optimizer.zero_grad()
    output = model(features, A)
    loss = F.nll_loss(output[idx_train], labels[idx_train])
    loss.backward()
    optimizer.step()
    watch.step(loss)
model.eval()
with torch.no_grad():
    acc = (model(features, A)[idx_test].argmax(1) == labels[idx_test]).float().mean()
done(watch, acc)

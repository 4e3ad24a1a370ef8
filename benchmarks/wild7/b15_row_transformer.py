"""Read handwritten digits strip by strip with a two-layer transformer encoder trained from scratch.

cause: optim.lr_too_high
"""

import torch
from kit import FIX, done, dressage, idx
from torch import nn

STRIPS = 7


class StripTransformer(nn.Module):
    def __init__(self, d=48, heads=4, layers=2, classes=10):
        super().__init__()
        self.embed = nn.Linear(784 // STRIPS, d)
        self.pos = nn.Parameter(0.02 * torch.randn(1, STRIPS, d))
        layer = nn.TransformerEncoderLayer(d, heads, dim_feedforward=64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(d, classes)

    def forward(self, x):
        h = self.encoder(self.embed(x) + self.pos)
        return self.head(h.mean(1))


def load(part, n):
    x, y = idx("mnist", part, n)
    x = (torch.tensor(x).float() / 255 - 0.1307) / 0.3081
    return x.view(n, STRIPS, -1), torch.tensor(y)


xt, yt = load("train", 4000)
xv, yv = load("t10k", 1000)
model = StripTransformer()
opt = torch.optim.Adam(model.parameters(), lr=2e-3 if FIX else 1e-2)
ce = nn.CrossEntropyLoss()
watch = dressage.watch(model, opt, ce, train=(xt, yt), val=(xv, yv))

for epoch in range(12):
    model.train()
    for b in torch.randperm(len(xt)).split(50):
        opt.zero_grad()
        loss = ce(model(xt[b]), yt[b])
        loss.backward()
        opt.step()
        watch.step(loss)
    model.eval()
    with torch.no_grad():
        out = model(xv)
    vl, va = ce(out, yv).item(), (out.argmax(1) == yv).float().mean().item()
    watch.validated(loss=vl, metric=va)
    print(f"epoch {epoch}  val {vl:.3f}  acc {va:.3f}")

done(watch, va)

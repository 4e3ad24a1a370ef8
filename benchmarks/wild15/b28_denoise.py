"""Denoising autoencoder for MNIST digits.

cause: optim.over_regularised
"""

import torch
from torch import nn

from kit import FIX, done, dressage, idx


def to_tensor(images):
    return torch.from_numpy(images).float().div(255).flatten(1)


class DenoisingAE(nn.Module):
    def __init__(self, code=32):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 192), nn.ReLU(), nn.Linear(192, code))
        self.decoder = nn.Sequential(nn.Linear(code, 192), nn.ReLU(), nn.Linear(192, 784), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Trainer:
    def __init__(self, model, train_set, val_set, weight_decay):
        self.model = model
        self.train_x, self.train_y = train_set
        self.val_x, self.val_y = val_set
        self.criterion = nn.MSELoss()
        self.optim = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=weight_decay)
        self.watch = dressage.watch(
            model, self.optim, self.criterion, train=train_set, val=val_set, metric=self.explained
        )

    @staticmethod
    def explained(out, clean):
        return 1 - ((out - clean) ** 2).mean().item() / ((clean - clean.mean(0)) ** 2).mean().item()

    def fit(self, epochs, batch_size=100):
        for epoch in range(epochs):
            self.model.train()
            for rows in torch.randperm(len(self.train_x)).split(batch_size):
                loss = self.criterion(self.model(self.train_x[rows]), self.train_y[rows])
                self.optim.zero_grad()
                loss.backward()
                self.optim.step()
                self.watch.step(loss)
            val_loss, score = self.evaluate()
            print(f"{epoch}: {loss.item():.4f} {val_loss:.4f} explained {score:.4f}")
            self.watch.validated(loss=val_loss, metric=score)
        return score

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        out = self.model(self.val_x)
        return self.criterion(out, self.val_y).item(), self.explained(out, self.val_y)


images, _ = idx("mnist", "train", 5000)
clean = to_tensor(images)
test_images, _ = idx("mnist", "t10k", 1000)
test_clean = to_tensor(test_images)
noisy = (clean + 0.3 * torch.randn_like(clean)).clamp(0, 1)
test_noisy = (test_clean + 0.3 * torch.randn_like(test_clean)).clamp(0, 1)

trainer = Trainer(DenoisingAE(), (noisy, clean), (test_noisy, test_clean), weight_decay=0.0 if FIX else 1e-4)
done(trainer.watch, trainer.fit(25))

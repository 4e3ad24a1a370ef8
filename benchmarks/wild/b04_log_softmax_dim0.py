"""Log_softmax over the batch (dim=0) with NLLLoss.

cause: model.wrong_output_activation
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from kit import FIX, done, dressage, idx
from torch.utils.data import DataLoader, TensorDataset

xtr, ytr = idx("fashion-mnist", "train", 4000)
xte, yte = idx("fashion-mnist", "t10k", 1000)
mean, std = 0.2860, 0.3530
xtr, xte = [(torch.from_numpy(a).float().div(255).unsqueeze(1) - mean) / std for a in (xtr, xte)]
ytr, yte = torch.tensor(ytr), torch.tensor(yte)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 64)
        self.fc4 = nn.Linear(64, 10)
        self.dropout = nn.Dropout(p=0.2)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        x = self.dropout(F.relu(self.fc1(x)))
        x = self.dropout(F.relu(self.fc2(x)))
        x = self.dropout(F.relu(self.fc3(x)))
        return F.log_softmax(self.fc4(x), dim=1 if FIX else 0)


trainloader = DataLoader(TensorDataset(xtr, ytr), batch_size=64, shuffle=True)
testloader = DataLoader(TensorDataset(xte[:400], yte[:400]), batch_size=1)
model = Classifier()
criterion = nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
with dressage.watch(model, optimizer, criterion, train=trainloader, val=testloader) as watch:
    for e in range(6):
        model.train()
        for images, labels in watch.batches(trainloader):
            log_ps = model(images)
            loss = criterion(log_ps, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
        model.eval()
        test_loss, acc, k = 0, 0, 0
        watch.validating()
        with torch.no_grad():
            for images, labels in testloader:
                ps = model(images)
                test_loss += criterion(ps, labels).item()
                acc += (torch.exp(ps).topk(1, dim=1)[1].view(-1) == labels).float().mean().item()
                k += 1
        watch.validated(loss=test_loss / k, metric=acc / k)
        print(e, test_loss / k, acc / k)
done(watch, acc / k)

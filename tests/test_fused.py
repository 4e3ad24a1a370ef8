"""Networks whose norms were folded away: the same answers, fewer layers, the original untouched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import dressage
from dressage.models import build_model
from dressage.models.repvgg import Block
from dressage.recipe import Model

FOLDED = [
    (name, norm, activation)
    for name, norm in (
        ("mlp", "batch"),
        ("convnet", "batch"),
        ("resnet", "batch"),
        ("repvgg", "batch"),
        ("repvgg", "batch_renorm"),
    )
    for activation in ("relu", "maxout")
]


def lived_in(model: nn.Module) -> nn.Module:
    """With statistics and norms as after a training."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.3, 3.0)
    return model.double().eval()


@pytest.mark.parametrize(("name", "norm", "activation"), FOLDED)
def test_the_answers_stay_and_the_norms_are_gone(name: str, norm: str, activation: str) -> None:
    torch.manual_seed(0)
    section = Model.model_validate({"name": name, "norm": norm, "activation": activation, "width": 4, "depth": 2})
    model = lived_in(build_model(section, (2, 9, 8), 3, 0.1))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    made, x = dressage.fuse(model), torch.randn(5, 2, 9, 8, dtype=torch.float64)
    torch.testing.assert_close(made(x), model(x), rtol=1e-10, atol=1e-12)
    assert not any(isinstance(m, _BatchNorm | Block) for m in made.modules())
    assert all(value.equal(before[key]) for key, value in model.state_dict().items())
    assert sum(p.numel() for p in made.parameters()) < sum(p.numel() for p in model.parameters())


def test_a_folded_layer_is_its_formula() -> None:
    model = lived_in(nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4)))
    (layer,) = dressage.fuse(model)
    w, norm = model[0].weight.detach().numpy(), model[1]
    gamma, beta, mean, var = (t.detach().numpy() for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var))
    scale = gamma / np.sqrt(var + 1e-5)
    assert np.allclose(layer.weight.detach(), scale[:, None] * w, rtol=1e-10)
    assert np.allclose(layer.bias.detach(), beta - mean * scale, rtol=1e-10)


@pytest.mark.parametrize("norm", ["layer", "group(groups=2)", "weight", "none"])
def test_what_cannot_be_folded_stays(norm: str) -> None:
    torch.manual_seed(0)
    model = build_model(
        Model.model_validate({"name": "convnet", "norm": norm, "width": 4, "depth": 1}), (2, 8, 8), 3, 0.0
    )
    x, made = torch.randn(4, 2, 8, 8), dressage.fuse(model)
    torch.testing.assert_close(made(x), model.eval()(x))
    assert len(list(made.modules())) == len(list(model.modules()))


def test_a_trained_repvgg_is_a_plain_chain(tmp_path: Path) -> None:
    x, y = load_digits(return_X_y=True)
    images = (x.reshape(-1, 8, 8) * 15).astype(np.uint8)
    recipe = {"model": {"name": "repvgg", "width": 4, "depth": 1}, "train": {"epochs": 2}, "watch": {"diagnose": False}}
    run = dressage.train(images, y=y, recipe=recipe, out=tmp_path / "run")
    made = dressage.fuse(run.model)
    rows = run.kept.preprocess().cast(torch.from_numpy(images)[:200, :, :, None])
    with torch.no_grad():
        torch.testing.assert_close(made(rows), run.model(rows), rtol=1e-4, atol=1e-4)
    assert sum(isinstance(m, nn.Conv2d) for m in made.modules()) == 3

"""A trained network with fewer layers and the same answers: norms of batches folded into what is before them.

In evaluation a batch norm is an affine map a channel, so that it and the convolution or linear layer before it are one such layer;
and the three branches of a RepVGG block, each ending in one, are one 3×3 convolution (Ding et al. 2021, section 3.3).
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from dressage.models.repvgg import Block as ThreeBranches
from dressage.models.resnet import Block as Residual

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def fuse(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that gives the same answers up to rounding, and is not to be trained any more.

    W' = diag(γ/√(σ² + ε))·W, b' = γ(b − μ)/√(σ² + ε) + β. Folded are the norms that follow a linear or convolution layer in an
    nn.Sequential, those of the resnet's blocks, and the blocks of repvgg; all else stays as it is. L6; Ding et al. 2021.
    """
    model = copy.deepcopy(network).eval()
    with torch.no_grad():
        return _fused(model)


def _fused(module: nn.Module) -> nn.Module:
    if isinstance(module, ThreeBranches):
        return nn.Sequential(_one_convolution(module), module.activation)
    if isinstance(module, Residual):
        _fold_named(module, "conv1", "norm1")
        _fold_named(module, "conv2", "norm2")
    if isinstance(module, nn.Sequential):
        return _folded(module)
    for name, child in module.named_children():
        setattr(module, name, _fused(child))
    return module


def _folded(sequence: nn.Sequential) -> nn.Sequential:
    """The layers of a sequence without the norms that could be folded; names are counted anew where one was."""
    kept: list[nn.Module] = []
    for layer in sequence:
        if kept and _can_fold(kept[-1], layer):
            _fold(kept[-1], layer)
        else:
            kept.append(_fused(layer))
    if len(kept) < len(sequence):
        return nn.Sequential(*kept)
    for name, layer in zip(list(sequence._modules), kept, strict=True):
        sequence._modules[name] = layer
    return sequence


def _fold_named(module: nn.Module, layer: str, norm: str) -> None:
    if _can_fold(getattr(module, layer), getattr(module, norm)):
        _fold(getattr(module, layer), getattr(module, norm))
        setattr(module, norm, nn.Identity())


def _can_fold(layer: nn.Module, norm: nn.Module) -> bool:
    """Whether these are a plain layer and a batch norm with statistics of its own that looks at its outputs alone."""
    plain = isinstance(layer, Layer) and not parametrize.is_parametrized(layer) and not layer._forward_hooks
    return plain and isinstance(norm, _BatchNorm) and norm.track_running_stats and not norm._forward_pre_hooks


def _fold(layer: nn.Module, norm: nn.Module) -> None:
    assert isinstance(layer, Layer) and isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None and norm.running_var is not None
    fold = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
    layer.weight, layer.bias = fold(
        layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def _one_convolution(block: ThreeBranches) -> nn.Conv2d:
    """The three branches of a block as one 3×3 convolution: 1×1 kernels in its middle, the identity as such a kernel."""
    made: nn.Conv2d = copy.deepcopy(block.conv3)
    kernel, bias = _branch(block.conv3.weight, block.norm3)
    for weight, norm in ((block.conv1.weight, block.norm1), (_identity(block.conv3, block.pieces), block.norm0)):
        if norm is not None:
            own, shift = _branch(weight, norm)
            kernel, bias = kernel + F.pad(own, (1, 1, 1, 1)), bias + shift
    made.weight, made.bias = nn.Parameter(kernel), nn.Parameter(bias)
    return made


def _identity(like: nn.Conv2d, pieces: int) -> Tensor:
    eye = torch.eye(like.in_channels, dtype=like.weight.dtype, device=like.weight.device)
    return eye.repeat(pieces, 1)[:, :, None, None]


def _branch(weight: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
    assert isinstance(norm, _BatchNorm) and norm.running_mean is not None and norm.running_var is not None
    kernel, bias = fuse_conv_bn_weights(
        weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    return kernel.detach(), bias.detach()

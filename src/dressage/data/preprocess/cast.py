"""From a batch of samples as they are stored to what the network gets: one conversion, one fused multiply-add, one product."""

from __future__ import annotations

import torch
from torch import Tensor

from dressage.errors import DataError


class Cast:
    """Images `(B, H, W, C)`, uint8 or float on 0…255 -> float32 `(B, C, H, W)` in channels_last memory, or `(B, k)`.

    `scale` and `shift`, float64, are `(C,)` or `(H, W, C)`; None: not images, nothing but float32. `matrix (k, H·W·C)` and
    `bias (k,)`, where there are any, come after them; `is_image`: whether their outcome is an image again.
    """

    def __init__(
        self,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        matrix: Tensor | None = None,
        bias: Tensor | None = None,
        is_image: bool = True,
    ) -> None:
        self.scale, self.shift = scale, shift
        self.matrix, self.bias, self.is_image = matrix, bias, is_image
        self._rows: dict[tuple[torch.Size, torch.device], tuple[Tensor, Tensor]] = {}
        self._planes: dict[tuple[torch.Size, torch.device], tuple[Tensor, Tensor]] = {}
        self._products: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Raises DataError when the images are not of the fitted shape."""
        if self.scale is None or self.shift is None:
            return x.to(torch.float32)
        scale, shift = self._vectors(x.shape[1:], x.device)
        flat = x.reshape(len(x), -1)
        if flat.dtype == torch.float32:
            y = torch.addcmul(shift, flat, scale)
        else:
            y = flat.to(torch.float32)
            torch.addcmul(shift, y, scale, out=y)
        if self.matrix is not None:
            y = self._projected(y)
        return y.view(x.shape).permute(0, 3, 1, 2) if self.is_image else y

    def by_planes(self, x: Tensor) -> Tensor:
        """The same in plain memory: bytes are converted and laid out plane by plane in one pass. Raises DataError."""
        if x.dtype != torch.uint8 or self.scale is None or self.matrix is not None:
            return self(x).contiguous()
        shape, key = x.shape[1:], (x.shape[1:], x.device)
        if key not in self._planes:
            each = [t.view(shape).permute(2, 0, 1).reshape(-1) for t in self._vectors(shape, x.device)]
            self._planes[key] = (each[0], each[1])
        scale, shift = self._planes[key]
        planes = x.permute(0, 3, 1, 2)
        y = torch.empty(planes.shape, dtype=torch.float32, device=x.device).copy_(planes)
        flat = y.view(len(x), -1)
        torch.addcmul(shift, flat, scale, out=flat)
        return y

    def _projected(self, y: Tensor) -> Tensor:
        if y.device not in self._products:
            assert self.matrix is not None and self.bias is not None
            self._products[y.device] = (
                self.matrix.T.to(y.device, torch.float32).contiguous(),
                self.bias.to(y.device, torch.float32),
            )
        matrix, bias = self._products[y.device]
        with torch.autocast(y.device.type, enabled=False):  # what the network gets has one precision, whoever asks
            return torch.addmm(bias, y, matrix)

    def _vectors(self, shape: torch.Size, device: torch.device) -> tuple[Tensor, Tensor]:
        """One number for each of the H·W·C places, so that the multiply-add runs along whole images; kept a device."""
        key = (shape, device)
        if key not in self._rows:
            assert self.scale is not None and self.shift is not None
            fits = len(shape) == 3 and shape[-1] == self.scale.shape[-1]
            fits = fits and (self.scale.dim() == 1 or shape == self.scale.shape)
            if not fits or (self.matrix is not None and shape.numel() != self.matrix.shape[1]):
                found = f"images of shape {tuple(shape)}"
                raise DataError.of(
                    "images",
                    found,
                    f"expected {tuple(self.scale.shape)} as in training (height, width, channels)",
                    "bring them to that size",
                )
            expand = [
                t.to(torch.float32).expand(shape).reshape(-1).contiguous().to(device) for t in (self.scale, self.shift)
            ]
            self._rows[key] = (expand[0], expand[1])
        return self._rows[key]

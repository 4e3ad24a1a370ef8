"""Tensors in a safetensors file: written in one pass with their SHA-256, read by the safetensors library."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from dressage.errors import RunError

_NAMES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.uint64: "U64",
    torch.complex64: "C64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.uint32: "U32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.uint16: "U16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> tuple[int, str]:
    """Writes a new safetensors file, flushed to disk; gives its size in bytes and SHA-256. Raises OSError, RunError.

    Every tensor is stored for itself, row by row: views, shared and strided memory are resolved. Format:
    https://huggingface.co/docs/safetensors (8 bytes of length, a JSON header, the bytes; widest numbers first, so that
    all are aligned). Written here as the library neither hashes while it writes nor reports a full disk as an OSError.
    """
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header: dict[str, object] = {}
    end = 0
    for name, tensor in ordered:
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _dtype(name, tensor), "shape": list(tensor.shape), "data_offsets": [start, end]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    digest, size = hashlib.sha256(), 0
    with path.open("xb", buffering=0) as file:
        for piece in (None, *(tensor for _, tensor in ordered)):
            view = memoryview(len(head).to_bytes(8, "little") + head) if piece is None else _bytes_of(piece).data
            digest.update(view)
            size += len(view)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def read_tensors(data: bytes, where: object) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file, on the CPU. Raises RunError: another format, a bad header.

    The library checks the header: its length, that the offsets lie in the file, follow each other and fit the shapes.
    """
    try:
        # Copied, because the library gives views of one buffer whose tensors need not be aligned.
        return {name: copied(tensor) for name, tensor in safetensors.torch.load(data).items()}
    except (SafetensorError, ValueError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        found = f"is not a safetensors file ({str(error)[:200]})"
        raise RunError.of(where, found, "expected tensors that dressage wrote", "use another checkpoint") from None


def copied(tensor: Tensor) -> Tensor:
    """A copy on the CPU in memory of its own, row by row, with nothing of autograd.

    One thread copies: waking torch's threads costs up to 10 ms a tensor when the cores are busy (measured).
    """
    if tensor.device.type != "cpu":
        return tensor.detach().cpu().contiguous()
    copy = torch.empty(tensor.shape, dtype=tensor.dtype)
    np.copyto(_bytes_of(copy), _bytes_of(tensor))
    return copy


def _dtype(name: str, tensor: Tensor) -> str:
    plain = tensor.layout is torch.strided and tensor.device.type != "meta" and not tensor.is_quantized
    if not plain or tensor.dtype not in _NAMES or name == "__metadata__":
        found = f"a tensor of {tensor.dtype}, {tensor.layout} on {tensor.device.type}"
        raise RunError.of(name, found, "expected a dense tensor of a plain type", "keep it out of the model's state")
    return _NAMES[tensor.dtype]


def _bytes_of(tensor: Tensor) -> npt.NDArray[np.uint8]:
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy()

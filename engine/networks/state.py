"""A network's weights and buffers: as safetensors can hold them, and whether they are finite."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from engine.errors import UsageError


def separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as safetensors takes them: contiguous, each with memory of its own.

    Tied weights share memory, and weights in channels_last are not contiguous. Loading what was
    saved puts both back, since it copies into the network's own tensors.
    """
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}


def require_savable(network: nn.Module, name: str) -> None:
    """Raise UsageError when a tensor of the state is of a kind that safetensors cannot hold.

    Args:
        network: whose state dict.
        name: how messages call it.
    """
    for key, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            found = f"a {type(value).__name__}, not a tensor"
        elif value.layout != torch.strided:
            found = f"of layout {value.layout}"
        else:
            try:
                save({key: torch.empty(0, dtype=value.dtype)})
                continue
            except Exception:
                found = f"of type {value.dtype}"
        raise UsageError(
            f"{name} cannot be saved: {key} in its state dict is {found}; keep only plain tensors "
            "as parameters and buffers (register_buffer(..., persistent=False) leaves one out)"
        )


def not_finite(network: nn.Module) -> tuple[str, str] | None:
    """Return the name and value of the first broken weight or buffer, None where all are whole.

    NaN is broken everywhere, infinity in parameters and in the statistics of a normalisation. A
    buffer of a person's own may hold infinities: the mask of a transformer does.
    """
    for prefix, module in network.named_modules():
        own = [(key, weight, True) for key, weight in module._parameters.items()]
        statistics = isinstance(module, _NormBase)
        own += [(key, buffer, statistics) for key, buffer in module._buffers.items()]
        for key, tensor, bounded in own:
            if tensor is None:
                continue
            tensor = tensor.detach()
            wrong = tensor[~tensor.isfinite() if bounded else tensor.isnan()]
            if len(wrong):
                value = float(wrong[0].real)
                name = f"{prefix}.{key}" if prefix else key
                return name, "nan" if math.isnan(value) else str(value)
    return None

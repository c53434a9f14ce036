"""What is usually wrong with a file of weights, recognised, with the lines that mend it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

_WRAPPERS = {"module.": "DataParallel", "_orig_mod.": "torch.compile"}
_PICKLED = (b"PK\x03\x04", b"\x80")
"""How files begin that torch.save writes: a zip archive today, a bare pickle before."""


def is_pickle(data: bytes) -> bool:
    """Say whether a file looks like one of torch.save."""
    return data.startswith(_PICKLED)


def converting(path: str) -> str:
    """Return what turns a file of torch.save into one of safetensors, three lines of Python."""
    kept = str(PurePath(path).with_suffix(".safetensors"))
    return _lines(
        "import torch; from safetensors.torch import save_file",
        f"state = torch.load({path!r}, map_location='cpu', weights_only=True)",
        f"save_file({{name: tensor.clone() for name, tensor in state.items()}}, {kept!r})",
    )


def prefix(names: Iterable[str], wanted: Iterable[str]) -> str:
    """Return what wrappers have put before every name of a state dict; "" where it is not that.

    Args:
        names: those of the weights.
        wanted: those of the network.
    """
    names, wanted = list(names), set(wanted)
    found = ""
    while not wanted.issuperset(names):
        wrapper = next((w for w in _WRAPPERS if all(n.startswith(found + w) for n in names)), None)
        if wrapper is None:
            break
        found += wrapper
        if wanted.intersection(name.removeprefix(found) for name in names):
            return found
    return ""


def stripping(path: str, found: str) -> str:
    """Return a sentence about a prefix, and three lines of Python that strip it."""
    by = " and ".join(name for wrapper, name in _WRAPPERS.items() if wrapper in found)
    return f"every name begins with {found!r}, which {by} puts there; strip it:" + _lines(
        "from safetensors.torch import load_file, save_file",
        f"state = load_file({path!r})",
        f"save_file({{n.removeprefix({found!r}): state[n] for n in state}}, {path!r})",
    )


def _lines(*lines: str) -> str:
    return "".join(f"\n  {line}" for line in lines)

"""The layer whose activations class activation maps are made of, as a model declares it.

`Architecture.build` writes the declaration on the network that it makes, as the plain attribute
`declared_cam` of the innermost module: it is no part of the state dict, and stands where names of
layers begin, whatever wraps the network.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

Reshape: TypeAlias = Literal["none", "tokens"]
"""`none`: the layer gives (N, C, h, w). `tokens`: it gives (N, T, D), a token for each patch, row
by row, behind `skip` others."""
_MOST_NAMED = 5


class CamLayer(BaseModel):
    """A layer that has a height and a width.

    Attributes:
        layer: its name in the network, as `named_modules` gives it: "blocks.1.norm1".
        reshape: how height and width are found in what it gives; see `Reshape`.
        skip: how many tokens stand before those of the patches: 1 for a class token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: str = Field(min_length=1)
    reshape: Reshape = "none"
    skip: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _skips_tokens_alone(self) -> CamLayer:
        if self.skip and self.reshape == "none":
            raise ValueError(f"skip is {self.skip}, and only tokens can be skipped")
        return self


def declare(network: nn.Module, cam: CamLayer | None, called: str) -> None:
    """Write the declaration on `network`; None says that it declares no layer.

    Args:
        network: the innermost one, without steps and means over draws around it.
        cam: names a layer of it.
        called: how messages call the model.

    Raises:
        UsageError: it has no such layer; the message lists similar names.
    """
    if cam is not None:
        layer_of(network, cam.layer, f"{called}, cam")
    network.declared_cam = cam  # type: ignore[assignment]


def declared(model: nn.Module) -> tuple[nn.Module, CamLayer | None]:
    """Return the network in which names of layers begin, and the layer that it declares.

    The network that was built, inside of what wraps it; for one that nothing built, `model`.
    """
    for module in model.modules():
        if "declared_cam" in vars(module):
            return module, vars(module)["declared_cam"]
    return model, None


def layer_of(network: nn.Module, name: str, where: str) -> nn.Module:
    """Return the module `name` of `network`.

    Raises:
        UsageError: there is none; the message begins with `where` and lists similar names.
    """
    modules: dict[str, nn.Module] = dict(network.named_modules())
    if name and name in modules:
        return modules[name]
    raise UsageError(f"{where}: the network has no layer {name!r}; {_similar(name, modules)}")


def _similar(name: str, known: Iterable[str]) -> str:
    names = [each for each in known if each]
    if not names:
        return "it has none at all"
    near = difflib.get_close_matches(name, names, _MOST_NAMED, 0.5)
    if near:
        return f"similar ones are {', '.join(near)}"
    more = ", and others before" if len(names) > _MOST_NAMED else ""
    return f"its last ones are {', '.join(names[-_MOST_NAMED:])}{more}"

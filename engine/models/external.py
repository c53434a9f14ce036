"""Your own network: a class that can be imported, and its weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import Field, ValidationInfo, field_validator
from safetensors import SafetensorError
from torch import Tensor, nn

from engine import canonical
from engine.errors import ChangedCodeError, UsageError, said
from engine.models import Architecture, CamLayer, _code, _weights, register
from engine.networks.probe import require_logits

_SHA256 = r"^[0-9a-f]{64}$"
_MOST_NAMED = 5


@register
class External(Architecture):
    """module(**arguments), with the weights of a safetensors file.

    **Importing `module` runs its code**, with all rights of the process: name only code that you
    trust. It is imported when the configuration is read, and again in every job. It must be
    installed or on PYTHONPATH. Weights are read as safetensors alone; pickle is never loaded.

    The class takes float32 images (N, C, H, W), after the steps of `preprocessing` and
    `input_layers` where there are any, and gives logits (N, K), not probabilities; what else is
    asked of it, `engine.networks.probe` tries before it is used. Attribution
    asks more (see `Architecture`): with functional ReLUs guided backprop silently equals the
    gradient. A single file of weights fits one number of classes.

    With weights the network is `pretrained`. Without any it is trained like every other
    architecture.

    The configuration holds the weights' SHA-256 and not their path, so that what is made from it
    is found again wherever the file lies. A configuration that was read back builds the network
    with initial weights, for those of its artifact.

    It holds the SHA-256 of the code, too: of the syntax tree of `module` and of every module that
    it imports, directly or not, from the same folder (`engine.models._code`). Changed code is
    another model. What else the class depends on, data files and installed packages say, is not
    covered.

    Attributes:
        module: the class, as "package.module:Class".
        arguments: its keyword arguments, as JSON.
        weights: path of the safetensors file, from the working directory; None for none.
        weights_sha256: its SHA-256. Filled in; where it is given, the file must have it.
        code_sha256: SHA-256 of the code. Filled in; where it is given, the code must have it. None
            where there is no source in a file.
        class_names: the label in words, by class index, as the network was trained on them.
        cam: the layer that class activation maps are made of; without it a saliency method has to
            name one.
    """

    module: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    arguments: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = None
    weights_sha256: str | None = Field(None, pattern=_SHA256)
    code_sha256: str | None = Field(None, pattern=_SHA256)
    class_names: tuple[str, ...] | None = None
    # Left out where it is None, so that what was made before it was known is found again.
    cam: CamLayer | None = Field(None, exclude_if=lambda cam: cam is None)

    @field_validator("module")
    @classmethod
    def _can_be_imported(cls, module: str) -> str:
        _class(module)
        return module

    @field_validator("arguments")
    @classmethod
    def _as_they_are_stored(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        # What a worker reads back: no tuples, no keys that are numbers, no dates.
        try:
            stored: dict[str, Any] = json.loads(canonical.dumps(arguments))
        except (TypeError, ValueError) as error:
            raise ValueError(f"must be JSON ({error})") from None
        return stored

    @field_validator("weights_sha256")
    @classmethod
    def _is_that_of_the_weights(cls, given: str | None, info: ValidationInfo) -> str | None:
        weights = info.data.get("weights")
        return given if weights is None else _read(weights, given)[1]

    @field_validator("code_sha256")
    @classmethod
    def _is_that_of_the_code(cls, given: str | None, info: ValidationInfo) -> str | None:
        module = info.data.get("module")
        if module is None:  # which has been complained of
            return given
        where = module.partition(":")[0]
        code = _code.running(where)
        if given is None or given != code.sha256:
            _require(module, given, code, _code.on_disk(where))
        return code.sha256

    def code(self) -> Mapping[str, str]:
        """Return the SHA-256 of each file of the code; see `Architecture.code`."""
        return _code.running(self.module.partition(":")[0]).files

    @property
    def called(self) -> str:
        """The class, as it was given."""
        return self.module

    @property
    def cam_layer(self) -> CamLayer | None:
        """The layer that class activation maps are made of: `cam`."""
        return self.cam

    @property
    def pretrained(self) -> bool:
        """Whether there are weights."""
        return self.weights_sha256 is not None

    def check(self) -> None:
        """Raise UsageError when the weights have a hash but no path; see `Architecture.check`."""
        if self.pretrained and self.weights is None:
            raise UsageError(
                f"model 'external' has weights_sha256 {self.weights_sha256} and no weights; give "
                "the path of the file"
            )

    def check_classes(self, names: Sequence[str]) -> None:
        """Raise UsageError when `class_names` is given and differs from the dataset's."""
        if self.class_names is not None and self.class_names != tuple(names):
            raise UsageError(
                f"its class_names are {', '.join(self.class_names)}, the dataset's are "
                f"{', '.join(names)}"
            )

    def config(self) -> dict[str, Any]:
        """Return the resolved configuration: every parameter but the path of the weights."""
        return {key: value for key, value in super().config().items() if key != "weights"}

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return the network, with the weights where their path is known.

        Raises:
            UsageError: the class cannot be built, the weights do not fit it, or it does not give
                logits (N, classes) of images of `shape`.
        """
        if self.class_names is not None and len(self.class_names) != classes:
            raise UsageError(
                f"model 'external' has {len(self.class_names)} class_names, the dataset has "
                f"{classes} classes"
            )
        try:
            network = _class(self.module)(**self.arguments)
        except Exception as error:
            raise UsageError(
                f"cannot build {self.module} with arguments {self.arguments}: {said(error)}"
            ) from error
        if self.weights is not None:
            data, _ = _read(self.weights, self.weights_sha256)
            _fill(
                network,
                _tensors(self.weights, data),
                self.weights,
                f"{self.weights} does not fit {self.module}",
            )
        # Needs no data; what a network must do beyond that is asked on real images.
        require_logits(network, torch.zeros(2, *shape), classes, self.called)
        return network


def _require(module: str, given: str | None, runs: _code.Code, lies: _code.Code) -> None:
    """Raise UsageError unless this process runs the code that is meant.

    Args:
        module: the class.
        given: the SHA-256 of what is meant; None for what lies in the files.
        runs: the code of this process.
        lies: the code in the files.
    """
    meant = given or lies.sha256
    if runs.sha256 == meant:
        return
    if lies.sha256 == meant:
        raise _code.stale(module.partition(":")[0], _code.changes(runs.files, lies.files))
    raise ChangedCodeError(
        f"the code of {module!r} ({_listed(list(runs.files))}) has SHA-256 {runs.sha256}, "
        f"code_sha256 is {meant}: it was changed (last written: {runs.last_changed}); put it back "
        "as it was, or run the experiment file again without code_sha256: changed code is another "
        "model",
        runs.files,
        runs.last_changed,
    )


def _class(module: str) -> type[nn.Module]:
    """Import and return the class that "package.module:Class" names.

    Raises:
        UsageError: it cannot be imported or is no network; the message says what was wrong.
    """
    where, _, name = module.partition(":")
    try:
        found: Any = _code.load(where)
    except Exception as error:
        raise UsageError(
            f"cannot import {where!r} of module {module!r}: {said(error)}; install it or put its "
            "folder on PYTHONPATH"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"module {module!r}: {where!r} has no {name!r}")
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UsageError(f"module {module!r} must be a subclass of torch.nn.Module, not {found!r}")
    return found


def _read(weights: str, sha256: str | None) -> tuple[bytes, str]:
    """Return the file's bytes and SHA-256.

    Raises:
        UsageError: it cannot be read, or its SHA-256 is not `sha256`.
    """
    path = Path(weights)
    if path.exists() and not path.is_file():  # a FIFO would be waited for
        raise UsageError(f"weights {weights!r} are no regular file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read weights {weights!r}: {error.strerror}") from None
    found = hashlib.sha256(data).hexdigest()
    if sha256 not in (None, found):
        raise UsageError(
            f"weights {weights!r} have SHA-256 {found}, weights_sha256 is {sha256}; give the file "
            "that is meant, or leave weights_sha256 out"
        )
    return data, found


def _tensors(weights: str, data: bytes) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load(data))
    except SafetensorError as error:
        if _weights.is_pickle(data):
            raise UsageError(
                f"weights {weights!r} are not a safetensors file but one of torch.save, a pickle, "
                "which could run anything and is never loaded; if you trust it, convert it:"
                + _weights.converting(weights)
            ) from None
        raise UsageError(
            f"weights {weights!r} are not a safetensors file ({error}); save the state dict with "
            "safetensors.torch.save_file"
        ) from None


def _fill(network: nn.Module, tensors: dict[str, Tensor], weights: str, what: str) -> None:
    """Load `tensors` into `network`.

    Raises:
        UsageError: they are not exactly those of the network; the message names them.
    """
    wanted = network.state_dict()
    prefix = _weights.prefix(tensors, wanted)
    if prefix:
        raise UsageError(f"{what}; {_weights.stripping(weights, prefix)}")
    wrong = {
        "missing": sorted(wanted.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - wanted.keys()),
        "of another shape": [
            f"{name} {tuple(tensors[name].shape)} for {tuple(wanted[name].shape)}"
            for name in sorted(wanted.keys() & tensors.keys())
            if tensors[name].shape != wanted[name].shape
        ],
    }
    problems = [f"{how}: {_listed(names)}" for how, names in wrong.items() if names]
    if problems:
        raise UsageError(f"{what}; {'; '.join(problems)}")
    network.load_state_dict(tensors)


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

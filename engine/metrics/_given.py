"""What a metric is given: maps with their images, and what they were made with."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engine.metrics._measured import Need, Why
from engine.saliency import Target

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
Rows: TypeAlias = "NDArray[np.bool_] | NDArray[np.int64]"
Explain: TypeAlias = "Callable[[nn.Module, NDArray[np.float32], NDArray[np.int64]], Array]"
"""Makes maps again as they were made, with the same targets, seeds and baselines.

Called with a network, images (M, C, H, W) and the places (M,) of the maps that these stand for;
returns maps (M, C, H, W) at the size of the images."""
Array: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Given:
    """N maps to measure. What is None is not there; a metric says what it needs.

    Attributes:
        maps: signed (N, C, H, W), at the size of the images; C may be 1.
        images: float32 (N, C, H, W) in [0, 1]: what they explain.
        seeds: one per image (N,), of whatever a metric draws; None means 0..N-1.
        network: is explained.
        target: the classes whose logits are explained; of maps that explain none, those whose
            probability is followed.
        of_a_class: whether the maps explain the target.
        baseline: the images without what is explained, float32 (N, C, H, W).
        explain: makes the maps again.
        clean: the maps of the clean images, for maps of what an attack made of them.
        mask: where the strokes are, bool (N, H, W); without one they are found
            (`stroke_mass`).
        places: which of the maps that `explain` knows these are (N,); None means all.
    """

    maps: Array
    images: NDArray[np.float32]
    seeds: NDArray[np.int64] | None = None
    network: nn.Module | None = None
    target: Target | None = None
    of_a_class: bool = True
    baseline: NDArray[np.float32] | None = None
    explain: Explain | None = None
    clean: Array | None = None
    mask: NDArray[np.bool_] | None = None
    places: NDArray[np.int64] | None = None
    _kept: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.maps)

    def drawn(self) -> NDArray[np.float64]:
        """Return the maps (N, H, W) summed over channels, each over its largest |value|.

        Before any absolute value is taken: so neither float32 nor the method's unit decides.
        """
        return drawn(self.maps)

    def whole(self) -> NDArray[np.float64]:
        """Return the maps (N, C, H, W) in the images' channels, each over its largest |value|.

        A map for all channels together is shared among them.
        """
        maps = self.maps.astype(np.float64)
        channels = self.images.shape[1]
        if maps.shape[1] != channels:
            maps = np.repeat(maps, channels, axis=1) / channels
        return scaled(maps)

    def generators(self, name: str) -> list[np.random.Generator]:
        """Return a new generator per image, for what the metric `name` draws."""
        from engine import seeds

        own = np.arange(len(self)) if self.seeds is None else self.seeds
        return [np.random.default_rng(seeds.derive(int(seed), "metric", name)) for seed in own]

    def again(self, network: nn.Module, images: NDArray[np.float32]) -> Array:
        """Return the maps of images (N, C, H, W) in the place of these, by a network."""
        assert self.explain is not None
        places = np.arange(len(self)) if self.places is None else self.places
        return self.explain(network, images, places)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` gave for `key` the first time.

        So what different maps of the same images share (`with_maps`) is computed once.
        """
        own = (None if self.places is None else self.places.tobytes(), key)
        if own not in self._kept:
            self._kept[own] = make()
        return cast(T, self._kept[own])

    def with_maps(self, maps: Array, explain: Explain | None, clean: Array | None) -> Given:
        """Return other maps of the same images and the same target."""
        return replace(self, maps=maps, explain=explain, clean=clean)

    def rows(self, rows: Rows) -> Given:
        """Return some of the maps: a mask (N,) or indices (M,)."""
        places = np.arange(len(self)) if self.places is None else self.places
        if len(places[rows]) == len(self) and np.array_equal(places[rows], places):
            return self
        target = self.target
        if target is not None:
            target = Target(
                target.classes[rows], None if target.against is None else target.against[rows]
            )
        arrays: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("maps", "images", "seeds", "baseline", "clean", "mask")
        }
        if self.seeds is None:
            arrays["seeds"] = np.arange(len(self))[rows]
        return replace(self, **arrays, target=target, places=places[rows])

    def lacking(self, needs: tuple[Need, ...]) -> Why | None:
        """Return why it cannot be measured where something needed is not there; else None."""
        absent: dict[Need, tuple[bool, Why]] = {
            "network": (self.network is None or self.target is None, "no_network"),
            "class": (not self.of_a_class, "no_class"),
            "baseline": (self.baseline is None, "no_baseline"),
            "method": (self.explain is None, "no_method"),
            "clean": (self.clean is None, "no_clean"),
        }
        return next((absent[need][1] for need in needs if absent[need][0]), None)

    def blank(self) -> NDArray[np.str_]:
        """Return for each map (N,) `zero_map`, `constant_map` or the empty code."""
        zero = (self.maps == 0).all(axis=(1, 2, 3))
        return np.where(zero, "zero_map", np.where(constant(self.drawn()), "constant_map", ""))


def drawn(maps: Array) -> NDArray[np.float64]:
    """Return maps (N, C, H, W) as `Given.drawn` does."""
    return scaled(maps.astype(np.float64).sum(1))


def scaled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (N, ...), each over its largest |value|; what is zero stays it."""
    largest = np.abs(values).max(tuple(range(1, values.ndim)), keepdims=True)
    return values / np.where(largest > 0, largest, 1)


def constant(flat: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which of values (N, H, W), as `drawn` gives them, are the same in every pixel.

    But for rounding: scaled to 1 their variance is below 1e-24.
    """
    found: NDArray[np.bool_] = flat.var(axis=(1, 2)) <= _SMALLEST
    return found


_SMALLEST = 1e-24

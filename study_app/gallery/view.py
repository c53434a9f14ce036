"""What a page shows, as the query of its address: every view is a link."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlencode

from study_app.gallery.addresses import Place, image_index
from study_app.gallery.exhibit import CLEAN, SCALE_MODES, Exhibit, NotShownError, ScaleMode

T = TypeVar("T")

EVERY = "all"
"""The value of the label filter that filters nothing."""


@dataclass(frozen=True)
class GalleryView:
    """What the gallery's page shows.

    Attributes:
        experiment: its key.
        image: the image kind: "clean" or the label of an attack.
        compare: whether each attacked picture has the clean map beside it.
        method: the saliency method's label.
        scale: the scale mode.
        label: the class shown, as text, or `EVERY`.
        page: from 1.
    """

    experiment: str
    image: str
    compare: bool
    method: str
    scale: ScaleMode
    label: str = EVERY
    page: int = 1

    @classmethod
    def default(cls, exhibit: Exhibit) -> GalleryView:
        """Return the first view: the strongest attack beside the clean images, the fair scale."""
        return cls(
            experiment=exhibit.key,
            image=exhibit.strongest_attack or CLEAN,
            compare=True,
            method=next(iter(exhibit.methods)),
            scale=next(iter(SCALE_MODES)),
        )

    @classmethod
    def parse(cls, params: Mapping[str, str], exhibit: Exhibit) -> GalleryView:
        """Read the query. What is missing or makes no sense is the default."""
        default = cls.default(exhibit)
        labels = [str(label) for label in range(len(exhibit.results.class_names))]
        page = params.get("page", "1")
        return cls(
            experiment=exhibit.key,
            image=_known(params.get("image"), exhibit.image_kinds, default.image),
            compare=params.get("compare", "1") != "0",
            method=_known(params.get("method"), exhibit.methods, default.method),
            scale=_known(params.get("scale"), SCALE_MODES, default.scale),
            label=_known(params.get("label"), labels, EVERY),
            page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,
        )

    @property
    def wanted_label(self) -> int | None:
        """The class shown, or None for all."""
        return None if self.label == EVERY else int(self.label)

    @property
    def shown_kinds(self) -> tuple[str, ...]:
        """The image kinds whose maps are shown in each cell."""
        return (CLEAN, self.image) if self.compare and self.image != CLEAN else (self.image,)

    def scaled(self, mode: ScaleMode) -> GalleryView:
        """Return the view on another scale."""
        return replace(self, scale=mode)

    def on_page(self, page: int) -> GalleryView:
        """Return the view with another page turned to."""
        return replace(self, page=page)

    def matching(self, view: MapView) -> GalleryView:
        """Return the view with the attack, method and scale of the page of one map."""
        attack = self.image if view.place.image == CLEAN else view.place.image
        return replace(self, image=attack, method=view.method, scale=view.scale)

    def query(self) -> dict[str, str]:
        """Return the query that `parse` reads."""
        return {
            "experiment": self.experiment,
            "image": self.image,
            "compare": "1" if self.compare else "0",
            "method": self.method,
            "scale": self.scale,
            "label": self.label,
            "page": str(self.page),
        }

    @property
    def href(self) -> str:
        """The page's path with its query."""
        return f"/gallery?{urlencode(self.query())}"

    def map(self, defense: str, image: str, index: int) -> MapView:
        """Return the page of one map on the same scale."""
        return MapView(Place(self.experiment, defense, image, index), self.method, self.scale)


@dataclass(frozen=True)
class MapView:
    """What the page of one map shows.

    Attributes:
        place: whose map.
        method: the saliency method's label.
        scale: the scale mode.
        pin: defense and image kind of a second map of the same test image, held beside it.
    """

    place: Place
    method: str
    scale: ScaleMode
    pin: tuple[str, str] | None = None

    @classmethod
    def parse(cls, params: Mapping[str, str], exhibit: Exhibit) -> MapView:
        """Read the query; only the scale and the pin may be missing.

        Raises:
            NotShownError: part of it is missing or no number.
        """
        mode = params.get("scale", next(iter(SCALE_MODES)))
        if mode not in SCALE_MODES:
            raise NotShownError
        defense, _, image = params.get("pin", "").partition("/")
        method = params.get("method", "")
        known = (
            method in exhibit.methods
            and image in exhibit.image_kinds
            and defense in exhibit.explained((image,), method)
        )
        return cls(
            place=Place(
                exhibit.key,
                params.get("defense", ""),
                params.get("image", ""),
                image_index(params.get("index", "")),
            ),
            method=method,
            scale=mode,
            pin=(defense, image) if known else None,
        )

    def at(self, **changes: str | int) -> MapView:
        """Return the view with parts of its place changed: defense, image or index."""
        return replace(self, place=replace(self.place, **changes))  # type: ignore[arg-type]

    def scaled(self, mode: ScaleMode) -> MapView:
        """Return the view on another scale."""
        return replace(self, scale=mode)

    def pinned(self) -> MapView:
        """Return the view with its own map pinned."""
        return replace(self, pin=(self.place.defense, self.place.image))

    def unpinned(self) -> MapView:
        """Return the view without the pinned map."""
        return replace(self, pin=None)

    def query(self) -> dict[str, str]:
        """Return the query that `parse` reads."""
        place = self.place
        query = {
            "experiment": place.key,
            "defense": place.defense,
            "image": place.image,
            "index": str(place.index),
            "method": self.method,
            "scale": self.scale,
        }
        return {**query, "pin": "/".join(self.pin)} if self.pin else query

    @property
    def href(self) -> str:
        """The page's path with its query."""
        return f"/map?{urlencode(self.query())}"


def _known(value: str | None, known: Collection[T], default: T) -> T:
    """Return the member of `known` that is `value`, or the default."""
    return next((member for member in known if member == value), default)

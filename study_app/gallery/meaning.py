"""What a map means, in words: what it explains, how it was made, why it is marked or not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.results import Maps
from engine.saliency import DELTA, NULL_METHODS
from study_app.gallery.exhibit import Exhibit
from study_app.gallery.phrases import percent, strength

MARK = "\N{DOUBLE DAGGER}"
_OF_SOME = "incomplete"
"""This reason is of single maps, which `Maps.marked` names."""
_OF_VALUES = "blank"
"""This one is said of each map by its strength."""
_NOT_BROUGHT = "not_brought"
"""And this one stands where the map would be."""


@dataclass(frozen=True)
class Meaning:
    """What is known of one map.

    Attributes:
        explains: the scalar that it explains, with the names of the classes; "" where that was not
            stored.
        resolution: how large it was made, and how it was drawn out.
        baseline: what it is relative to; "" for none.
        completeness: by how much it does not add up to what it explains, in how many steps; "" for
            methods of which that is not asked.
        marks: why it is marked, in sentences; none where it is not.
        imported: whether it was brought from a file.
    """

    explains: str
    resolution: str
    baseline: str
    completeness: str
    marks: tuple[str, ...]
    imported: bool

    @property
    def sentences(self) -> dict[str, str]:
        """All but the marks, by what they are about, where there is something to say."""
        said = {
            "Explains": self.explains,
            "Baseline": self.baseline,
            "Resolution": self.resolution,
            "Completeness": self.completeness,
        }
        return {about: sentence for about, sentence in said.items() if sentence}


def meaning(exhibit: Exhibit, defense: str, image: str, index: int, method: str) -> Meaning:
    """Return what is known of a map that is there."""
    maps = exhibit.results.maps(defense, method)
    row = maps.row(image, index)
    known = {name: float(values[row]) for name, values in maps.facts(image).items()}
    return Meaning(
        _explains(exhibit, maps, known),
        _resolution(maps, image, index),
        f"Relative to the {maps.about.baseline} baseline." if maps.about.baseline else "",
        _completeness(known),
        tuple(marks(maps, off=bool(maps.marked(image)[row]))),
        maps.imported,
    )


def marks(maps: Maps, *, off: bool = False) -> list[str]:
    """Return why maps of a method and a network are marked.

    Args:
        maps: of both.
        off: whether it is asked of one that does not add up to what it explains.
    """
    found = [
        _sentence(reason.says)
        for reason in maps.fit.reasons
        if not reason.refuses and reason.code not in (_OF_SOME, _OF_VALUES, _NOT_BROUGHT)
    ]
    if off:
        found.append(
            f"It does not add up to what it explains: it is off by more than {percent(DELTA)}."
        )
    return found


def is_marked(exhibit: Exhibit, defense: str, image: str, index: int, method: str) -> bool:
    """Say whether a map is marked."""
    maps = exhibit.results.maps(defense, method)
    return bool(marks(maps)) or bool(maps.marked(image)[maps.row(image, index)])


def of_network(exhibit: Exhibit, defense: str, method: str) -> list[str]:
    """Return why maps by a method of a network are marked, those of single maps counted.

    Nothing where there are none.
    """
    maps = exhibit.results.maps(defense, method)
    if not maps.images:
        return []
    some = [reason.says for reason in maps.fit.reasons if reason.code == _OF_SOME]
    return [*marks(maps), *map(_sentence, some)]


def absent(exhibit: Exhibit, defense: str, image: str, index: int, method: str) -> str:
    """Return why there is no map where one was asked for; "" where there is one."""
    maps = exhibit.results.maps(defense, method)
    if maps.fit.verdict == "refused":
        reasons = "; ".join(each.says for each in maps.fit.reasons if each.refuses)
        return f"No map: {reasons}."
    if image not in maps.images or index not in maps.indices(image):
        of = "the file has none" if maps.imported else "none was made"
        return f"No map: {of} of this picture."
    return ""


def drawn_words(
    exhibit: Exhibit, defense: str, image: str, index: int, method: str, scale: float
) -> str:
    """Say how strong a map is, and that it is empty or has one sign only."""
    maps = exhibit.results.maps(defense, method)
    known, row = maps.summary(image), maps.row(image, index)
    largest = float(known.largest[row])
    if largest == 0 and not known.blank[row]:
        return "its channels cancel out: zero when summed"
    return strength(largest, scale) + one_sign(exhibit, defense, image, index, method)


def one_sign(exhibit: Exhibit, defense: str, image: str, index: int, method: str) -> str:
    """Return a clause where no value of a map is above zero, and some are below; else ""."""
    maps = exhibit.results.maps(defense, method)
    negative = maps.summary(image).negative
    row = maps.row(image, index)
    return ", no value above zero" if negative is not None and negative[row] else ""


def as_json(exhibit: Exhibit, defense: str, image: str, index: int, method: str) -> dict[str, Any]:
    """Return the same as facts that can be cited."""
    maps = exhibit.results.maps(defense, method)
    about, row = maps.about, maps.row(image, index)
    known = {name: values[row] for name, values in maps.facts(image).items()}
    summary = maps.summary(image)
    stored = about.size is not None
    negative = summary.negative
    return {
        "explains": {
            "in_words": None if _class(known, "class") is None else about.explains,
            "class": _class(known, "class"),
            "against": _class(known, "against"),
        }
        if stored
        else None,
        "baseline": about.baseline,
        "native_shape": list(maps.native(image, index).shape),
        "upsampling": about.upsampling,
        "measured": {
            name: float(value) if float(value) == float(value) else None
            for name, value in known.items()
            if name not in ("class", "against")
        },
        "blank": bool(summary.blank[row]),
        "negative": None if negative is None else bool(negative[row]),
        "marked": is_marked(exhibit, defense, image, index, method),
        "marks": list(meaning(exhibit, defense, image, index, method).marks),
    }


def shows(exhibit: Exhibit, method: str) -> str:
    """Return what maps by a method show, to follow "the map"."""
    of_networks = [exhibit.results.maps(defense, method) for defense in exhibit.showing((), method)]
    there = next((maps for maps in of_networks if maps.images), None)
    if there is None:
        return "was not made of any network here"
    if there.imported:
        return "was brought from a file, and nobody examined what it says of the network"
    if _is_null(there):
        return (
            "is a null map: it knows nothing of what the network has learned, and is there to "
            "compare other maps with"
        )
    classes = there.facts(there.images[0]).get("class")
    if classes is not None and (classes < 0).all():
        return "shows which pixels move the network's outputs, those of all classes at once"
    return "shows which pixels move the network's answer"


def resolution(exhibit: Exhibit, method: str) -> str:
    """Return how large a method's maps were made; "" where they have the size of the pictures.

    Of networks whose maps differ in this, it is that of the first.
    """
    maps = _first(exhibit, method)
    if maps is None:
        return ""
    image = maps.images[0]
    return _resolution(maps, image, int(maps.indices(image)[0]))


def fit_facts(exhibit: Exhibit, defense: str, method: str) -> dict[str, Any] | None:
    """Return the verdict on method and network; None where that was not asked then."""
    maps = exhibit.results.maps(defense, method)
    return None if maps.about.size is None and not maps.fit.reasons else maps.fit.to_json()


def _first(exhibit: Exhibit, method: str) -> Maps | None:
    """Return the maps of the first network that has some."""
    of_networks = (exhibit.results.maps(d, method) for d in exhibit.showing((), method))
    return next((maps for maps in of_networks if maps.images), None)


def _is_null(maps: Maps) -> bool:
    return maps.artifact.recipe.config["saliency"]["name"] in NULL_METHODS


def _explains(exhibit: Exhibit, maps: Maps, known: Mapping[str, float]) -> str:
    if maps.about.size is None:
        return ""
    if _is_null(maps):
        return "It explains nothing that the network has learned."
    names, first = exhibit.results.class_names, _class(known, "class")
    if first is None:
        return "What it explains was not told." if maps.imported else "It explains no one class."
    second = _class(known, "against")
    shown = names[first] if second is None else f"{names[first]} against {names[second]}"
    return f"It explains {shown}: {maps.about.explains}."


def _resolution(maps: Maps, image: str, index: int) -> str:
    _, height, width = maps.native(image, index).shape
    size = maps.about.size
    if size is None or (height, width) == size:
        return ""
    return (
        f"Made in {height} × {width} values, drawn out to {size[0]} × {size[1]} pixels "
        f"({maps.about.upsampling})."
    )


def _completeness(known: Mapping[str, float]) -> str:
    steps = f"{known['steps']:.0f} steps" if "steps" in known else ""
    if "delta" not in known:
        return f"Made in {steps}." if steps else ""
    of = f", in {steps}" if steps else ""
    return f"Off by {percent(known['delta'], 1)} of what it should add up to{of}."


def _class(known: Mapping[str, Any], name: str) -> int | None:
    found = int(known.get(name, -1))
    return None if found < 0 else found


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."

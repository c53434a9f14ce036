"""Rules about power: whether so few people and images can show what the study is about."""

from __future__ import annotations

from collections.abc import Iterator

from study_app.lint.rules import Finding, Subject, hint, rule, warn
from study_app.power import ENOUGH, percent, points
from study_app.power.quick import Quick


@rule
def enough_power(subject: Subject) -> Iterator[Finding]:
    """With the people that it ends with, a study can show the smallest effect that matters."""
    found = subject.power
    if found is None or found.enough:
        return
    place = "analysis.participants"
    if found.found is None:
        if subject.study.stage == "main":
            yield hint(place, f"unsaid. {_would_do(found)}")
        return
    one = found.compared
    aim = (
        f"that the difference is within {points(one.margin or 0)}"
        if one.claim == "equivalent"
        else f"a difference of {points(one.effect)}"
    )
    hardest = f", the hardest of {found.several} comparisons" if found.several > 1 else ""
    yield warn(
        place,
        f"{found.people} people and {found.images} images show {aim} in {percent(found.found)} of "
        f"studies ({one.label}{hardest}); {100 * ENOUGH:g} % are usual. {_would_do(found)} "
        f"(components {found.source}; see: plausibly study power {subject.study.name})",
    )


def _would_do(found: Quick) -> str:
    """Return how many people would be enough, in a sentence without its end."""
    if found.limited:
        more = (
            f"{found.needed} people and {found.needed_images} images (image_sets) would"
            if found.needed
            else "take more images (image_sets)"
        )
        return f"With {found.images} images no number of people is enough; {more}"
    if found.needed is None:
        return "More people would do, how many was not found in the time there is"
    return f"About {found.needed} people would do"

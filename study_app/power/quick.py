"""A quick look at a study's power at the numbers that its file declares: what the linter tells."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from study_app.power import kept
from study_app.power.answer import expected_losses
from study_app.power.compared import Compared, planned
from study_app.power.components import ASSUMED
from study_app.power.grid import Needed, Setting, Shown, by_cluster_t, people_needed, power
from study_app.power.incidence import MOST_SETS
from study_app.study import Study

if TYPE_CHECKING:
    from engine.results import Results

RUNS = 200
SECONDS = 4.0
"""As long as a quick look may take; what it has not found by then it does not say."""
BASE = 0.3
"""The share of yes without an effect, where nothing says it."""
MORE_IMAGES = 4
"""Up to so many times the study's images are tried, where no number of people is enough."""


@dataclass(frozen=True)
class Quick:
    """The power of a study's hardest comparison at the numbers that its file declares.

    Attributes:
        compared: the comparison.
        several: how many there are.
        people: declared; None: no number is.
        images: declared.
        found: how often the claim is shown; None without a number of people.
        needed: how many people would be enough with `needed_images`; None where that was not found.
        needed_images: the declared number, or more of them where no number of people is enough.
        limited: whether `grid.CROWD` people are not enough with the declared images.
        source: where the components are from.
    """

    compared: Compared
    several: int
    people: int | None
    images: int
    found: Shown | None
    needed: int | None
    needed_images: int
    limited: bool
    source: str

    @property
    def enough(self) -> bool:
        """Whether the declared people are."""
        return self.found is not None and self.found.enough


def quick(study: Study, home: Path | None = None, results: Results | None = None) -> Quick | None:
    """Return the power at the declared numbers; None where no comparison with an effect is.

    It rests on what `study power` kept of this design, else on assumed components. It takes about
    `SECONDS` at most.

    Args:
        study: the study.
        home: of all state, where an answer may have been kept.
        results: the study's experiment, where it has been run.
    """
    until = time.monotonic() + SECONDS
    try:
        every, _ = planned(study)
    except UsageError:  # another rule says that an effect is missing
        return None
    if not every:
        return None
    setting, shown = _setting(study, every, home, results)
    people = _declared(study)
    hardest, found = (0, None) if people is None else _hardest(setting, people, shown)
    needed, limited, sets = Needed(None), False, study.image_sets
    if found is None or not found.enough:
        needed = people_needed(setting, sets, hardest, start=people or 40, until=until)
        limited = needed.limited
        if limited:
            sets = min(MOST_SETS, sets * MORE_IMAGES)
            needed = people_needed(setting, sets, hardest, start=people or 40, until=until)
    images = setting.own_images * sets // study.image_sets
    return Quick(
        every[hardest], len(every), people, setting.own_images, found, needed.people, images,
        limited, setting.components.source,
    )  # fmt: skip


def _setting(
    study: Study, every: Sequence[Compared], home: Path | None, results: Results | None
) -> tuple[Setting, Mapping[tuple[int, int, int], Shown]]:
    """Return what is simulated, and what was found of it already."""
    classes = len(results.class_names) if results else None
    before = kept.find(study, home) if home is not None else None
    if before is None:
        losses = expected_losses(study, classes)
        setting = Setting(study, every, ASSUMED, {"": BASE}, losses, RUNS, 0, results)
        return by_cluster_t(setting), {}
    setting = Setting(
        study, every, before.components, before.base, before.losses, RUNS, before.seed, results
    )
    return by_cluster_t(setting), before.found


def _hardest(
    setting: Setting, people: int, known: Mapping[tuple[int, int, int], Shown]
) -> tuple[int, Shown]:
    """Return the comparison that is shown least often, and how often."""
    images = setting.own_images
    numbers = range(len(setting.compared))
    found = {n: known[n, people, images] for n in numbers if (n, people, images) in known}
    if len(found) < len(numbers):
        cells = power(setting, people, setting.study.image_sets, ends=False)
        found = {cell.comparison: cell.power for cell in cells}
    return min(found.items(), key=lambda pair: pair[1].share)


def _declared(study: Study) -> int | None:
    """Return how many people the file says are analysed, else at how many it closes."""
    if study.analysis is not None and study.analysis.participants is not None:
        return study.analysis.participants
    quota = study.quota
    if quota is None:
        return None
    of_arms = None if quota.per_arm is None else quota.per_arm * len(study.all_arms)
    return min((n for n in (quota.participants, of_arms) if n is not None), default=None)

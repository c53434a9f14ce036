"""Lists: which source image is shown in which condition, balanced, and with others in each list.

A cyclic rotation keeps the same two images together in every list, so that what is said about a
condition rests on half as many independent images as it seems to.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ATTEMPTS = 8
"""Tables that are drawn; the one whose images meet most evenly is taken."""

Table = Sequence[Sequence[str]]  # by list, by source: the condition


def rotated(counts: Mapping[str, int], lists: int, rng: random.Random) -> Table:
    """Return for every list the condition of every source.

    Every list has each condition as often as it says; over all lists every source has each
    condition in the same proportion. Which sources share a condition differs between lists as far
    as so few lists allow.

    Args:
        counts: presentations of each condition in one list; their sum is the number of sources.
        lists: a multiple of that sum divided by the greatest common divisor of the counts.
        rng: what is drawn is drawn from it.
    """
    drawn = [_Rotation(counts, lists, rng) for _ in range(ATTEMPTS if lists > 1 else 1)]
    return min(drawn, key=_Rotation.unevenness).table


@dataclass
class _Rotation:
    counts: Mapping[str, int]
    lists: int
    rng: random.Random
    table: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        sources = sum(self.counts.values())
        # Times that a source still has to be shown in a condition.
        self._left = [
            {label: self.lists * count // sources for label, count in self.counts.items()}
            for _ in range(sources)
        ]
        self._together = [[0] * sources for _ in range(sources)]
        for _ in range(self.lists):
            self._add_list()

    def unevenness(self) -> tuple[int, int]:
        """How often the two sources that meet most often do, and the sum of squares over pairs."""
        met = [times for row, several in enumerate(self._together) for times in several[:row]]
        return max(met, default=0), sum(times * times for times in met)

    def _add_list(self) -> None:
        """Draw one more list.

        It exists: what is left to show is the same for every source, and each condition takes its
        count of it, so that the lists still to draw are a division of a regular graph.
        """
        self._here: dict[str, list[int]] = {label: [] for label in self.counts}
        sources = list(range(len(self._left)))
        self.rng.shuffle(sources)
        for source in sources:
            if not self._seat(source, set()):
                raise AssertionError("a regular graph has a division")
        row = [""] * len(sources)
        for label, group in self._here.items():
            for source in group:
                row[source] = label
                self._left[source][label] -= 1
                for other in group:
                    self._together[source][other] += source != other
        self.table.append(row)

    def _seat(self, source: int, tried: set[str]) -> bool:
        """Give a source one of its conditions in this list; others move where they have to."""
        for label in self._preferred(source):
            if label in tried:
                continue
            tried.add(label)
            group = self._here[label]
            if len(group) < self.counts[label]:
                group.append(source)
                return True
            for other in self.rng.sample(group, len(group)):
                if self._seat(other, tried):
                    group[group.index(other)] = source
                    return True
        return False

    def _preferred(self, source: int) -> list[str]:
        """The conditions that a source may still have: first those where it meets new sources."""
        met, left = self._together[source], self._left[source]
        labels = [label for label, times in left.items() if times]
        self.rng.shuffle(labels)
        return sorted(labels, key=lambda label: sum(met[other] ** 2 for other in self._here[label]))

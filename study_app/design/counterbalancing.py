"""What is balanced within a person: orders of pictures and choices, places of catch trials."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

Order = tuple[int, ...]


def orders(wanted: Sequence[tuple[str, int]], rng: random.Random) -> list[Order]:
    """Return an order of so many things for each presentation, balanced and not to be guessed.

    Within a group everything stands at every place equally often, or once more. What is left over
    where that does not come out even is balanced over all groups of as many things. Which
    presentation gets which order is drawn.

    Args:
        wanted: for each presentation its group, such as its condition, and how many things it has.
        rng: what is drawn is drawn from it.
    """
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, group in enumerate(wanted):
        members[group].append(number)
    dealt: list[Order] = [()] * len(wanted)
    over: Counter[tuple[int, int, int]] = Counter()  # (things, place, thing)
    for size, numbers in rng.sample([(g[1], n) for g, n in members.items()], len(members)):
        if size == 0:
            continue
        rounds, rest = divmod(len(numbers), size)
        own = [order for _ in range(rounds) for order in _round(size, rng)]
        own += _rest(_round(size, rng), rest, over)
        rng.shuffle(own)
        for number, order in zip(numbers, own, strict=True):
            dealt[number] = order
    return dealt


def _round(size: int, rng: random.Random) -> list[Order]:
    """Return `size` orders, in random order, in which everything stands at every place once."""
    first = rng.sample(range(size), size)
    turned = [tuple(first[start:] + first[:start]) for start in range(size)]
    rng.shuffle(turned)
    return turned


def _rest(round_: list[Order], count: int, over: Counter[tuple[int, int, int]]) -> Iterable[Order]:
    """Take so many orders of a round: those whose places were least used by the rests before."""
    for _ in range(count):
        order = min(round_, key=lambda each: sum(over[place] for place in _places(each)))
        round_.remove(order)
        over.update(_places(order))
        yield order


def _places(order: Order) -> list[tuple[int, int, int]]:
    return [(len(order), place, thing) for place, thing in enumerate(order)]


def catch_places(total: int, count: int, rng: random.Random) -> set[int]:
    """Return at which of `total` places, from 0, the `count` catch presentations stand.

    Never at the first. One is somewhere in each of so many equal parts of the session as half of
    them are; the others are anywhere. So no part is without, two may follow each other, and one
    that has just been says nothing about when the next will come.
    """
    parts = (count + 1) // 2
    bounds = [1 + (total - 1) * number // parts for number in range(parts + 1)] if parts else []
    places = {rng.randrange(start, end) for start, end in pairwise(bounds)}
    left = [place for place in range(1, total) if place not in places]
    return places | set(rng.sample(left, count - parts))

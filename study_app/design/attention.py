"""What attention rules do, computed from the study: whom they lose, and whom they keep.

Nothing is simulated. Of each arm's catch trials it is known how many answers there are and which
one is expected; of a person it is assumed how likely each trial is answered so. The distribution of
expected answers follows, and from it the probability that the rules let the person pass.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from study_app.design.known_answers import Expected, expected
from study_app.exclusions import Exclusion
from study_app.study import Study

SLIPS = 0.05
"""Of honest people: the share of catch trials that they answer otherwise by mistake."""
MOST_LOST = 0.05
"""Rules that lose a larger share of honest people are too strict."""
MOST_KEPT = 0.1
"""Rules that keep a larger share of people who do not look are too weak."""
_MANY_CLASSES = (23, 24)
"""Where what is offered is the same for both, the number of classes does not matter."""

Person = Callable[[Expected, bool], float]
"""How likely somebody answers a trial as expected, by the trial and whether it is a chosen one: one
of those that ask about the right label, or in which the right answer is at the person's place."""
Plan: TypeAlias = Sequence[Sequence[Expected]]
"""The trials with an expected answer of each catch presentation of an arm."""


class Chosen(NamedTuple):
    """Which presentations are chosen, each choice as likely.

    Attributes:
        among: for each presentation whether it may be.
        numbers: how many are, and how likely so many.
    """

    among: Sequence[bool]
    numbers: Mapping[int, float]


NONE = Chosen([], {0: 1.0})


@dataclass(frozen=True)
class Constant:
    """Somebody who gives one answer to a question whatever is shown, and all others as expected.

    Attributes:
        answer: in words.
        kept: how likely the rules let them pass.
    """

    answer: str
    kept: float


@dataclass(frozen=True)
class Figures:
    """What a study's attention rules do together in an arm. All are probabilities.

    Attributes:
        arm: its label.
        catch: how many catch presentations it has.
        honest_lost: excluded of people who answer `SLIPS` of the catch trials otherwise by mistake.
        clickers_kept: passing of people who choose among all answers at random.
        clicking_at: passing of those who do so at one question and answer all others as expected,
            by question.
        constant: the constant answer that passes most easily, by question.
    """

    arm: str
    catch: int
    honest_lost: float
    clickers_kept: float
    clicking_at: Mapping[str, float]
    constant: Mapping[str, Constant]

    @property
    def unseen(self) -> dict[str, Constant]:
        """The constant answers that pass more often than they should, by question."""
        return {each: found for each, found in self.constant.items() if found.kept > MOST_KEPT}

    @property
    def good(self) -> bool:
        """Whether the rules lose few honest people and keep few who do not look."""
        few = self.honest_lost <= MOST_LOST and self.clickers_kept <= MOST_KEPT
        return few and not self.unseen


def attention_rules(study: Study) -> list[Exclusion]:
    """Return the exclusion rules that judge by catch trials."""
    return [rule for rule in study.exclusions if rule.needs_catch]


def figures(study: Study, classes: int | None = None) -> list[Figures] | None:
    """Return what the attention rules do, for each arm with catch trials.

    Args:
        study: the study.
        classes: how many the experiment has; None: unknown.

    Returns:
        None where that depends on the number of classes, and it is unknown.
    """
    known = _known(study, classes)
    return _figures(study, known) if known else None


def _known(study: Study, classes: int | None) -> int | None:
    """Return a number of classes to reckon with; None where it matters, and is unknown."""
    classes = classes or max(study.impossible, default=-1) + 1
    if classes:
        return max(2, classes)
    few, many = (
        [expected(study, arm, number) for arm in study.all_arms] for number in _MANY_CLASSES
    )
    return _MANY_CLASSES[0] if few == many else None


def enough_catch(study: Study, classes: int | None, most: int = 30) -> int | None:
    """Return the smallest number of catch presentations with which a study's rules are good.

    None where up to `most` there is none.
    """
    rules = attention_rules(study)
    if not rules:
        return None
    known = _known(study, classes)
    if known is None:
        return None
    for number in range(1, most + 1):
        tried = study.model_copy(update={"catch": number})
        plans = [expected(tried, arm, known) for arm in study.all_arms]
        if all(_does(plan, rules) for plan in plans if any(plan)):
            return number
    return None


def _does(plan: Plan, rules: Sequence[Exclusion]) -> bool:
    """Whether rules are good in an arm; constant answers, which take longest, come last."""
    honest = _passing(plan, rules, _slipping, NONE)
    if 1 - honest > MOST_LOST or _passing(plan, rules, _clicking, NONE) > MOST_KEPT:
        return False
    return _of_arm("", plan, rules).good


def lines(found: Sequence[Figures]) -> list[str]:
    """Return the figures in words, a line an arm; those of arms that are alike once."""
    by_words: dict[str, list[str]] = defaultdict(list)
    for each in found:
        by_words[_in_words(each)].append(each.arm)
    if len(by_words) == 1:
        return list(by_words)
    return [f"arm {', '.join(arms)}: {words}" for words, arms in by_words.items()]


def _in_words(each: Figures) -> str:
    said = [
        f"{each.catch} catch presentations: {percent(each.honest_lost)} of honest people "
        f"({percent(SLIPS)} slips) are lost, {percent(each.clickers_kept)} of random clickers kept"
    ]
    for question, constant in each.constant.items():
        said.append(
            f"at {question} alone, clicking at random keeps {percent(each.clicking_at[question])}, "
            f"{constant.answer} {percent(constant.kept)}"
        )
    return "; ".join(said)


def percent(share: float) -> str:
    """Return a probability as people read it: "12 %"; with one decimal below ten."""
    number = round(100 * share, 1 if share < 0.095 else 0)
    return f"{number:g} %"


def _figures(study: Study, classes: int) -> list[Figures]:
    rules = attention_rules(study)
    arms = {arm: expected(study, arm, classes) for arm in study.all_arms}
    return [_of_arm(arm, trials, rules) for arm, trials in arms.items() if any(trials)]


def _of_arm(arm: str, plan: Plan, rules: Sequence[Exclusion]) -> Figures:
    def passing(person: Person, chosen: Chosen = NONE) -> float:
        return _passing(plan, rules, person, chosen)

    questions = dict.fromkeys(trial.question for trials in plan for trial in trials)
    return Figures(
        arm,
        len(plan),
        1 - passing(_slipping),
        passing(_clicking),
        {each: passing(_only_at(each, _clicking)) for each in questions},
        {each: _constant(plan, each, passing) for each in questions},
    )


def _slipping(trial: Expected, chosen: bool) -> float:
    return 1 - SLIPS


def _clicking(trial: Expected, chosen: bool) -> float:
    return 1 / len(trial.options)


def _only_at(question: str, person: Person) -> Person:
    return lambda trial, chosen: person(trial, chosen) if trial.question == question else 1.0


def _constant(plan: Plan, question: str, passing: Callable[[Person, Chosen], float]) -> Constant:
    """Return the constant answer to a question that passes most easily."""
    asked = [trial for trials in plan for trial in trials if trial.question == question]
    offered = {value: words for trial in asked if not trial.places
               for value, words in trial.options.items()}  # fmt: skip
    # Answers that are right as often pass as easily: one of them stands for all.
    alike = {
        tuple(sorted((value == trial.honest, value == trial.foil) for trial in asked)): value
        for value in reversed(offered)
    }
    found = [
        Constant(f"always {offered[value]!r}", passing(_giving(question, value), _honest(plan)))
        for value in reversed(alike.values())
    ]
    if places := [trial.places for trial in asked if trial.places]:
        always_there = _only_at(question, lambda trial, chosen: float(chosen))
        kept = passing(always_there, _at_a_place(plan, question, places[0]))
        found.append(Constant("always at the same place", kept))
    return max(found, key=lambda each: each.kept)


def _giving(question: str, value: str) -> Person:
    def answering(trial: Expected, chosen: bool) -> float:
        return float(not trial.places and value == (trial.honest if chosen else trial.foil))

    return _only_at(question, answering)


def _honest(plan: Plan) -> Chosen:
    """Half of the presentations ask about the right label; of an odd number one more or less."""
    half, odd = divmod(len(plan), 2)
    return Chosen([True] * len(plan), {half: 0.5, half + 1: 0.5} if odd else {half: 1.0})


def _at_a_place(plan: Plan, question: str, places: int) -> Chosen:
    """Each place is the right one equally often, or once more."""
    among = [any(t.question == question and t.places for t in trials) for trials in plan]
    each, over = divmod(sum(among), places)
    return Chosen(among, {each: 1 - over / places, each + 1: over / places})


def _passing(plan: Plan, rules: Sequence[Exclusion], person: Person, chosen: Chosen) -> float:
    """Return how likely somebody passes all rules, exactly."""
    asked = Counter(trial.question for trials in plan for trial in trials)
    names = list(asked)
    total = 0.0
    for number, likely in chosen.numbers.items():
        found = (
            _counts(plan, names, person, chosen.among, number)
            if chosen.among
            else _independent(plan, names, person)
        )
        for counts, chance in found.items():
            right = dict(zip(names, counts, strict=True))
            if all(rule.passes(right, asked) for rule in rules):
                total += likely * chance
    return min(1.0, total)


def _independent(plan: Plan, names: Sequence[str], person: Person) -> dict[tuple[int, ...], float]:
    """Return how likely each number of expected answers is, by question, if none is chosen."""
    by_question = []
    for name in names:
        chances = [1.0]  # of 0, 1, 2, … expected answers
        for right in (person(t, False) for trials in plan for t in trials if t.question == name):
            missed = [(1 - right) * chance for chance in chances]
            hit = [right * chance for chance in chances]
            chances = [a + b for a, b in zip([*missed, 0.0], [0.0, *hit], strict=True)]
        by_question.append(chances)
    return {
        counts: math.prod(chances[n] for chances, n in zip(by_question, counts, strict=True))
        for counts in itertools.product(*(range(len(chances)) for chances in by_question))
    }


def _counts(
    plan: Plan, names: Sequence[str], person: Person, among: Sequence[bool], number: int
) -> dict[tuple[int, ...], float]:
    """Return how likely each number of expected answers is, by question.

    `number` of the presentations in `among` are chosen, each choice as likely.
    """
    states: dict[tuple[int, tuple[int, ...]], float] = {(0, (0,) * len(names)): 1.0}
    left = sum(among)
    for trials, can_be in zip(plan, among, strict=True):
        reached: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
        for (used, counts), chance in states.items():
            likely = (number - used) / left if can_be else 0.0
            for is_chosen, here in ((True, likely), (False, 1 - likely)):
                if here:
                    for then, given in _after(counts, trials, names, person, is_chosen).items():
                        reached[used + is_chosen, then] += chance * here * given
        states, left = reached, left - can_be
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for (_, counts), chance in states.items():
        found[counts] += chance
    return found


def _after(
    counts: tuple[int, ...],
    trials: Sequence[Expected],
    names: Sequence[str],
    person: Person,
    chosen: bool,
) -> dict[tuple[int, ...], float]:
    """Return how likely each number of expected answers is after one presentation."""
    reached = {counts: 1.0}
    for trial in trials:
        right = person(trial, chosen)
        place = names.index(trial.question)
        after: dict[tuple[int, ...], float] = defaultdict(float)
        for before, chance in reached.items():
            if right < 1:
                after[before] += chance * (1 - right)
            if right > 0:
                after[(*before[:place], before[place] + 1, *before[place + 1 :])] += chance * right
        reached = after
    return reached

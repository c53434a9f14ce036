"""What attention rules do, computed from the study: whom they lose, and whom they keep.

Nothing is simulated. Of each arm's catch trials it is known how many answers there are and which
one is expected; of a person it is assumed how likely each trial is answered so. The distribution of
expected answers follows, and from it the probability that the rules let the person pass.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
"""How likely somebody answers a trial as expected; whether it asks about the right label."""


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
    classes = classes or max(study.impossible, default=-1) + 1 or None
    if classes is not None:
        return _figures(study, max(2, classes))
    few, many = (_figures(study, number) for number in _MANY_CLASSES)
    return few if few == many else None


def enough_catch(study: Study, classes: int | None, most: int = 20) -> int | None:
    """Return the smallest number of catch presentations with which a study's rules are good.

    None where up to `most` there is none.
    """
    if not attention_rules(study):
        return None
    for number in range(1, most + 1):
        found = figures(study.model_copy(update={"catch": number}), classes)
        if found and all(each.good for each in found):
            return number
    return None


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
        f"{each.catch} catch presentations",
        f"of honest people with {percent(SLIPS)} slips {percent(each.honest_lost)} are lost",
        f"of random clickers {percent(each.clickers_kept)} are kept",
    ]
    for question, constant in each.constant.items():
        alone = percent(each.clicking_at[question])
        said.append(
            f"of those who only click at {question} {alone}, who answer it {constant.answer} "
            f"{percent(constant.kept)}"
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


def _of_arm(arm: str, plan: Sequence[Sequence[Expected]], rules: Sequence[Exclusion]) -> Figures:
    def passing(person: Person) -> float:
        return _passing(plan, rules, person)

    questions = dict.fromkeys(trial.question for trials in plan for trial in trials)
    return Figures(
        arm,
        len(plan),
        1 - passing(lambda trial, honest: 1 - SLIPS),
        passing(_clicking),
        {each: passing(_only_at(each, _clicking)) for each in questions},
        {each: _constant(plan, each, passing) for each in questions},
    )


def _clicking(trial: Expected, honest: bool) -> float:
    return 1 / len(trial.options)


def _only_at(question: str, person: Person) -> Person:
    return lambda trial, honest: person(trial, honest) if trial.question == question else 1.0


def _constant(
    plan: Sequence[Sequence[Expected]], question: str, passing: Callable[[Person], float]
) -> Constant:
    """Return the constant answer to a question that passes most easily."""
    asked = [trial for trials in plan for trial in trials if trial.question == question]
    offered = {value: f"always {words!r}" for trial in asked if not trial.places
               for value, words in trial.options.items()}  # fmt: skip
    # Answers that are right as often pass as easily: one of them stands for all.
    alike = {
        tuple(sorted((value == trial.honest, value == trial.foil) for trial in asked)): value
        for value in reversed(offered)
    }
    offered = {value: offered[value] for value in reversed(alike.values())}
    if any(trial.places for trial in asked):
        offered[""] = "always at the same place"

    def giving(value: str) -> Person:
        def answering(trial: Expected, honest: bool) -> float:
            if trial.places:
                return 1 / trial.places
            return float(value == (trial.honest if honest else trial.foil))

        return _only_at(question, answering)

    return max(
        (Constant(words, passing(giving(value))) for value, words in offered.items()),
        key=lambda each: each.kept,
    )


def _passing(
    plan: Sequence[Sequence[Expected]], rules: Sequence[Exclusion], person: Person
) -> float:
    """Return how likely somebody passes all rules, exactly.

    Half of the presentations ask about the right label; of an odd number one more or one less. In
    which ones is drawn, each choice as likely.
    """
    asked = Counter(trial.question for trials in plan for trial in trials)
    names = list(asked)
    total = 0.0
    # What is asked about matters to somebody only who answers by it.
    matters = any(person(t, True) != person(t, False) for trials in plan for t in trials)
    half = len(plan) // 2 if matters else 0
    for honest in (half, len(plan) - half if matters else 0):
        for counts, chance in _counts(plan, names, person, honest).items():
            right = dict(zip(names, counts, strict=True))
            if all(rule.passes(right, asked) for rule in rules):
                total += chance / 2
    return min(1.0, total)


def _counts(
    plan: Sequence[Sequence[Expected]], names: Sequence[str], person: Person, honest: int
) -> dict[tuple[int, ...], float]:
    """Return how likely each number of expected answers is, by question, of `honest` and foils."""
    states: dict[tuple[int, tuple[int, ...]], float] = {(0, (0,) * len(names)): 1.0}
    for place, trials in enumerate(plan):
        reached: dict[tuple[int, tuple[int, ...]], float] = defaultdict(float)
        for (used, counts), chance in states.items():
            likely = (honest - used) / (len(plan) - place)
            for is_honest, here in ((True, likely), (False, 1 - likely)):
                if here:
                    for then, given in _after(counts, trials, names, person, is_honest).items():
                        reached[used + is_honest, then] += chance * here * given
        states = reached
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for (_, counts), chance in states.items():
        found[counts] += chance
    return found


def _after(
    counts: tuple[int, ...],
    trials: Sequence[Expected],
    names: Sequence[str],
    person: Person,
    honest: bool,
) -> dict[tuple[int, ...], float]:
    """Return how likely each number of expected answers is after one presentation."""
    reached = {counts: 1.0}
    for trial in trials:
        right = person(trial, honest)
        place = names.index(trial.question)
        next_: dict[tuple[int, ...], float] = defaultdict(float)
        for before, chance in reached.items():
            if right < 1:
                next_[before] += chance * (1 - right)
            if right > 0:
                next_[(*before[:place], before[place] + 1, *before[place + 1 :])] += chance * right
        reached = next_
    return reached

"""The checklist of Carlini et al. (2019), "On evaluating adversarial robustness", as kept here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.artifacts import Role
from engine.report.figure import Figure, listed, table
from engine.report.figures._threat import ladder_config, strong_words
from engine.report.runs import Dataset
from engine.robustness.doubt import MASKED, Ladder

_COLUMNS = ("dataset", "item", "state", "how")
_DONE, _NOT_DONE, _DOES_NOT_APPLY = "done", "not done", "does not apply"
_Row = tuple[str, str, str]


def draw(data: Dataset) -> Figure:
    """Return the table, computed from what the ladders hold."""
    rows = list(_Found.of(data).rows())
    name = f"checklist-{data.label}"
    count = {state: sum(row[1] == state for row in rows) for state in (_DONE, _NOT_DONE)}
    return Figure(
        name,
        f"{data.title}: the checklist",
        f"Of {len(rows)} recommendations {count[_DONE]} were followed and {count[_NOT_DONE]} not; "
        "the others do not apply.",
        (),
        table(name, _COLUMNS, [(data.label, *row) for row in rows]),
        data.artifacts(*(Role("ladder", defense) for defense in data.defenses)),
        (
            "After Carlini et al. (2019), “On evaluating adversarial robustness”.",
            *data.absence_notes(),
        ),
        (("Recommendation", "State", "How"), *rows),
    )


@dataclass(frozen=True)
class _Found:
    """What the runs of a dataset hold that the checklist asks for.

    Attributes:
        ladders: of every model and seed.
        config: of the ladders.
        states: of the checks, by name, over models and seeds.
        masked: titles of the models that hide their gradients.
        undefended: whether a model without a defense was put to the same attacks.
    """

    ladders: list[Ladder]
    config: dict[str, Any]
    states: dict[str, set[str]]
    masked: list[str]
    undefended: bool

    @classmethod
    def of(cls, data: Dataset) -> _Found:
        found = [run.ladder(defense) for run in data.runs for defense in data.defenses]
        states: dict[str, set[str]] = {}
        for models in data.evaluations:
            for defense in data.judged:
                for check in models[defense]["doubt"]["checks"]:
                    states.setdefault(check["check"], set()).add(check["state"])
        return cls(
            [ladder for ladder in found if ladder is not None],
            ladder_config(data),
            states,
            [data.defenses[each] for each, why in data.doubts.items() if MASKED in why],
            any(_undefended(data, defense) for defense in data.defenses),
        )

    def rows(self) -> Iterator[_Row]:
        """Yield recommendation, state, and how or why not."""
        yield "State a threat model", _DONE, "the table above"
        yield "Report clean accuracy", _DONE, "the models at a glance"
        yield from self._strength()
        yield from self._order()
        yield from self._gradients()
        yield from self._others()

    def _strength(self) -> Iterator[_Row]:
        restarts = self.config.get("restarts")
        yield (
            "Several random starts",
            _state((restarts or 0) > 1),
            f"{restarts or 'not recorded'} on each loss",
        )
        yield "Several losses", _DONE, "cross-entropy, logit margin, logits scaled down"
        yield (
            "Convergence: more steps find no more",
            *self._rung("converged", f"{2 * self.config.get('steps', 0)} steps", "steps suffice"),
        )
        strong = strong_words(self.config) if "strong" in self.config else ""
        yield ("The strongest known attack", *self._rung("strong", strong))
        yield "The worst of all attacks, image by image", _DONE, "“worst case” throughout"
        yield (
            "An undefended model, attacked alike",
            _state(self.undefended),
            "among the models" if self.undefended else "none is among the models",
        )

    def _order(self) -> Iterator[_Row]:
        top = self.ladders[0].eps[-1]
        several = len(self.ladders[0].eps) > 1
        yield (
            "Accuracy over the size of the attack",
            _state(several and top >= 1),
            f"{len(self.ladders[0].eps)} sizes, up to ε = {top:g}",
        )
        for item, check in (
            ("Accuracy falls as ε grows", "falls with ε"),
            ("Nothing is left at full range", "full range"),
            ("Iterating beats one step", "iterated beats one step"),
            ("A white box beats transfer", "white box beats transfer"),
            ("An attack beats noise of its size", "attack beats noise"),
        ):
            states = self.states.get(check, set()) - {"skipped"}
            yield item, _state(bool(states)), _outcome(states)
        random = "one draw for each ε; 10 000 are recommended"
        yield "Many draws of noise", _NOT_DONE, random
        pgd = all(ladder.transferred_pgd for ladder in self.ladders)
        yield (
            "Transfer by an iterated attack",
            _state(pgd),
            "PGD examples for the other models" if pgd else "only FGSM examples, or no other model",
        )
        yield (
            "Transfer from a substitute like it",
            _NOT_DONE,
            "the sources are the experiment’s other models",
        )

    def _gradients(self) -> Iterator[_Row]:
        queries = f"square, {self.config.get('queries')} queries"
        blind = "gradients beat a blind search"
        yield ("An attack without gradients", *self._rung("square", queries, blind))
        yield "An attack on labels alone", _NOT_DONE, "every attack here sees logits"
        yield (
            "BPDA where a defense hides gradients",
            _NOT_DONE if self.masked else _DOES_NOT_APPLY,
            f"none beside scaled logits was made for {listed(self.masked)}"
            if self.masked
            else "no model here hides its gradients",
        )
        draws = max(ladder.draws for ladder in self.ladders)
        known = all(ladder.random is not None for ladder in self.ladders)
        yield (
            "Expectation where a model is stochastic",
            _DONE if draws > 1 else _DOES_NOT_APPLY if known else _NOT_DONE,
            f"attacked by the mean of {draws} draws"
            if draws > 1
            else "no model draws when it answers"
            if known
            else "whether one draws was not tested",
        )

    def _others(self) -> Iterator[_Row]:
        yield "Other norms (L2, L0)", _NOT_DONE, "the ladder is L∞; see the smallest disturbances"
        yield "Rotations, translations, corruptions", _NOT_DONE, "changes of pixels within ε alone"
        yield "Provable bounds", _NOT_DONE, "attacks bound robustness from above only"
        yield "Settings of every attack", _DONE, "below each figure, with the keys of its artifacts"

    def _rung(self, rung: str, how: str, check: str = "") -> tuple[str, str]:
        """Return state and how of a rung that older ladders lack."""
        if any(getattr(ladder, rung) is None for ladder in self.ladders):
            return _NOT_DONE, "not in every ladder here"
        found = _outcome(self.states.get(check, set()) - {"skipped"}) if check else ""
        return _DONE, f"{how}{'; ' * bool(found)}{found}"


def _state(done: bool) -> str:
    return _DONE if done else _NOT_DONE


def _outcome(states: set[str]) -> str:
    """Say how a check came out over the models and seeds."""
    if not states:
        return "not tested"
    if "failed" in states:
        return "not for every model: see the checks"
    return "noted for some: see the checks" if "noted" in states else "for every model tested"


def _undefended(data: Dataset, defense: str) -> bool:
    config = data.artifact(Role("model", defense)).recipe.config
    return bool((config.get("defense") or {}).get("name") == "none")

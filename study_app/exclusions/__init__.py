"""Exclusion rules, written down before the data are seen. One file per rule.

A rule declares its parameters, whether it judges people or answers, and what it excludes. Rules are
stored with the version of a study; everybody is judged by the version that they consented to. What
a rule excludes is marked in every table, never dropped. A rule about people marks all that the
person gave, practice included. Each rule judges all answers, those too that another rule excludes.

The database knows no rule. Whoever asks it for a table hands in `judge`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from db.errors import ExportError
from engine.components import Component, Registry
from engine.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from db.export import Evidence, Verdict


class Exclusion(Component):
    """A rule that says whose answers, or which answers, count for no estimate."""

    judges: ClassVar[Literal["people", "answers"]]
    """What it excludes: people with all that they gave, or single answers."""

    needs_catch: ClassVar[bool] = False
    """It judges by catch trials: a study without any has no use for it."""

    def excludes(self, people: pd.DataFrame, answers: pd.DataFrame) -> pd.Series[Any]:
        """Return what it excludes, of the people and answers of one version of a study.

        Args:
            people: one row per participant, with the columns `db.export.judging.PEOPLE`.
            answers: one row per rated trial, with the columns `db.export.judging.ANSWERS`.

        Returns:
            A boolean for each row of what it judges, under the same index. NA, where a fact is
            missing, excludes nothing.
        """
        raise NotImplementedError

    def passes(self, right: Mapping[str, int], asked: Mapping[str, int]) -> bool:
        """Say whether it keeps somebody, by their catch trials alone; a rule of another kind does.

        What it will do can thus be computed before anybody has answered.

        Args:
            right: how many expected answers they gave, by question type.
            asked: of how many catch trials in which one answer is expected.
        """
        return True

    def config(self) -> dict[str, Any]:
        """Return the rule as a study file declares it."""
        return {registry.key: self.name, **self.model_dump(mode="json")}


registry: Registry[Exclusion] = Registry("exclusion", __name__, key="rule")
register = registry.register
create = registry.create


def declared(config: Mapping[str, Any], study: str, version: int) -> list[Exclusion]:
    """Return the rules in the stored file of a study version, in its order.

    Raises:
        ExportError: a rule that is not known here, by its name or by its parameters. A newer
            program stored it, and data without it would pass for data that it has judged.
    """
    rules = []
    for rule in config.get("exclusions", ()):
        try:
            rules.append(registry.from_config(rule))
        except UsageError:
            raise ExportError(
                f"Version {version} of study {study!r} excludes by the rule {json.dumps(rule)}, "
                f"which this program does not know; known: {', '.join(registry.names())}. "
                "Use the newer program that published it."
            ) from None
    return rules


def judge(evidence: Evidence) -> Verdict:
    """Return which rules exclude whom and what: the judge of every table that is asked for.

    Raises:
        ExportError: a version has a rule that this program does not know.
    """
    from db.export import Verdict

    all_people = evidence.people.reset_index(drop=True)
    all_answers = evidence.answers.reset_index(drop=True)
    verdict = Verdict([[] for _ in range(len(all_people))], [[] for _ in range(len(all_answers))])
    for version, config in evidence.configs.items():
        people = all_people[all_people["study_version"] == version]
        answers = all_answers[all_answers["study_version"] == version]
        for rule in declared(config, evidence.study, version):
            judged = people if rule.judges == "people" else answers
            hit = judged[rule.excludes(people, answers).fillna(False).astype(bool)]
            if rule.judges == "people":
                _name(rule.name, verdict.people, hit.index)
                hit = answers[answers["participant_id"].isin(hit["participant_id"])]
            _name(rule.name, verdict.answers, hit.index)
    return verdict


def _name(rule: str, names: list[list[str]], rows: Iterable[int]) -> None:
    for row in rows:
        if rule not in names[row]:  # a file may have a rule twice
            names[row].append(rule)

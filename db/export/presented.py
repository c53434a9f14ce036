"""What a study's presentations showed: pictures, passports and the label that is asked about.

Read once for a table: each stimulus has one passport, however many people saw it, and its PNG is
read only where somebody asks for it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.export.scoring import Answered, asked_label
from db.models import (
    FurtherPicture,
    Participant,
    Presentation,
    Stimulus,
    Study,
    StudyVersion,
    StudyVersionStimulus,
    Trial,
)


class Presented:
    """The presentations of one stage of a study.

    Its rows are those of a query that selects what `columns.RATINGS` come from.

    Args:
        session: is read from as long as the object is used.
        study_name: which study.
        stage: which stage.
        configs: the stored file of each version, by its number.
        document: parses JSON; what it returns is shared and not to be changed.
    """

    def __init__(
        self,
        session: Session,
        study_name: str,
        stage: str,
        configs: Mapping[int, Mapping[str, Any]],
        document: Callable[[str], Any],
    ) -> None:
        self._of_stage = (Study.name == study_name, StudyVersion.stage == stage)
        self._configs, self._document = configs, document
        self._further = self._further_pictures(session)
        self._named = self._named_labels(session)
        self._passports, self._aims = self._known_stimuli(session)
        self.png = cache(
            lambda stimulus_id: (
                session.scalar(select(Stimulus.png).where(Stimulus.stimulus_id == stimulus_id))
                or b""
            )
        )

    def pictures(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """Return, by source, all stimuli of a row's presentation, and the one chosen."""
        shown = self._shown(row)
        answer = row["rating.answer"]
        places = [str(place) for place in range(len(shown))]
        # The layout is asked last: reading the view costs most.
        chosen = answer in places and self._view(row)["layout"] == "pictures"
        return {
            "computed:pictures": shown,
            "computed:chosen": shown[places.index(answer)] if chosen else None,
        }

    def answered(self, row: Mapping[Any, Any]) -> Answered:
        """Return a row with all that says what it is an answer to."""
        shown, version = self._shown(row), row["study_version.version"]
        passports = [self._passports[stimulus_id] for stimulus_id in shown]
        values = row["rating.values_json"]
        return Answered(
            task=row["trial.task"],
            answer=row["rating.answer"],
            values={} if values is None else self._document(values),
            view=self._view(row),
            pictures=passports,
            role=row["presentation.role"],
            condition=row["presentation.condition"],
            shown_label=row["trial.shown_label_index"],
            asked_label=self._asked(row["presentation.id"], version, passports[0]),
            correct=row["trial.correct_option"],
            study=self._configs[version],
            png=lambda place: self.png(shown[place]),
        )

    def _shown(self, row: Mapping[Any, Any]) -> list[str]:
        return [row["stimulus.stimulus_id"], *self._further.get(row["presentation.id"], ())]

    def _view(self, row: Mapping[Any, Any]) -> Any:
        return self._document(row["trial.view_json"])

    def _asked(self, presentation_id: str, version: int, first: Mapping[str, Any]) -> int | None:
        aims = self._aims.get((version, first.get("source", {}).get("image_id")), set())
        return asked_label(self._named.get(presentation_id), first, aims)

    def _of_plans(self, part: type[FurtherPicture] | type[Trial], *columns: Any) -> Select[Any]:
        """Return a query of columns of a part of presentations, over all plans of the stage."""
        return (
            select(*columns)
            .select_from(part)
            .join(Presentation, Presentation.id == part.presentation_id)
            .join(Participant, Participant.id == Presentation.participant_id)
            .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
            .join(Study, Study.id == StudyVersion.study_id)
            .where(*self._of_stage)
        )

    def _further_pictures(self, session: Session) -> dict[str, list[str]]:
        """Return the stimuli at places 1, 2, … of the presentations that have more than one."""
        query = self._of_plans(
            FurtherPicture, FurtherPicture.presentation_id, FurtherPicture.stimulus_id
        ).order_by(FurtherPicture.presentation_id, FurtherPicture.place)
        found: dict[str, list[str]] = defaultdict(list)
        for presentation_id, stimulus_id in session.execute(query):
            found[presentation_id].append(stimulus_id)
        return found

    def _named_labels(self, session: Session) -> dict[str, int]:
        """Return the label that the first question to name one names, by presentation."""
        query = (
            self._of_plans(Trial, Trial.presentation_id, Trial.shown_label_index)
            .where(Trial.shown_label_index.is_not(None))
            .order_by(Trial.position.desc())
        )
        return {row.presentation_id: row.shown_label_index for row in session.execute(query)}

    def _known_stimuli(
        self, session: Session
    ) -> tuple[dict[str, Mapping[str, Any]], dict[tuple[int, str], set[int]]]:
        """Return the passports by stimulus, and what attacks aim at by version and source image."""
        query = (
            select(StudyVersion.version, Stimulus.stimulus_id, Stimulus.passport_json)
            .join(StudyVersionStimulus, StudyVersionStimulus.stimulus_id == Stimulus.stimulus_id)
            .join(StudyVersion, StudyVersion.id == StudyVersionStimulus.study_version_id)
            .join(Study, Study.id == StudyVersion.study_id)
            .where(*self._of_stage)
        )
        passports: dict[str, Mapping[str, Any]] = {}
        aims: dict[tuple[int, str], set[int]] = defaultdict(set)
        for version, stimulus_id, text in session.execute(query):
            if stimulus_id not in passports:
                passports[stimulus_id] = json.loads(text)
            passport = passports[stimulus_id]
            if passport.get("kind") == "adversarial":
                aims[version, passport["source"]["image_id"]].add(int(passport["target"]))
        return passports, aims

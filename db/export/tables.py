"""The exported tables as DataFrames, filled from the declarations in `columns`."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Select, Table, func, literal, null, select
from sqlalchemy.orm import Session, aliased

from db.canonical import canonical_json
from db.export.columns import EVENTS, FORMS, PARTICIPANTS, RATINGS, STIMULI, Column
from db.export.judging import (
    ANSWERS,
    ANSWERS_COLUMNS,
    PEOPLE,
    PEOPLE_COLUMNS,
    Evidence,
    Judge,
    marked,
)
from db.export.presented import Presented
from db.export.scoring import Answered, Scorer
from db.models import (
    Base,
    Consent,
    FormResponse,
    Participant,
    Presentation,
    RefusedResponse,
    Response,
    Stimulus,
    Study,
    StudyVersion,
    StudyVersionStimulus,
    Trial,
    rating,
)

# Where the JSON documents that sources point into are stored.
_DOCUMENTS = {
    "passport": "stimulus.passport_json",
    "timing": "rating.timing_json",
    "display": "rating.display_json",
    "view": "trial.view_json",
    "values": "rating.values_json",
    "device": "computed:device",
}
# Filled by `judging`, once the table is there.
_MARKS = ("computed:excluded", "computed:exclusion_rule")
# Computed from the rows that a query gave, not by the query.
_PICTURES = ("computed:pictures", "computed:chosen")
_ITEMS = ("computed:item", "computed:answer")

Query = Select[*tuple[Any, ...]]
Row = Mapping[Any, Any]


def ratings(
    session: Session, study_name: str, *, judge: Judge, score: Scorer, stage: str = "main"
) -> pd.DataFrame:
    """Return one row per answered trial with its current answer, by participant and trial index.

    All versions of the study of one `stage`; columns as declared in `columns.RATINGS`, then those
    of `score`. `judge` says what the exclusion rules exclude, which is marked; `score` what the
    answers mean.

    Raises:
        ExportError: `judge` cannot judge.
    """
    earlier = (
        select(func.count() - 1)
        .where(Response.trial_id == Trial.id)
        .correlate(Trial)
        .scalar_subquery()
    )
    query = (
        _rated(_select(RATINGS, {"computed:changes": earlier}, beside=_PICTURES), study_name, stage)
        .join(Stimulus, Stimulus.stimulus_id == Presentation.stimulus_id)
        .order_by(Participant.id, Trial.position)
    )
    document = _documents()
    configs = _configs(session, study_name, stage)
    presented = Presented(session, study_name, stage, configs, document)
    answers: list[Answered] = []

    def rows() -> Iterator[Row]:
        for row in session.execute(query).mappings():
            answers.append(presented.answered(row))
            yield {**row, **presented.pictures(row)}

    table = _frame(rows(), RATINGS, document)
    people = (
        _select(PEOPLE_COLUMNS, {})
        .select_from(Participant)
        .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(Study.name == study_name, StudyVersion.stage == stage)
    )
    evidence = Evidence(
        study_name,
        configs,
        people=_frame(session.execute(people).mappings(), PEOPLE_COLUMNS),
        answers=table[list(ANSWERS)],
    )
    table = marked(table, judge(evidence).answers)
    return pd.concat([table, score(answers, table)], axis=1)


def participants(
    session: Session, study_name: str, *, judge: Judge, stage: str = "main"
) -> pd.DataFrame:
    """Return one row per participant, by id: no token, no provider id, no completion code.

    Whom an exclusion rule about people excludes is marked.

    Raises:
        ExportError: `judge` cannot judge.
    """
    query = (
        _select(PARTICIPANTS, _of_participants())
        .select_from(Participant)
        .join(Consent, Consent.participant_id == Participant.id)
        .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(Study.name == study_name, StudyVersion.stage == stage)
        .order_by(Participant.id)
    )
    table = _frame(session.execute(query).mappings(), PARTICIPANTS)
    answers = _rated(_select(ANSWERS_COLUMNS, {}), study_name, stage)
    evidence = Evidence(
        study_name,
        _configs(session, study_name, stage),
        people=table[list(PEOPLE)],
        answers=_frame(session.execute(answers).mappings(), ANSWERS_COLUMNS),
    )
    return marked(table, judge(evidence).people)


def _of_participants() -> dict[str, Any]:
    """Return what is computed of a participant's own rows, by source."""
    total = (
        select(func.count(Trial.id))
        .where(Trial.participant_id == Participant.id)
        .correlate(Participant)
        .scalar_subquery()
    )
    answered = (
        select(func.count(Response.trial_id.distinct()))
        .join(Trial, Trial.id == Response.trial_id)
        .where(Trial.participant_id == Participant.id)
        .correlate(Participant)
        .scalar_subquery()
    )
    refused = (
        select(func.count(RefusedResponse.id))
        .join(Trial, Trial.id == RefusedResponse.trial_id)
        .where(Trial.participant_id == Participant.id)
        .correlate(Participant)
        .scalar_subquery()
    )
    checks = (
        select(func.count(FormResponse.id))
        .where(FormResponse.participant_id == Participant.id, FormResponse.form == "comprehension")
        .correlate(Participant)
        .scalar_subquery()
    )
    device = (
        select(FormResponse.device_json)
        .where(FormResponse.participant_id == Participant.id, FormResponse.form == "screening")
        .correlate(Participant)
        .scalar_subquery()
    )
    return {
        "computed:trials_total": total,
        "computed:trials_answered": answered,
        "computed:refused_answers": refused,
        "computed:comprehension_attempts": checks,
        "computed:device": device,
    }


def stimuli(session: Session, study_name: str, *, stage: str = "main") -> pd.DataFrame:
    """Return one row per stimulus of the study's versions, by id, seen by anybody or not."""
    shown = (
        select(StudyVersionStimulus.stimulus_id)
        .join(StudyVersion, StudyVersion.id == StudyVersionStimulus.study_version_id)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(Study.name == study_name, StudyVersion.stage == stage)
    )
    query = (
        _select(STIMULI, {}).where(Stimulus.stimulus_id.in_(shown)).order_by(Stimulus.stimulus_id)
    )
    return _frame(session.execute(query).mappings(), STIMULI)


def events(session: Session, study_name: str, *, stage: str = "main") -> pd.DataFrame:
    """Return the answer trail: every response stored or refused, by participant and trial.

    In a trial the stored answers come first, then the refused ones as they came: by the database's
    own counting, since a clock may have been set back in between.
    """
    frames = []
    counted = (
        (Response, "stored", Response.attempt),
        (RefusedResponse, "refused", RefusedResponse.id),
    )
    for model, kind, number in counted:
        held = model.__table__.c
        # A refused answer was logged without its timing: those columns are empty.
        replaced: dict[str, ColumnElement[Any]] = {
            f"response.{column.name}": held.get(column.name, null())
            for column in Response.__table__.c
        }
        query = (
            _select(EVENTS, {"computed:kind": literal(kind), **replaced})
            .select_from(model)
            .join(Trial, Trial.id == model.trial_id)
            .join(Participant, Participant.id == Trial.participant_id)
            .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
            .join(Study, Study.id == StudyVersion.study_id)
            .where(Study.name == study_name, StudyVersion.stage == stage)
            .order_by(number)
        )
        frames.append(_frame(session.execute(query).mappings(), EVENTS))
    order = ["participant_id", "trial_index"]  # of several columns the sort is stable
    return pd.concat(frames, ignore_index=True).sort_values(order, ignore_index=True)


def forms(session: Session, study_name: str, *, stage: str = "main") -> pd.DataFrame:
    """Return one row per participant and question of a form, of the last attempt."""
    later = aliased(FormResponse)
    last = (
        select(func.max(later.attempt))
        .where(later.participant_id == FormResponse.participant_id, later.form == FormResponse.form)
        .correlate(FormResponse)
        .scalar_subquery()
    )
    query = (
        _select(FORMS, {}, beside=_ITEMS)
        .add_columns(FormResponse.answers_json.label("form_response.answers_json"))
        .select_from(FormResponse)
        .join(Participant, Participant.id == FormResponse.participant_id)
        .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(
            Study.name == study_name,
            StudyVersion.stage == stage,
            FormResponse.attempt == last,
        )
        .order_by(Participant.id, FormResponse.id)
    )
    rows = (
        {**row, "computed:item": item, "computed:answer": answer}
        for row in session.execute(query).mappings()
        for item, answer in json.loads(row["form_response.answers_json"]).items()
    )
    return _frame(rows, FORMS)


def iso_utc(time: datetime) -> str:
    """Return a time as text: UTC with milliseconds, "2026-11-21T10:20:30.123Z"."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rated(query: Query, study_name: str, stage: str) -> Query:
    """Return `query` over a study's rated trials, with their presentations and participants."""
    return (
        query.select_from(rating)
        .join(Trial, Trial.id == rating.c.trial_id)
        .join(Presentation, Presentation.id == Trial.presentation_id)
        .join(Participant, Participant.id == Trial.participant_id)
        .join(StudyVersion, StudyVersion.id == Participant.study_version_id)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(Study.name == study_name, StudyVersion.stage == stage)
    )


def _configs(session: Session, study_name: str, stage: str) -> dict[int, Any]:
    """Return the stored file of each version of a stage, by number."""
    versions = session.execute(
        select(StudyVersion.version, StudyVersion.config_json)
        .join(Study, Study.id == StudyVersion.study_id)
        .where(Study.name == study_name, StudyVersion.stage == stage)
        .order_by(StudyVersion.version)
    )
    return {number: json.loads(config) for number, config in versions}


def _select(
    columns: Iterable[Column],
    given: Mapping[str, ColumnElement[Any]],
    beside: Container[str] = (),
) -> Query:
    """Return a query of everything that the columns' sources need, each labelled with its source.

    Args:
        columns: what is asked for.
        given: expressions for computed sources, or in place of a stored column.
        beside: sources that are computed from the rows.
    """
    wanted: dict[str, ColumnElement[Any]] = {}
    for column in columns:
        source = _stored_source(column.source)
        if source is not None and source not in beside:
            wanted[source] = given[source] if source in given else _column(source)
    return select(*(expression.label(source) for source, expression in wanted.items()))


def _stored_source(source: str) -> str | None:
    """Return the part of a row that a source is read from; None if no row has it."""
    if source in _MARKS:
        return None
    return _DOCUMENTS.get(source.partition(":")[0], source)


def _column(source: str) -> ColumnElement[Any]:
    table_name, _, column_name = source.partition(".")
    table: Table = rating if table_name == rating.name else Base.metadata.tables[table_name]
    return table.c[column_name]


def _documents() -> Callable[[str], Any]:
    """Return what parses JSON, each text once: passports and views repeat."""
    return lru_cache(maxsize=4096)(json.loads)


def _frame(
    rows: Iterable[Row], columns: tuple[Column, ...], document: Callable[[str], Any] | None = None
) -> pd.DataFrame:
    document = document or _documents()
    read = [column for column in columns if column.source not in _MARKS]
    values: dict[str, list[Any]] = {column.name: [] for column in read}
    for row in rows:
        for column in read:
            value = _value(column.source, row, document)
            values[column.name].append(_typed(value, column.dtype))
    return pd.DataFrame(
        {column.name: pd.array(values[column.name], dtype=column.dtype) for column in read}
    )


def _value(source: str, row: Row, document: Callable[[str], Any]) -> Any:
    prefix, _, path = source.partition(":")
    if prefix not in _DOCUMENTS:
        return row[source]
    text = row[_DOCUMENTS[prefix]]
    value = None if text is None else document(text)
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _typed(value: Any, dtype: str) -> Any:
    """Return `value` fit for the column; what a browser sent under a wrong type becomes empty."""
    if value is None:
        return None
    if dtype == "string":
        if isinstance(value, datetime):
            return iso_utc(value)
        return value if isinstance(value, str) else canonical_json(value)
    if dtype == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -(2**63) <= value < 2**63:
        return None
    if dtype == "Float64":
        return float(value)
    return int(value) if value == int(value) else None

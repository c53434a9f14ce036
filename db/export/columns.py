"""The declared columns of every exported table: what each holds and where it comes from.

A source is `table.column` of the database, or a path in a JSON document of the row
(`passport:attack.name`, `timing:...`, `display:...`, `view:...`, `values:...`, `device:...`), or
`computed:` by the export, or `outcome:` by the scorer of whoever asks (`scoring`). The codebook is
made from these declarations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy.orm import InstrumentedAttribute

from db.measured import Display, Timing
from db.models import (
    Consent,
    FormResponse,
    Participant,
    Presentation,
    Response,
    Stimulus,
    Study,
    StudyVersion,
    Trial,
)

Dtype = Literal["string", "Int64", "Float64", "boolean"]

# By JSON's types, which is how browsers send facts.
_DTYPES: dict[str, Dtype] = {
    "string": "string",
    "integer": "Int64",
    "number": "Float64",
    "boolean": "boolean",
}


@dataclass(frozen=True)
class Column:
    """One column of an exported table. `dtype` is pandas' nullable type; empty means no value."""

    name: str
    dtype: Dtype
    description: str
    source: str


def _stored(
    name: str,
    attribute: InstrumentedAttribute[Any],
    dtype: Dtype = "string",
    *,
    of: str | None = None,
) -> Column:
    """Return a column of the database under its own description; `of`: the view to read it from."""
    column = attribute.property.columns[0]
    return Column(name, dtype, str(column.comment), f"{of or column.table.name}.{column.name}")


def _marks(what: str) -> tuple[Column, Column]:
    """Return what the exclusion rules say of `what`; `judging` fills these columns."""
    return (
        Column(
            "excluded",
            "boolean",
            f"Whether a pre-registered rule excludes {what}; the row stays",
            "computed:excluded",
        ),
        Column(
            "exclusion_rule",
            "string",
            f"Rules that exclude {what}, in the order of the study file, joined by ;",
            "computed:exclusion_rule",
        ),
    )


def _measured(document: str, facts: type[BaseModel], **names: str) -> tuple[Column, ...]:
    """A column for each fact that browsers send, under its own description.

    names: of columns that are called otherwise than the fact.
    """
    schema = facts.model_json_schema()["properties"]
    return tuple(
        Column(
            names.get(name, name),
            _DTYPES[schema[name]["anyOf"][0]["type"]],
            str(field.description),
            f"{document}:{name}",
        )
        for name, field in facts.model_fields.items()
    )


_PASSPORT = (
    Column("stimulus_kind", "string", "adversarial, clean, control or map", "passport:kind"),
    Column("source_dataset", "string", "Data set of the source image", "passport:source.dataset"),
    Column(
        "source_index", "Int64", "Index of the source image in its split", "passport:source.index"
    ),
    Column(
        "source_image_id",
        "string",
        "Identity of the clean source image: SHA-256 of its pixels",
        "passport:source.image_id",
    ),
    Column("true_label", "Int64", "Class of the source image", "passport:true_label"),
    Column("model_id", "string", "Artifact key of the source model", "passport:model.id"),
    Column(
        "weights_sha256",
        "string",
        "SHA-256 of the source model's weights",
        "passport:model.weights_sha256",
    ),
    Column("defense", "string", "Defense of the source model", "passport:defense"),
    Column("attack", "string", "Attack that made the stimulus", "passport:attack.name"),
    Column(
        "attack_target",
        "Int64",
        "Class that the attack aimed at (untargeted: ended in)",
        "passport:target",
    ),
    Column("attack_params_json", "string", "Parameters of the attack", "passport:attack.params"),
    Column(
        "linf",
        "Float64",
        "L-infinity norm of the perturbation, pixels in [0, 1]",
        "passport:norms.linf",
    ),
    Column("l2", "Float64", "L2 norm of the perturbation, pixels in [0, 1]", "passport:norms.l2"),
    Column(
        "l0",
        "Int64",
        "Number of pixels that the perturbation changed, in any channel",
        "passport:norms.l0",
    ),
    Column(
        "model_pred",
        "Int64",
        "Class that the source model gives the 8-bit pixels",
        "passport:prediction.label",
    ),
    Column(
        "model_conf",
        "Float64",
        "Confidence of that prediction, 0 to 1",
        "passport:prediction.confidence",
    ),
    Column(
        "saliency_method", "string", "Saliency method of the map shown", "passport:saliency.name"
    ),
    Column(
        "saliency_sha256",
        "string",
        "SHA-256 of the map shown",
        "passport:saliency.content_sha256",
    ),
)

_STUDY = (
    Column("study_id", "string", str(Study.name.comment), "study.name"),
    _stored("study_version", StudyVersion.version, "Int64"),
    _stored("stage", StudyVersion.stage),
)

RATINGS = (
    _stored("row_id", Trial.id),
    _stored("event_id", Response.event_id, of="rating"),
    *_STUDY,
    _stored("plan_hash", Participant.plan_hash),
    _stored("participant_id", Participant.id),
    _stored("provider", Participant.provider),
    _stored("arm", Participant.arm),
    _stored("list_index", Participant.list_index, "Int64"),
    _stored("block", Presentation.block, "Int64"),
    _stored("presentation_id", Presentation.id),
    _stored("presentation_index", Presentation.presentation_index, "Int64"),
    _stored("trial_index", Trial.position, "Int64"),
    _stored("trial_type", Presentation.role),
    _stored("task", Trial.task),
    _stored("condition", Presentation.condition),
    _stored("stimulus_id", Stimulus.stimulus_id),
    _stored("stimulus_sha256", Stimulus.pixels_sha256),
    *_PASSPORT,
    Column(
        "pictures_json",
        "string",
        "Stimuli of all places in the order shown, as JSON; the columns before are of the first",
        "computed:pictures",
    ),
    Column("options_json", "string", "Options in the order shown, as JSON", "view:options"),
    _stored("correct_option", Trial.correct_option),
    _stored("shown_label", Trial.shown_label),
    _stored("shown_label_index", Trial.shown_label_index, "Int64"),
    _stored("foil_policy", Trial.foil_policy),
    _stored("response", Response.answer, of="rating"),
    _stored("response_label", Response.answer_label, of="rating"),
    Column(
        "chosen_stimulus_id",
        "string",
        "Stimulus of the picture chosen, where the pictures are the options",
        "computed:chosen",
    ),
    _stored("values_json", Response.values_json, of="rating"),
    Column(
        "timed_out",
        "boolean",
        "true where no answer came within the response window; empty: answered",
        "values:timed_out",
    ),
    Column(
        "n_changes",
        "Int64",
        "How often the answer was changed before it locked",
        "computed:changes",
    ),
    _stored("rt_ms", Response.rt_ms, "Float64", of="rating"),
    *_measured("timing", Timing),
    Column(
        "exposure_set_ms",
        "Int64",
        "How long the study shows them; 0: not again; empty: until the answer",
        "view:exposure_ms",
    ),
    Column(
        "response_window_ms",
        "Int64",
        "Within what time the study wants the answer; empty: there is no hurry",
        "view:response_window_ms",
    ),
    *_measured("display", Display, css_px="display_css_px"),
    _stored("received_utc", Response.received_at, of="rating"),
    *_marks("the answer, or the person who gave it"),
)

PARTICIPANTS = (
    _stored("participant_id", Participant.id),
    *_STUDY,
    _stored("provider", Participant.provider),
    _stored("language", Participant.language),
    _stored("status", Participant.status),
    _stored("arm", Participant.arm),
    _stored("list_index", Participant.list_index, "Int64"),
    _stored("plan_hash", Participant.plan_hash),
    _stored("plan_rules", Participant.plan_rules, "Int64"),
    _stored("consent_text_sha256", Consent.text_sha256),
    _stored("consent_version", Consent.version),
    _stored("consented_utc", Participant.created_at),
    _stored("admitted_utc", Participant.admitted_at),
    _stored("completed_utc", Participant.completed_at),
    _stored("last_seen_utc", Participant.last_seen_at),
    Column("trials_total", "Int64", "Trials in the participant's plan", "computed:trials_total"),
    Column("trials_answered", "Int64", "Trials answered so far", "computed:trials_answered"),
    Column(
        "refused_answers",
        "Int64",
        "Answers that came after a different one to the same question, and do not count: the "
        "participant, or two people, went on in two places by one personal link",
        "computed:refused_answers",
    ),
    Column(
        "comprehension_attempts",
        "Int64",
        "Attempts made at the comprehension check",
        "computed:comprehension_attempts",
    ),
    Column(
        "css_px_per_mm",
        "Float64",
        "CSS pixels per millimetre, from the size calibration",
        "device:css_px_per_mm",
    ),
    Column("device_json", "string", str(FormResponse.device_json.comment), "computed:device"),
    *_marks("the person"),
)

STIMULI = (
    _stored("stimulus_id", Stimulus.stimulus_id),
    _stored("stimulus_sha256", Stimulus.pixels_sha256),
    _stored("file_sha256", Stimulus.file_sha256),
    _stored("width", Stimulus.width, "Int64"),
    _stored("height", Stimulus.height, "Int64"),
    *_PASSPORT,
    _stored("passport_json", Stimulus.passport_json),
)

_QUARTILES = {"p25": "First quartile", "median": "Median", "p75": "Third quartile"}
_SUMMARISED = {
    "l2": "of the disturbances' L2 norm, pixels in [0, 1]; empty where nothing is disturbed",
    "linf": "of the disturbances' L-infinity norm, pixels in [0, 1]; empty likewise",
    "model_conf": "of the model's confidence in its answer; empty where no model is spoken of",
}

CONDITIONS = (
    *_STUDY,
    _stored("condition", Presentation.condition),
    Column("stimulus_kind", "string", "adversarial, clean, control or map", "passport:kind"),
    Column("defense", "string", "Defense of the source model", "passport:defense"),
    Column("attack", "string", "Attack that made the stimuli", "passport:attack.name"),
    Column("stimuli", "Int64", "Stimuli in the plans of those admitted", "computed:stimuli"),
    Column("source_images", "Int64", "Images that they were made from", "computed:images"),
    *(
        Column(f"{name}_{quartile}", "Float64", f"{which} {what}", f"computed:{name}_{quartile}")
        for name, what in _SUMMARISED.items()
        for quartile, which in _QUARTILES.items()
    ),
)

EVENTS = (
    _stored("event_id", Response.event_id),
    Column("kind", "string", "stored, or refused: came after another answer", "computed:kind"),
    *_STUDY,
    _stored("participant_id", Participant.id),
    _stored("row_id", Trial.id),
    _stored("trial_index", Trial.position, "Int64"),
    _stored("attempt", Response.attempt, "Int64"),
    _stored("response", Response.answer),
    _stored("response_label", Response.answer_label),
    _stored("values_json", Response.values_json),
    _stored("rt_ms", Response.rt_ms, "Float64"),
    _stored("timing_json", Response.timing_json),
    _stored("display_json", Response.display_json),
    _stored("received_utc", Response.received_at),
)

FORMS = (
    _stored("participant_id", Participant.id),
    *_STUDY,
    _stored("form", FormResponse.form),
    Column("item", "string", "Name of the form's question", "computed:item"),
    Column(
        "answer",
        "string",
        "Answer of the last attempt: an option's value, a JSON list of them, a number or a text",
        "computed:answer",
    ),
    Column("attempts", "Int64", "Attempts made at the form", "form_response.attempt"),
    Column(
        "passed",
        "boolean",
        "Whether the last attempt let the participant go on; empty where nothing is judged",
        "form_response.passed",
    ),
    _stored("received_utc", FormResponse.received_at),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "ratings": RATINGS,
    "participants": PARTICIPANTS,
    "stimuli": STIMULI,
    "conditions": CONDITIONS,
    "events": EVENTS,
    "forms": FORMS,
}


def codebook(table: str = "ratings", further: Sequence[Column] = ()) -> list[dict[str, str]]:
    """Return one entry per column of an exported table: dtype, description and source, in order.

    Args:
        table: ratings, participants, stimuli, conditions, events or forms.
        further: columns behind those that the export itself fills: a scorer's.
    """
    return [
        {
            "table": table,
            "column": column.name,
            "dtype": column.dtype,
            "description": column.description,
            "source": column.source,
        }
        for column in (*TABLES[table], *further)
    ]

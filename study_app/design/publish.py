"""Publishing a study: design, stimuli and texts into the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from db import repository
from db.models.studies import SIMULATED
from db.repository import StimulusRow, StudyVersionInfo
from db.session import Database
from engine import canonical, results
from engine.artifacts import ArtifactStore
from engine.stimuli import Stimulus
from study_app.design.study_design import Design, design
from study_app.study import Study, silence


def publish(
    study: Study,
    store: ArtifactStore,
    database: Database,
    drawn: Design | None = None,
    *,
    simulated: bool = False,
) -> StudyVersionInfo:
    """Store `study` and open it. Unchanged content adds nothing; changed content a new version.

    A study of which nothing else has changed keeps the rules by which its pictures are sized:
    people are taking part in it.

    Args:
        study: the study.
        store: where its experiment is.
        database: where it goes.
        drawn: its design, if it has been drawn before.
        simulated: as a version for simulated people, whatever stage the file names. That opens
            nothing: people are not led to it.

    Raises:
        UsageError: its experiment has not been run here, or has too few usable images.
        AbsentError: what it shows failed when the experiment was run.
    """
    if drawn is None:
        drawn = design(study, results.find(store, study.experiment))
    with database.read() as s:
        newest = repository.study(s, study.name)
    document, content_sha256 = as_running(study, drawn, newest)
    now = datetime.now(UTC)
    version = database.write(
        lambda s: repository.publish_study(
            s,
            name=study.name,
            config=study.to_json(),
            design=document,
            stage=SIMULATED if simulated else study.stage,
            stimuli=[_row(stimulus) for stimulus in drawn.stimuli.values()],
            silence=silence(study),
            content_sha256=content_sha256,
            now=now,
        )
    )
    if version.status == "draft" and not simulated:
        version = database.write(
            lambda s: repository.set_study_status(s, name=study.name, status="live")
        )
    return version


def as_running(
    study: Study, drawn: Design, newest: StudyVersionInfo | None
) -> tuple[Mapping[str, Any], str]:
    """Return what is stored of a design, and the SHA-256 of that with the study.

    It has the sizes of the newest version, if it is the same but for them: then the hash is that
    version's, and nothing new is stored.
    """
    config, document = study.to_json(), drawn.document
    if newest is not None:
        same = {key: value for key, value in document.items() if key != "picture_sizes"}
        if sizes := newest.design.get("picture_sizes"):
            same["picture_sizes"] = sizes
        if _content_sha256(config, same) == newest.content_sha256:
            return same, newest.content_sha256
    return document, _content_sha256(config, document)


def _content_sha256(config: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    return canonical.sha256({"config": config, "design": document})


def _row(stimulus: Stimulus) -> StimulusRow:
    return StimulusRow(
        stimulus_id=stimulus.stimulus_id,
        pixels_sha256=stimulus.pixels_sha256,
        file_sha256=stimulus.file_sha256,
        image_id=stimulus.image_id,
        passport_json=canonical.dumps(stimulus.passport),
        png=stimulus.png,
        width=stimulus.pixels.shape[2],
        height=stimulus.pixels.shape[1],
    )

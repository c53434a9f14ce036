"""A study as the database holds it, read once for each version.

`Study.to_json` is what is stored. What an older program stored is brought into today's form here,
and nowhere else; what a newer one stored is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError, model_validator
from sqlalchemy.orm import Session

from db import repository
from db.repository import StudyVersionInfo, StudyVersionName
from engine.errors import PlausiblyError
from study_app.study.conditions import Picture
from study_app.study.study_file import Study

_KEPT = 64
"""Versions that a process keeps read; a server rarely has as many."""


class UnreadableStudyError(PlausiblyError):
    """The stored file of a study version is not one that this program knows."""


class StoredStudy(Study):
    """A study out of the database: resolved, each condition with its questions, and with its arms.

    `StoredStudy.model_validate(study.to_json()).to_json()` is the same JSON again. What older
    programs left out has its default. How the parts of a file fit together was judged when it was
    launched; stricter rules of today do not stop a study that people are taking part in.
    """

    @model_validator(mode="before")
    @classmethod
    def _from_json(cls, stored: Any) -> Any:
        return _upgraded(stored) if isinstance(stored, Mapping) else stored

    @model_validator(mode="after")
    def _parts_fit(self) -> StoredStudy:
        return self


def _upgraded(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored document as a study file has it, whichever program stored it."""
    file = dict(stored)
    for key in ("conditions", "arms"):
        if key in file:
            file[key] = _by_label(key, file[key])
    for condition in file.get("conditions", {}).values():
        if isinstance(pictures := condition.get("pictures"), list):
            condition["pictures"] = [_as_declared(picture) for picture in pictures]
    return file


def _by_label(key: str, parts: Any) -> dict[str, dict[str, Any]]:
    """Return parts by label: stored JSON sorts its keys, so that they are kept as a list."""
    if not isinstance(parts, list) or not all(
        isinstance(part, Mapping) and isinstance(part.get("label"), str) for part in parts
    ):
        raise ValueError(f"{key} is not a list of parts with labels")
    return {part["label"]: {k: v for k, v in part.items() if k != "label"} for part in parts}


def _as_declared(picture: Any) -> Any:
    """Return a picture without what its file left out: no kind of picture takes every key."""
    if not isinstance(picture, Mapping):
        return picture
    fields = Picture.model_fields
    return {k: v for k, v in picture.items() if k not in fields or v != fields[k].default}


_read: dict[tuple[int, str], StoredStudy] = {}


def study_of(version: StudyVersionInfo) -> StoredStudy:
    """Return the study of a version, validated once in a process.

    Raises:
        UnreadableStudyError: it has what this program does not know.
    """
    return _known(version, lambda: version.config)


def stored_study(s: Session, study_version_id: int) -> StoredStudy:
    """Return the study of a version by its id, such as the one that a participant consented to.

    Raises:
        StudyNotFoundError: there is no such version.
        UnreadableStudyError: it has what this program does not know.
    """
    named = repository.study_version_name(s, study_version_id)
    return _known(named, lambda: repository.study_config(s, study_version_id))


def _known(
    version: StudyVersionInfo | StudyVersionName, config: Callable[[], Mapping[str, Any]]
) -> StoredStudy:
    # The hash, since a process may have several databases open, each with a version 1.
    key = (version.id, version.content_sha256)
    study = _read.get(key)
    if study is None:
        study = _validated(version.name, version.version, config())
        if len(_read) >= _KEPT:
            _read.clear()
        _read[key] = study
    return study


def _validated(name: str, version: int, config: Mapping[str, Any]) -> StoredStudy:
    try:
        return StoredStudy.model_validate(config)
    except ValidationError as error:
        problems = "; ".join(_problem(problem) for problem in error.errors()[:3])
        raise UnreadableStudyError(
            f"Version {version} of study {name!r} holds what this program does not know: "
            f"{problems}. Use the newer program that published it, or launch the study again with "
            "this one."
        ) from None


def _problem(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"the key {place!r}"
    said = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}" if place else said

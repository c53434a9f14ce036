"""What launching a study file again would change, where people have taken part already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study_app.design.study_design import Design
    from study_app.installation import Settings
    from study_app.study import Study

MOST = 20
"""Differences that are printed; the others are counted."""


def changes(
    study: Study, settings: Settings, drawn: Design | None, *, untouched: bool = False
) -> list[str]:
    """Return lines that say what differs from the stored version; empty if there is nothing to say.

    That is where nothing differs, or nobody has come yet.

    Args:
        study: what is launched.
        settings: the installation, whose database is up to date.
        drawn: its design.
        untouched: say it also where nobody has come yet.
    """
    from db import repository
    from study_app.design.publish import as_running
    from study_app.study import briefly, differences, study_of

    database = settings.database()
    try:
        with database.read() as s:
            stored = repository.study(s, study.name)
            counts = repository.counts(s, study.name)
    finally:
        database.close()
    people = sum(row.started for row in counts)
    if stored is None or drawn is None or not (people or untouched):
        return []
    _, content = as_running(study, drawn, stored)
    if (content, study.stage) == (stored.content_sha256, stored.stage):
        return []
    runs = (stored.design.get("experiment"), drawn.document["experiment"])
    found = briefly(differences(study_of(stored), study, runs=runs))
    lines = [f"  {each}" for each in found[:MOST]]
    if len(found) > MOST:
        lines.append(f"  and {len(found) - MOST} more")
    if not found:
        lines.append("  lists are drawn anew, by newer rules of this program")
    apart = any(each.changes_meaning for each in found)
    return [
        f"{_came(people)} taken part in study {study.name!r}. What is launched differs from "
        f"version {stored.version} ({stored.stage}):",
        *lines,
        "Answers to the new version mean something else, and are not counted with those before."
        if apart
        else "Answers to the new version mean the same, and are counted with those before.",
    ]


def _came(people: int) -> str:
    return {0: "Nobody has", 1: "1 person has"}.get(people, f"{people} people have")

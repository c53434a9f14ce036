"""Kind `experiment`: the index of a finished run, by which readers find its artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.artifacts import Artifact, write_json
from engine.jobs._kinds import Reader, kinds

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = None
FILE = "index.json"


def labelled() -> dict[str, list[str]]:
    """Return under which names a run has titles by label, and of which parts of its file."""
    found: dict[str, list[str]] = {"defenses": ["defenses"]}
    sections = [kind.SECTION for kind in kinds.having("SECTION").values() if kind.SECTION.labelled]
    for section in sorted(sections, key=lambda each: bool(each.titles_under)):
        found.setdefault(section.titles_under or section.name, []).append(section.name)
    return found


def make(job: Job) -> None:
    """Store the index: the recipe's configuration."""
    write_json(job.draft / FILE, job.config)


def read(artifact: Artifact, reader: Reader) -> dict[str, Any]:
    """Return name, title, dataset, seed, class_names and the like, and titles by label.

    `missing` holds, by role, what failed and the sentence why; it is empty for a complete run.

    Titles stand in the experiment's order; a run from before a section was known has none of it.
    """
    config: dict[str, Any] = artifact.json(FILE)
    titles = {section: dict(config.get(section, [])) for section in labelled()}
    return {"missing": {}, **config, **titles}

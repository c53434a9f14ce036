"""The page: sections of figures and verdicts, in one file that needs nothing beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from engine.artifacts import Artifact
from engine.report import look
from engine.report.about import About
from engine.report.figure import Figure, Picture
from engine.report.figures import Section
from engine.report.runs import Study
from engine.report.verdicts import Judgement

_HERE = Path(__file__).parent
_OF_A_RUN = ("dataset", "seed")
"""Configuration that the artifacts of a figure differ in by what they are called already."""


@dataclass(frozen=True)
class Shown:
    """A figure, and in a line what data and models it is of."""

    figure: Figure
    about: str


@dataclass(frozen=True)
class Part:
    """A section with what it shows."""

    section: Section
    shown: tuple[Shown, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Its figures."""
        return tuple(each.figure for each in self.shown)


def render(
    study: Study,
    abouts: Sequence[About],
    parts: Sequence[Part],
    judged: Sequence[Judgement],
    *,
    command: str,
) -> str:
    """Return the page as HTML.

    Args:
        study: the runs.
        abouts: what is known of each dataset and its models.
        parts: sections that have figures.
        judged: the papers whose claims could be judged.
        command: what was typed to make it.
    """
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    template = environment.from_string((_HERE / "page.html").read_text(encoding="utf-8"))
    return template.render(
        study=study,
        abouts=abouts,
        parts=parts,
        judged=judged,
        command=command,
        inline=_inline,
        coloured=_coloured,
        origin=_origin,
        short=_short,
        # The page's own text: nothing that a file or a person gave is in these two.
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # noqa: S704
        script=Markup((_HERE / "page.js").read_text(encoding="utf-8")),  # noqa: S704
    )


def _inline(picture: Picture) -> Markup:
    # Drawn by this package, which escapes every label that it writes.
    return Markup(look.inline(picture.svg, picture.name, picture.text, picture.width))  # noqa: S704


def _coloured(drawing: str) -> Markup:
    return Markup(look.coloured(drawing))  # noqa: S704


def _short(title: str) -> str:
    """Return a title without what stands in brackets, for the contents."""
    return re.sub(r"\s*\([^)]*\)", "", title)


def _origin(sources: Mapping[str, Artifact]) -> str:
    """Return as JSON the configurations behind a figure, each with the keys of its artifacts."""
    groups: dict[str, dict[str, Any]] = {}
    for name, artifact in sources.items():
        config = {k: v for k, v in artifact.recipe.config.items() if k not in _OF_A_RUN}
        group = groups.setdefault(
            json.dumps([artifact.kind, config], sort_keys=True),
            {"kind": artifact.kind, "config": config, "artifacts": {}},
        )
        group["artifacts"][name] = artifact.key
    return json.dumps(list(groups.values()), indent=1, ensure_ascii=False)

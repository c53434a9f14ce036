"""HTML from template files: what is filled in is text, unless a template made it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(Path(__file__).parent),
    )


def render(template: str, **values: Any) -> Markup:
    """Return the HTML of a template.

    Args:
        template: its path from the folder of this package: "design/preview.html".
        values: what it asks for; strings among them are text, and escaped.

    Raises:
        jinja2.TemplateError: there is no such template, or it asks for something that is not given.
    """
    # Every value was escaped by the template.
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704


def part(template: str, macro: str, /, **values: Any) -> Markup:
    """Return the HTML of one macro of a template; see `render`.

    Raises:
        jinja2.TemplateError: it asks for something that is not given.
        TypeError: it does not know one of the values.
    """
    made: Markup = getattr(_environment().get_template(template).module, macro)(**values)
    return made

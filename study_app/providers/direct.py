"""An open link: whoever has it may take part."""

from __future__ import annotations

from study_app.providers import Provider, register


@register
class Direct(Provider):
    """Nobody has an id; each participant gets a code of their own on completion."""

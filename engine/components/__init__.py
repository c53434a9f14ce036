"""Named parts with parameters, and the YAML files that name them.

A part is one file in its room; a file's errors name the place and what is known.
"""

from engine.components.complaints import meant
from engine.components.registry import Component, Registry, versions_of
from engine.components.yaml_files import Document, member

__all__ = ["Component", "Document", "Registry", "meant", "member", "versions_of"]

"""What was made, kept: folders named by what made them, whole or absent, hashed.

Everything that is trained, attacked or measured is stored and found here.
"""

from engine.artifacts.blocks import Blocks, write_blocks
from engine.artifacts.role import Role, labels_of
from engine.artifacts.store import (
    MANIFEST,
    NUMERIC_PATH,
    Artifact,
    ArtifactStore,
    Parent,
    Recipe,
)
from engine.artifacts.writing import replacing, write_arrays, write_json

__all__ = [
    "MANIFEST",
    "NUMERIC_PATH",
    "Artifact",
    "ArtifactStore",
    "Blocks",
    "Parent",
    "Recipe",
    "Role",
    "labels_of",
    "replacing",
    "write_arrays",
    "write_blocks",
    "write_json",
]

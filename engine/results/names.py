"""What the files of an artifact are called, and the keys that are read from several places."""

from __future__ import annotations

WEIGHTS = "weights.safetensors"


CURVE = "curve.json"


EXAMPLES = "examples.npz"


MAPS = "maps.npz"


RESULT = "result.json"


MEASURES = "measures.npz"


PREDICTIONS = "predictions.npz"


INDEX = "index.json"


GRID = "grid.npz"


MINIMUM_NORM = "minimum_norm.npz"


LADDER = "ladder.npz"


CANDIDATE = "candidate:{number:02}"
"""A selection's parent, by its place among the values."""


CHOSEN = "chosen"
"""Key of a selection's result: the value of the parameter."""

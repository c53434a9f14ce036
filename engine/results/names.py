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


PREDICTED = "predictions/{label}"
"""Where a file of predictions has those of the model with this label: apart from its other arrays,
so that a label may be any word."""


CANDIDATE = "candidate"
"""Kind of a selection's parents; the label is the place among the values, as in candidate:07."""


CHOSEN = "chosen"
"""Key of a selection's result: the value of the parameter."""


CLEAN = "clean"
"""What a picture without an attack is called, where others are called by their attack."""

"""What is known of a picture and of a map, as JSON that can be cited."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.results import WEIGHTS, code_sha256
from study_app.gallery import meaning, measured
from study_app.gallery.addresses import Place
from study_app.gallery.exhibit import CLEAN, PERCENTILE, SCALE_MODES, Exhibit, ScaleMode
from study_app.gallery.view import MapView

SCHEMA = 1


def picture_facts(exhibit: Exhibit, place: Place) -> dict[str, Any]:
    """Return passport, stimulus id and the model's answer of the picture at `place`."""
    stimulus = exhibit.stimulus(place.defense, place.image, place.index)
    label, confidence = exhibit.prediction(place.defense, place.image, place.index)
    return {
        "schema": SCHEMA,
        "kind": "picture",
        "experiment": _experiment(exhibit),
        "defense": place.defense,
        "image": place.image,
        "index": place.index,
        "stimulus_id": stimulus.stimulus_id,
        "passport": dict(stimulus.passport),
        "prediction": {"defense": place.defense, "label": label, "confidence": confidence},
        "unchanged": place.image != CLEAN
        and exhibit.unchanged(place.defense, place.image, place.index),
        "class_names": exhibit.results.class_names,
        "links": {"png": place.picture()},
    }


def map_facts(exhibit: Exhibit, place: Place, method: str, mode: ScaleMode) -> dict[str, Any]:
    """Return quantity, scale, strength, meaning and origin of the map of the picture at `place`.

    Where there is none, `absent` says why, and what is of the map alone is left out.
    """
    where = (place.defense, place.image, place.index, method)
    absent = meaning.absent(exhibit, *where)
    artifact = exhibit.maps_artifact(place.defense, method)
    model = exhibit.results.model(place.defense)
    return {
        "schema": SCHEMA,
        "kind": "map",
        "experiment": _experiment(exhibit),
        "defense": place.defense,
        "image": place.image,
        "index": place.index,
        "method": {"label": method, "title": exhibit.methods[method]},
        "quantity": exhibit.results.maps(place.defense, method).quantity,
        "fit": meaning.fit_facts(exhibit, place.defense, method),
        "absent": absent or None,
        **({} if absent else _of_map(exhibit, where, mode)),
        "artifact": asdict(artifact),
        "model": {
            "id": model.key,
            "content_sha256": model.content_sha256,
            "weights_sha256": model.sha256(WEIGHTS),
            "code_sha256": code_sha256(model),
            "notes": list(exhibit.results.notes(place.defense)),
        },
        "picture": picture_facts(exhibit, place),
        "links": {
            **({} if absent else {"png": place.map(method, mode)}),
            "page": MapView(place, method, mode).href,
        },
    }


def _of_map(exhibit: Exhibit, where: tuple[str, str, int, str], mode: ScaleMode) -> dict[str, Any]:
    """Return what is known of a map that is there."""
    stored = exhibit.attribution(*where)
    return {
        "scale": {
            "mode": mode,
            "value": exhibit.scale(mode, *where),
            "percentile": PERCENTILE,
            "definition": SCALE_MODES[mode][1],
        },
        "max_abs": exhibit.largest(*where),
        "zero_share": float((exhibit.drawn(*where) == 0).mean()),
        **meaning.as_json(exhibit, *where),
        "metrics": measured.facts(exhibit, *where),
        "shape": list(stored.shape),
        "values_sha256": hashlib.sha256(np.ascontiguousarray(stored).tobytes()).hexdigest(),
    }


def _experiment(exhibit: Exhibit) -> dict[str, Any]:
    index = exhibit.results.index
    return {
        "name": exhibit.results.name,
        "title": exhibit.title,
        "key": index.key,
        "content_sha256": index.content_sha256,
        "created": index.manifest["created"],
    }

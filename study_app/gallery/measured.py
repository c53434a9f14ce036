"""What metrics say of one map, beside what they say of null maps of the same image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.artifacts import Role
from engine.metrics import NULLS, WHY, in_words
from engine.results import CLEAN, MapMetrics
from study_app.gallery.exhibit import Exhibit
from study_app.templates import part

_TEMPLATE = "gallery/map_page.html"
_KIND = "map_metrics"
_FAILED = "Measuring these maps failed when the experiment was run."


@dataclass(frozen=True)
class _Row:
    """One metric that has a number: all in words, `nulls` in the order of `NULLS`."""

    title: str
    value: str
    nulls: tuple[str, ...]
    better: str
    says: str


def table(exhibit: Exhibit, defense: str, image: str, index: int, method: str) -> str:
    """Return as HTML what is known of a map that is there; "" where its run measured none."""
    found = facts(exhibit, defense, image, index, method)
    if found is None:
        return ""
    measured = found.get("values") or {}
    rows = [
        _Row(
            known["title"],
            _number(known["value"]),
            tuple(_number(known["nulls"][null]["value"]) for null in NULLS),
            "–" if known["direction"] == "neither" else known["direction"],
            known["says"],
        )
        for known in measured.values()
        if known["value"] is not None
    ]
    return part(
        _TEMPLATE,
        "measured",
        rows=rows,
        nulls=[in_words(null) for null in NULLS],
        sentences=[found["absent"]] if found["absent"] else _without_number(measured.values()),
    )


def facts(
    exhibit: Exhibit, defense: str, image: str, index: int, method: str
) -> dict[str, Any] | None:
    """Return the same as facts that can be cited; None where the run measured no such maps.

    `absent` says why there are no `values` of this map, in a sentence; None where there are.
    """
    role, results = Role(_KIND, defense, method), exhibit.results
    if role in results.missing:
        return {"absent": _FAILED}
    if not results.has(role):
        return None
    found = results.map_metrics(defense, method)
    if image not in found.images:
        return None
    there = found.indices(image)
    known = {
        "images": len(there),
        "of": len(results.maps(defense, method).indices(image)),
        "artifact": asdict(exhibit.results.artifact(role).as_parent()),
    }
    if index not in there:
        said = f"{known['images']} of the {known['of']} images that have this map were measured"
        return {**known, "absent": f"This one was not measured: {said}."}
    row = int(np.searchsorted(there, index))
    values = {metric: _of_metric(found, metric, image, row) for metric in found.metrics}
    return {**known, "absent": None, "values": values}


def _of_metric(found: MapMetrics, metric: str, image: str, row: int) -> dict[str, Any]:
    spec = found.spec(metric)
    why = str(found.reason(metric, image)[row]) or None
    return {
        "title": spec.title,
        "value": _finite(found.values(metric, image)[row]),
        "why": why,
        "why_in_words": _in_words(why, image),
        "nulls": {
            null: {
                "value": _finite(found.null(metric, image, null)[row]),
                "why": str(found.reason(metric, image, null)[row]) or None,
            }
            for null in NULLS
        },
        "sign": spec.sign,
        "direction": spec.direction,
        "says": spec.says,
        "source": spec.source,
        "config": spec.config(),
    }


def _in_words(why: str | None, image: str) -> str | None:
    if why == "no_clean" and image == CLEAN:
        return "of maps of attacked images, which are compared with this one"
    return None if why is None else {str(code): words for code, words in WHY.items()}[why]


def _without_number(measured: Iterable[dict[str, Any]]) -> list[str]:
    """Return one sentence on the metrics that have no number, by reason; none where all have."""
    by_reason: dict[str, list[str]] = {}
    for known in measured:
        if known["value"] is None:
            by_reason.setdefault(known["why_in_words"], []).append(known["title"])
    if not by_reason:
        return []
    groups = (f"{', '.join(titles)} ({why})" for why, titles in by_reason.items())
    return [f"No number: {'; '.join(groups)}."]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _number(value: float | None) -> str:
    """Return two decimals, which is as much as one image can tell."""
    if value is None:
        return "–"
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "\N{MINUS SIGN}")

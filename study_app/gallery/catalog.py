"""The experiments that the gallery can show, opened once a process."""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path
from threading import Lock

from engine.artifacts import ArtifactStore
from engine.results import Results, everything
from study_app.gallery.exhibit import Exhibit, NotShownError

_KEY = re.compile(r"[0-9a-f]{64}")
_KEPT = 4


class Catalog:
    """Opens experiments by key and keeps the last few in memory. Safe to use from many threads.

    What is kept cannot grow stale: a key stands for one content.

    Args:
        store: where their artifacts lie.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._lock = Lock()
        self._open: OrderedDict[str, Exhibit] = OrderedDict()

    def titles(self) -> dict[str, str]:
        """Return the newest run of every experiment that has maps: title by key, newest first."""
        runs = sorted(
            everything(self._store).values(),
            key=lambda results: str(results.index.manifest["created"]),
            reverse=True,
        )
        return {
            results.index.key: str(results.config["title"])
            for results in runs
            if results.config["saliency"]
        }

    def complete_before(self, exhibit: Exhibit) -> str | None:
        """Return the key of the newest complete run of an experiment of which something failed.

        None where nothing failed, or where no run was complete.
        """
        if not exhibit.results.missing:
            return None
        runs = (Results(self._store, index) for index in self._store.all("experiment"))
        name = exhibit.results.name
        complete = [each.index.key for each in runs if each.name == name and not each.missing]
        return complete[-1] if complete else None

    def exhibit(self, key: str) -> Exhibit:
        """Return the experiment with this key, also one that a newer run has replaced.

        Raises:
            NotShownError: there is none.
            ArtifactError: it is damaged.
        """
        if not _KEY.fullmatch(key):
            raise NotShownError
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
            if not (self._store.root / "experiment" / key).is_dir():
                raise NotShownError
            exhibit = Exhibit(Results(self._store, self._store.get("experiment", key)))
            self._open[key] = exhibit
            if len(self._open) > _KEPT:
                self._open.popitem(last=False)
            return exhibit


@lru_cache(maxsize=4)
def catalog(root: Path) -> Catalog:
    """Return this process's catalog of the artifact store at `root`: routes and pages share it."""
    return Catalog(ArtifactStore(root))

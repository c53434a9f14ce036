"""Whether data are as they were published, from the hashes of the files that they are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from engine.datasets._dataset import Dataset
from engine.datasets._published import AS_PUBLISHED, NOT_AS_PUBLISHED, UNKNOWN, Check, Published

BUILT_IN: Final = "built in"
State: TypeAlias = Literal["built in", "as published", "not as published", "unknown"]


@dataclass(frozen=True)
class Publication:
    """What is known of where data come from.

    Attributes:
        state: "built in" for data that come with this program; "unknown" where there is no hash to
            compare with.
        reason: how that is known, or why not; a sentence without its full stop.
    """

    state: State
    reason: str

    @property
    def words(self) -> str:
        """The state in words."""
        return f"{self.state} whether as published" if self.state == UNKNOWN else self.state

    def __str__(self) -> str:
        """Return the state with its reason."""
        return f"{self.words}: {self.reason}"


NOT_RECORDED = Publication(
    UNKNOWN,
    "the run is from before this was recorded; run the experiment again, which finds all the rest",
)


def publication(dataset: Dataset, data_sha256: str | None) -> Publication:
    """Return whether a dataset is as published; its files are hashed now.

    Args:
        dataset: the component.
        data_sha256: checksum of what it loads.
    """
    if dataset.origin is not dataset:
        return publication(dataset.origin, None)
    if isinstance(dataset, Published):
        return _of_files(dataset.verify())
    if dataset.expected_sha256 is None:
        return Publication(UNKNOWN, "images of one's own have no published hash")
    if data_sha256 not in (None, dataset.expected_sha256) and dataset == type(dataset)():
        return Publication(
            NOT_AS_PUBLISHED,
            f"its checksum is {str(data_sha256)[:12]}…, that of the built-in data is "
            f"{dataset.expected_sha256[:12]}…",
        )
    return Publication(BUILT_IN, "it comes with this program")


def without_files(dataset: Dataset, data_sha256: str) -> Publication:
    """Return the same for data that were read some time ago, whatever files are there now."""
    if isinstance(dataset.origin, Published):
        return NOT_RECORDED
    return publication(dataset, data_sha256)


def _of_files(checks: list[Check]) -> Publication:
    wrong = [check for check in checks if check.status == NOT_AS_PUBLISHED]
    if wrong:
        return Publication(
            NOT_AS_PUBLISHED, "; ".join(f"{each.name} {each.detail}" for each in wrong)
        )
    unsure = [check.name for check in checks if check.status != AS_PUBLISHED]
    if unsure or not checks:
        return Publication(
            UNKNOWN, f"no published hash was there to compare with: {', '.join(unsure)}"
        )
    count = f"all {len(checks)} files have" if len(checks) > 1 else "its file has"
    return Publication(AS_PUBLISHED, f"{count} the published SHA-256")

"""Kind `ladder`: one model on a ladder of attacks, and the others on its examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from numpy.typing import NDArray
from pydantic import Field, field_validator

from engine import attacks
from engine.artifacts import Artifact, Recipe, Role, write_arrays
from engine.components import Document, versions_of
from engine.datasets import evenly
from engine.jobs._kinds import Reader
from engine.jobs._requests import Asking, Request, Section, SomeAttack, answering
from engine.robustness.doubt import Ladder

if TYPE_CHECKING:
    from engine.jobs.context import Job

VERSION = 2
STAGE = "measure"
FILE = "ladder.npz"
_TRANSFERRED = {"transferred": "transferred_", "transferred_pgd": "pgd_transferred_"}
"""Before the label of the model that answered, by the field of `Ladder`."""
_ANY = 0.1
"""An eps to look at an attack with."""


class LadderSpec(Document):
    """The ladder of attacks that every model's robustness is doubted by; see `engine.robustness`.

    Attributes:
        eps: L-inf, in pixels, ascending; the last should be 1, where every image is in reach.
        images: how many test images, evenly spaced.
        steps: PGD's; it is also tried with twice as many.
        restarts: how often PGD starts, on each loss and on scaled logits.
        queries: how often the search without gradients asks the model about an image.
        strong: the strongest attack, of those images that are still right; it gets each eps. Left
            out it is `worst_case`, which is what "worst case" then means.
    """

    eps: list[Annotated[attacks.PixelEps, Field(gt=0)]] = Field(
        [8 / 255, 26 / 255, 76 / 255, 1.0], min_length=1
    )
    images: int = Field(200, ge=1)
    steps: int = Field(20, ge=1)
    restarts: int = Field(3, ge=1)
    queries: int = Field(500, ge=1)
    strong: SomeAttack | None = None

    def strongest(self) -> attacks.Attack:
        """Return the strongest attack; its eps is any."""
        return self.strong or attacks.create("worst_case")

    @field_validator("strong")
    @classmethod
    def _has_a_ball(cls, strong: attacks.Attack | None) -> attacks.Attack | None:
        if strong is None:
            return None
        if "eps" not in type(strong).model_fields:
            raise ValueError(f"needs an eps, as worst_case and pgd have one; {strong.name} has not")
        budget = attacks.vary(strong, "eps", _ANY).budget()
        if budget is None or budget[0] != "linf":
            raise ValueError(f"must be an attack in L-inf, as all of the ladder, not {strong}")
        return strong

    @field_validator("eps")
    @classmethod
    def _ascending(cls, eps: list[float]) -> list[float]:
        if eps != sorted(set(eps)):
            raise ValueError(f"must ascend, each once, not {eps}")
        return eps


SECTION = Section("doubt", LadderSpec | None, LadderSpec(), labelled=False)


def wanted(run: Asking, label: str) -> Iterator[Request]:
    """Ask for the ladder of the model `label`, unless the file doubts nothing."""
    spec = run.section(SECTION.name)
    if spec is not None:
        others = {Role("model", each): answering(each) for each in run.labels if each != label}
        strong = spec.strongest()
        members = [attacks.registry.get(name) for name in ("fgsm", "pgd", "square")]
        yield Request(
            Role("ladder", label),
            f"doubt {label}",
            {**spec.model_dump(mode="json", exclude={"strong"}), "strong": strong.config()},
            {Role("source"): Role("model", label), **others},
            {**versions_of(*members, type(strong)), **strong.versions_of_parts()},
            gathers=tuple(others),
        )


def make(job: Job) -> None:
    """Put one model to the ladder; test the others on its FGSM and PGD examples."""
    from engine.robustness.climbing import Rungs, climb

    config = job.config
    arrays = climb(
        job.model(Role("source")),
        evenly(job.data().test, config["images"]),
        eps=config["eps"],
        rungs=Rungs(
            config["steps"],
            config["restarts"],
            config["queries"],
            attacks.registry.from_config(config["strong"]),
        ),
        seed=config["seed"],
        others=job.models(),
        progress=job.progress,
    )
    write_arrays(job.draft / FILE, arrays)


def gone(recipe: Recipe) -> str | None:
    """Return why a ladder of version 1 is not climbed again."""
    if recipe.versions.get("ladder", 1) >= VERSION:
        return None
    return "its rungs are not climbed any more; run its experiment again for those of today"


def read(artifact: Artifact, reader: Reader) -> dict[str, NDArray[Any]]:
    """Return the answers on every rung as arrays by name; see `climbed`.

    Version 1 has fewer of them, and 8-bit pixels that may lie half a level outside of the ball.
    """
    return artifact.arrays(FILE)


def climbed(by_source: Mapping[str, Mapping[str, NDArray[Any]]], label: str) -> Ladder:
    """Return one model's ladder from the arrays that are stored for every model."""
    prefixes = tuple(_TRANSFERRED.values())
    own: dict[str, Any] = {
        name: array for name, array in by_source[label].items() if not name.startswith(prefixes)
    }
    transferred: dict[str, Any] = {
        name: {
            source: arrays[f"{prefix}{label}"]
            for source, arrays in by_source.items()
            if source != label and f"{prefix}{label}" in arrays
        }
        for name, prefix in _TRANSFERRED.items()
    }
    eps = [float(each) for each in own.pop("eps")]
    draws = int(own.pop("draws", 1))
    return Ladder(eps, **own, draws=draws, **transferred)

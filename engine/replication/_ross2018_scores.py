"""What the claims of Ross & Doshi-Velez (2018) are measured by: scores of models on images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.errors import AbsentError, UsageError
from engine.replication._gaps import Gaps
from engine.replication.claims import Check, How, Origin, Scores, check, doubted_seeds
from engine.results import Results
from engine.robustness.doubt import MASKED, hides_gradients

TITLES = {
    "none": "no defense",
    "distillation": "distillation",
    "adversarial_training": "adversarial training",
    "penalty_loss": "gradient penalty",
    "penalty_uniform": "gradient penalty, uniform",
    "both": "penalty and adversarial training",
}
PENALISED = ("penalty_loss", "penalty_uniform")
UNPENALISED = ("none", "distillation", "adversarial_training")
_SMALLEST_FLOAT32 = 1e-45


class Measured:
    """The scores of one dataset, (seeds, images), by what they are of.

    Args:
        dataset: its title.
        defenses: labels of the experiment's models.
        runs: a seed each; without any, nothing is measured, and `gaps` says what cannot be.
    """

    def __init__(
        self, dataset: str, defenses: Collection[str], runs: Sequence[Results] = ()
    ) -> None:
        self.dataset = dataset
        self.runs = runs
        self.gaps = Gaps()
        self.titles = {label: title for label, title in TITLES.items() if label in defenses}

    def right(
        self, tested: str, source: str, values: Sequence[float], curve: str = "fgsm"
    ) -> Scores:
        """Whether `tested` is right on examples for `source`, averaged over the attack's values."""
        rows = []
        for results in self.runs:
            results.require(tested)
            made = results.curve(curve, source)
            missing = set(values) - set(made.values)
            if missing:
                raise UsageError(f"curve {curve} of {results.name} lacks {sorted(missing)}")
            chosen = [made.values.index(value) for value in values]
            rows.append((made.tested[tested][chosen] == made.labels).mean(0))
        return np.stack(rows)

    def transferred(self, tested: str, sources: Sequence[str], values: Sequence[float]) -> Scores:
        """The same as a mean over several sources."""
        every = np.stack([self.right(tested, source, values) for source in sources])
        mean: Scores = every.mean(0)
        return mean

    def measure(self, defense: str, name: str) -> NDArray[np.float64]:
        """A measure of every image, stacked over the seeds."""
        return np.stack([np.asarray(r.measures(defense)[name], np.float64) for r in self.runs])

    def true_norms(self, defense: str) -> Scores:
        """The input gradient's norm of the cross-entropy with the true label."""
        norms, labels = self.measure(defense, "gradient_norms"), self.measure(defense, "labels")
        true: Scores = np.take_along_axis(norms, labels.astype(np.int64)[..., None], 2)[..., 0]
        return true

    def all_norms(self, defense: str) -> Scores:
        """The input gradients' norms of the cross-entropy with every label, (S, N, K).

        NaN for those of many classes that are not measured.
        """
        return self.measure(defense, "gradient_norms")

    def decades(self, defense: str, norms: Callable[[str], Scores]) -> Scores:
        """How many orders of magnitude an image's norms are from the model's median, on average.

        An exact zero counts as float32's smallest number. A model whose true-label gradients are
        nearly all zero has no spread in these alone, but in those for all labels.
        """
        logs = np.log10(np.maximum(norms(defense), _SMALLEST_FLOAT32))
        flat = logs.reshape(*logs.shape[:2], -1)
        middle = np.nanmedian(flat, axis=(1, 2), keepdims=True)
        distance: Scores = np.nanmean(np.abs(flat - middle), axis=2)
        return distance

    def over_time(self, defense: str, what: str) -> list[Scores]:
        """Whether the model is right with the weights of each kept step: one (S, N) a step.

        Args:
            defense: label of the model.
            what: the predictions, of test images or, where it begins with "valid_", of validation
                images.

        Raises:
            AbsentError: they are not kept.
        """
        found = [results.training_time(defense) for results in self.runs]
        labels = "valid_labels" if what.startswith("valid_") else "labels"
        if not all(what in each for each in found):
            raise AbsentError(
                f"robustness against training time of {self.dataset}",
                "it was measured by an earlier version, on test images alone; run the experiment "
                "again",
                "",
            )
        return [
            np.stack([(each[what][k] == each[labels]).astype(np.float64) for each in found])
            for k in range(len(found[0]["steps"]))
        ]

    def spread(self, defense: str) -> Scores:
        """Standard deviation of an image's log-probabilities over the classes, in nats."""
        spread: Scores = self.measure(defense, "log_probabilities").std(2)
        return spread

    def steps(self, defense: str) -> list[int]:
        """The training steps whose weights were kept."""
        return [int(step) for step in self.runs[0].training_time(defense)["steps"]]

    def ahead(
        self, one: str, other: str, sources: Iterable[str], values: Sequence[float]
    ) -> Scores:
        """How far `one` is ahead of `other` on examples made for `sources`, these two left out."""
        third = [source for source in sources if source not in (one, other)]
        return self.transferred(one, third, values) - self.transferred(other, third, values)

    def check(
        self,
        claim: str,
        statement: str,
        scores: Callable[[], Mapping[str, Scores]],
        *,
        models: Collection[str],
        about: Collection[str] | None = None,
        bound: float = 0.0,
        how: How = "every",
        choose: Callable[[], Mapping[str, Scores]] | None = None,
        origin: Origin = "paper",
    ) -> Check | None:
        """Measure one statement on this dataset; see `claims.check`.

        None where there are no runs, or where it is left out: the experiment lacks a model that it
        is about.

        Args:
            claim: as there, and so are all others but the models.
            statement: what has to hold.
            scores: comparisons by name.
            models: labels of those whose answers are in it: it names the doubted ones.
            about: those of them that it cannot do without, by default all; the comparison is then
                with those of the others that are there.
            bound: of the quantity.
            how: every, some or equivalent.
            choose: the comparisons on validation images.
            origin: who says so.
        """
        lacking = [label for label in models if label not in self.titles]
        judged = self.gaps.judged(claim, models if about is None else about, lacking)
        if not judged or not self.runs:
            return None
        there = {label: title for label, title in self.titles.items() if label in models}
        doubted = doubted_seeds(self.runs, there)
        return check(
            claim, self.dataset, statement, scores,
            bound=bound, how=how, choose=choose, origin=origin, doubted=doubted,
        )  # fmt: skip

    @cached_property
    def unmasked(self) -> list[str]:
        """The defenses that no seed's examination found to mask their gradients.

        Where a run was not examined, most true-label gradients being zero tells.
        """
        return [label for label in self.titles if not any(_masks(r, label) for r in self.runs)]


def _masks(results: Results, label: str) -> bool:
    if MASKED in results.doubts(label)["reasons"]:
        return True
    return hides_gradients(float(np.mean(results.measures(label)["zero_gradient"])))

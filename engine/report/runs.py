"""The runs of a report by dataset, and what every figure asks of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, Role, labels_of
from engine.errors import PlausiblyError
from engine.results import Results, by_dataset
from engine.robustness import doubt
from engine.statistics import Interval, interval

STAND_INS = {
    "digits": "handwritten digits of 8×8 pixels, enlarged, that come with scikit-learn",
    "letters": "capital letters rendered from fonts",
    "house_numbers": "house numbers drawn by a program",
    "photo_patches": "patches of the two photographs that come with scikit-learn",
}
"""Built-in data that stand in for the papers', by name of the dataset."""


@dataclass(frozen=True)
class Curve:
    """A swept attack: what it is, and the values of the swept parameter.

    Attributes:
        label, title: the experiment's.
        parameter: the one that is swept.
        values: what it takes, ascending where the experiment says so.
        config: of its artifact: attack, over, split, images.
        transfer: whether every model was tested on the examples for every model.
    """

    label: str
    title: str
    parameter: str
    values: tuple[float, ...]
    config: dict[str, Any]
    transfer: bool

    @property
    def axis(self) -> str:
        """The swept parameter in words."""
        return {"eps": "ε", "step_size": "step size"}.get(self.parameter, self.parameter)


class Dataset:
    """One dataset of an experiment: the runs with every seed.

    Args:
        runs: of one dataset, one a seed, with the same defenses.
        experiment_title: for readers; the runs' titles end in it.
    """

    def __init__(self, runs: Sequence[Results], experiment_title: str) -> None:
        self.runs = list(runs)
        self.first = self.runs[0]
        self._experiment_title = experiment_title

    @property
    def label(self) -> str:
        """In addresses and tables: the experiment's label, or its name where it has one only."""
        return str(self.first.config["dataset_label"] or self.first.name)

    @cached_property
    def title(self) -> str:
        """For readers."""
        title = str(self.first.config["title"]).removesuffix(f": {self._experiment_title}")
        return title.removesuffix(f", seed {self.first.config['seed']}")

    @property
    def name(self) -> str:
        """The dataset's own name: mnist, digits."""
        return str(self.first.config["dataset"]["name"]).split(":")[0]

    @property
    def stand_in(self) -> str | None:
        """What the data are where they stand in for a paper's; None for other data."""
        return STAND_INS.get(self.name)

    @property
    def seeds(self) -> list[int]:
        """The runs' seeds."""
        return [int(run.config["seed"]) for run in self.runs]

    @property
    def defenses(self) -> dict[str, str]:
        """Titles by label, in the experiment's order."""
        return dict(self.first.config["defenses"])

    def has(self, noun: str) -> dict[str, str]:
        """Return the titles by label that every run has of `noun`; none where it is not known."""
        found = [dict(run.config.get(noun) or {}) for run in self.runs]
        return {label: title for label, title in found[0].items() if all(label in f for f in found)}

    def labels(self, kind: str) -> set[str]:
        """Return the labels that an artifact of this kind has in every run."""
        found = [set(labels_of(kind, run.index.recipe.parents)) for run in self.runs]
        return set.intersection(*found)

    def artifact(self, role: Role, run: Results | None = None) -> Artifact:
        """Return an artifact by its role in a run, by default the first."""
        return (run or self.first).artifact(role)

    def artifacts(self, *roles: Role) -> dict[str, Artifact]:
        """Return the artifacts of these roles in every run, by role and seed in words."""
        return {
            f"{role}, seed {seed}": self.artifact(role, run)
            for role in roles
            for run, seed in zip(self.runs, self.seeds, strict=True)
        }

    # Doubt -------------------------------------------------------------------

    @cached_property
    def evaluations(self) -> list[dict[str, Any]]:
        """What every run's evaluation holds, by model."""
        return [run.evaluation()["models"] for run in self.runs]

    @property
    def judged(self) -> bool:
        """Whether the models were checked for masked gradients and label leaking."""
        return all("doubt" in models[d] for models in self.evaluations for d in self.defenses)

    @cached_property
    def doubts(self) -> dict[str, dict[str, int]]:
        """Reasons to doubt a model's robustness, with the number of seeds: {defense: {reason: n}}.

        A model that no check failed is left out.
        """
        found: dict[str, dict[str, int]] = {}
        for models in self.evaluations:
            for defense in self.defenses:
                for reason in models[defense].get("doubt", {}).get("reasons", []):
                    counts = found.setdefault(defense, {})
                    counts[reason] = counts.get(reason, 0) + 1
        return found

    def marks(self, defense: str) -> str:
        """Return the signs of the reasons to doubt a model, "" for none."""
        return doubt.signs(self.doubts.get(defense, {}))

    def marked(self, defense: str) -> str:
        """Return a model's title with its signs: how it is called where robustness is shown."""
        return doubt.marked(self.defenses[defense], self.doubts.get(defense, {}))

    def called(self, defense: str) -> str:
        """Return a model's title with its signs, set off from the sentence that it stands in."""
        return f"“{self.defenses[defense]}”{self.marks(defense)}"

    def reasons(self, defense: str) -> str:
        """Return the reasons to doubt a model in words, for tables."""
        return "; ".join(self.doubts.get(defense, {}))

    def doubt_notes(self, defenses: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return a sentence for every doubted model of `defenses`, by default of all."""
        return tuple(
            f"{self.marks(defense)} {self.defenses[defense]}: "
            + "; ".join(f"{why} ({n} of {len(self.runs)} seeds)" for why, n in counts.items())
            for defense, counts in self.doubts.items()
            if defenses is None or defense in defenses
        )

    def network_notes(self) -> tuple[str, ...]:
        """Return a sentence for everything that people should know of a network."""
        found = (
            f"{title}: {note}."
            for defense, title in self.defenses.items()
            for run in self.runs
            for note in run.notes(defense)
        )
        return tuple(dict.fromkeys(found))

    # Curves ------------------------------------------------------------------

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """The swept attacks by label."""
        found = {}
        for label, title in self.has("curves").items():
            config = self.artifact(Role("curve", label, next(iter(self.defenses)))).recipe.config
            ((parameter, values),) = config["over"].items()
            made = self.first.curve(label, next(iter(self.defenses)))
            transfer = all(defense in made.tested for defense in self.defenses)
            found[label] = Curve(
                label,
                title,
                parameter,
                tuple(map(float, values)),
                config,
                transfer and len(self.defenses) > 1,
            )
        return found

    def curve_artifacts(self, curve: str) -> dict[str, Artifact]:
        """Return the artifacts of a swept attack on every model in every run."""
        return self.artifacts(*(Role("curve", curve, source) for source in self.defenses))

    def right(self, curve: str, source: str, tested: str) -> NDArray[np.bool_]:
        """Whether `tested` is right on the examples for `source`: (values, S, N)."""
        rows = []
        for run in self.runs:
            made = run.curve(curve, source)
            rows.append(made.tested[tested] == made.labels)
        return np.stack(rows, axis=1)

    def accuracy(self, curve: str, source: str, tested: str) -> list[Interval]:
        """Accuracy of `tested` on the examples for `source`, one a value."""
        key = (curve, source, tested)
        if key not in self._accuracies:
            self._accuracies[key] = [interval([right]) for right in self.right(*key)]
        return self._accuracies[key]

    @cached_property
    def _accuracies(self) -> dict[tuple[str, str, str], list[Interval]]:
        return {}

    def absence(self, defense: str, name: str) -> str | None:
        """Return why a run lacks a measure; "" where it is from before it was measured.

        None where every run has it.
        """
        lacking = [run.measures(defense) for run in self.runs]
        lacking = [measures for measures in lacking if name not in measures]
        reasons = dict.fromkeys(measures.absent.get(name, "") for measures in lacking)
        return "; ".join(filter(None, reasons)) if lacking else None

    def measure(self, defense: str, name: str) -> NDArray[Any]:
        """Return a measure stacked over the runs: (S, N, ...)."""
        return np.stack([run.measures(defense)[name] for run in self.runs])


class Study:
    """All runs of a report.

    Args:
        runs: the finished runs: every dataset with the same seeds.
        title: the experiment's, for readers.

    Raises:
        PlausiblyError: there is no run.
    """

    def __init__(self, runs: Sequence[Results], title: str) -> None:
        if not runs:
            raise PlausiblyError("there is no finished run to report on; run the experiment first")
        self.runs = list(runs)
        self.title = title
        self.datasets = [Dataset(seeds, title) for seeds in by_dataset(runs).values()]

    def __iter__(self) -> Iterator[Dataset]:
        return iter(self.datasets)

    @property
    def seeds(self) -> list[str]:
        """The seeds in words, once for all datasets that have the same."""
        return list(dict.fromkeys(", ".join(map(str, data.seeds)) for data in self))

    @property
    def stand_ins(self) -> str:
        """A sentence that names the data that stand in for the papers'; "" for none."""
        found = [f"{data.title} are {data.stand_in}" for data in self if data.stand_in]
        return f"{'; '.join(found)}." if found else ""

    @property
    def doubt_notes(self) -> list[str]:
        """A sentence for every doubted model, with its dataset."""
        return [f"{data.title}: {note}" for data in self for note in data.doubt_notes()]

    @property
    def doubt(self) -> str:
        """What the computed checks say, in a sentence."""
        if not all(data.judged for data in self):
            return (
                "Not checked: these runs were evaluated without a ladder of attacks. What looks "
                "robust here may be gradient masking or label leaking."
            )
        doubted = sum(len(data.doubts) for data in self)
        count = sum(len(data.defenses) for data in self)
        if not doubted:
            return f"None of {count} models failed a check for masking or label leaking."
        return (
            f"{doubted} of {count} models failed a check; they carry a sign wherever their "
            "robustness is shown."
        )

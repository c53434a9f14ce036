"""The runs of a report by dataset, and what every figure asks of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifacts import Artifact, Role
from engine.attacks import amount
from engine.errors import PlausiblyError
from engine.report.figure import number
from engine.report.rounding import ball_words, levels_of
from engine.results import Results, by_dataset, failures
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

    def said(self, value: float) -> str:
        """Return a value of the parameter in words; of an eps also the ball of 8-bit pixels."""
        if self.parameter == "eps":
            return ball_words({**self.config["attack"], "eps": value})
        return amount(value) if self.parameter == "step_size" else number(value)

    def levels(self, value: float) -> int | None:
        """Return how many of 255 levels a pixel may change; None where no eps of pixels says."""
        eps = value if self.parameter == "eps" else self.config["attack"].get("eps")
        return levels_of({**self.config["attack"], "eps": eps})


class Dataset:
    """One dataset of an experiment: the runs with every seed.

    Args:
        runs: of one dataset, one a seed, with the same defenses.
        experiment_title: for readers; the runs' titles end in it.

    Attributes:
        absent: labels of the models that are not among `defenses`, with the reason: of the whole,
            those that failed with a seed; see `having`.
    """

    def __init__(self, runs: Sequence[Results], experiment_title: str) -> None:
        self.runs = list(runs)
        self.first = self.runs[0]
        self._experiment_title = experiment_title
        titles: dict[str, str] = self.first.config["defenses"]
        reasons = {d: self._reason([run.absence(d) for run in self.runs]) for d in titles}
        self.absent = {d: reason for d, reason in reasons.items() if reason is not None}
        self.defenses = {d: title for d, title in titles.items() if d not in self.absent}
        """Titles by label, in the experiment's order, of the models that are there."""
        self._accuracies: dict[tuple[str, str, str], list[Interval]] = {}

    def having(self, roles: Callable[[str], Sequence[Role]]) -> Dataset:
        """Return the same with those models alone of which every run has the artifacts `roles`.

        A model of which one failed is among its `absent`; one that never was to have it is not.

        Args:
            roles: gives the roles of a model's artifacts, of its label.
        """
        part = copy(self)
        reasons = {
            d: self._reason([run.missing.get(r) for run in self.runs for r in roles(d)])
            for d in self.defenses
        }
        part.absent = self.absent | {d: why for d, why in reasons.items() if why is not None}
        part.defenses = {
            d: title
            for d, title in self.defenses.items()
            if all(run.has(role) for run in self.runs for role in roles(d))
        }
        return part

    @property
    def labels(self) -> list[str]:
        """Labels of all models of the experiment, also of those that failed, in its order."""
        return list(self.first.config["defenses"])

    def absence_notes(self) -> tuple[str, ...]:
        """Return a sentence that names the models that are not drawn since something failed.

        The reasons, which may be long, stand at the top of the page.
        """
        titles = self.first.config["defenses"]
        names = ", ".join(f"“{titles[defense]}”" for defense in self.absent)
        return (f"Not measured: {names}; the top of the page says why.",) if names else ()

    def reason(self, role: Role) -> str | None:
        """Return why a run lacks an artifact; None where none does."""
        return self._reason([run.missing.get(role) for run in self.runs])

    def _reason(self, found: Sequence[str | None]) -> str | None:
        """Return the reasons that runs, or a run's artifacts, give, each once; None for none."""
        reasons = dict.fromkeys(filter(None, found))
        return "; ".join(reasons) or None

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

    def has(self, noun: str) -> dict[str, str]:
        """Return the titles by label that every run has of `noun`; none where it is not known."""
        found = [dict(run.config.get(noun) or {}) for run in self.runs]
        return {label: title for label, title in found[0].items() if all(label in f for f in found)}

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
    def judged(self) -> list[str]:
        """Labels of the models whose robustness was checked on a ladder of attacks."""
        return [d for d in self.defenses if all("doubt" in each[d] for each in self.evaluations)]

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
            if defense in (self.defenses if defenses is None else defenses)
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
            there = self.of_curve(label).defenses
            if not there:
                continue
            source = next(iter(there))
            config = self.artifact(Role("curve", label, source)).recipe.config
            ((parameter, values),) = config["over"].items()
            made = self.first.curve(label, source)
            transfer = all(defense in made.tested for defense in there)
            found[label] = Curve(
                label,
                title,
                parameter,
                tuple(map(float, values)),
                config,
                transfer and len(there) > 1,
            )
        return found

    def of_curve(self, curve: str) -> Dataset:
        """Return the same with the models alone of which every run has this curve."""
        return self.having(lambda defense: [Role("curve", curve, defense)])

    def measured(self) -> Dataset:
        """Return the same with the models alone that were measured in every run."""
        return self.having(lambda defense: [Role("measures", defense)])

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
    def models(self) -> list[str]:
        """The models' titles, in the experiment's order, also of those that failed."""
        return list(self.datasets[0].first.config["defenses"].values())

    @property
    def missing(self) -> list[str]:
        """A sentence for every failure of a run: what is not there, and why."""
        several = len(self.runs) > 1
        return [
            f"{run.config['title']}: " * several + f"{failure.lost(run.config)} ({failure.reason})"
            for run in self.runs
            for failure in failures(run.missing)
        ]

    @property
    def stand_ins(self) -> str:
        """A sentence that names the data that stand in for the papers'; "" for none."""
        found = [f"{data.title}: {data.stand_in}" for data in self if data.stand_in]
        return f"{'; '.join(found)}." if found else ""

    @property
    def doubt_notes(self) -> list[str]:
        """A sentence for every doubted model, with its dataset."""
        return [f"{data.title}: {note}" for data in self for note in data.doubt_notes()]

    @property
    def doubt(self) -> str:
        """What the computed checks say, in a sentence."""
        count = sum(len(data.judged) for data in self)
        if not count:
            return (
                "Not checked: these runs were evaluated without a ladder of attacks. What looks "
                "robust here may be gradient masking, label leaking, or robust to one step only."
            )
        doubted = sum(len(data.doubts) for data in self)
        others = sum(len(data.first.config["defenses"]) for data in self) - count
        unchecked = f" {others} could not be checked." if others else ""
        if not doubted:
            return f"None of {count} models failed a check of its robustness.{unchecked}"
        return (
            f"{doubted} of {count} models failed a check; they carry a sign wherever their "
            f"robustness is shown.{unchecked}"
        )

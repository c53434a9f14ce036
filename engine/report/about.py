"""What a report is about: the data, the networks, how they were trained, and with what program.

All of it is read from what was written down when the experiment was run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine import datasets
from engine.artifacts import Artifact, Parent, Role
from engine.datasets import Publication
from engine.errors import ArtifactError, UsageError
from engine.jobs import model as model_kind
from engine.report.figure import Table, listed, table
from engine.report.runs import Dataset
from engine.results import Results

_UNKNOWN = "not recorded"
_USUAL_ADAM_EPS = 1e-8
_CLASSES_NAMED = 12
_HEADINGS = ("Model", "Network", "Weights", "Steps", "Batch", "Learning rate", "Defense")
_SPLITS = {"train": "training", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Trained:
    """How one model of one run was trained.

    Attributes:
        artifact: the model's.
        chosen: of a sweep, the value that was chosen and how many there were; "" for no sweep.
    """

    artifact: Artifact
    chosen: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """What the model's recipe says."""
        return self.artifact.recipe.config

    @property
    def schedule(self) -> dict[str, Any]:
        """Steps, batch size, learning rate; empty for a network that was not trained here."""
        return dict(self.config.get("training") or {})

    @property
    def network(self) -> str:
        """The network in words, with the steps before it."""
        architecture = self.config.get("architecture", {})
        name = str(architecture.get("module") or architecture.get("name", _UNKNOWN))
        before = [str(step["name"]) for step in architecture.get("preprocessing", [])]
        before += [str(step["name"]) for step in architecture.get("input_layers", [])]
        return f"{name} behind {listed(before)}" if before else name

    @property
    def defense(self) -> str:
        """The defense and its parameters in words, of a sweep what was chosen."""
        config = self.config.get("defense", {})
        words = " + ".join(_component(part) for part in config.get("parts", [config]))
        return f"{words}; {self.chosen}" if self.chosen else words


class About:
    """What is known of the data and the models of one dataset's runs."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    @property
    def publication(self) -> Publication:
        """Whether the data were as published: the first run's, which has the others' checksum."""
        return self.data.first.publication

    @cached_property
    def images(self) -> dict[str, int]:
        """How many images each split has, as far as it was recorded."""
        facts, evaluation = self.data.first.data_facts, self.data.first.evaluation()
        if facts is not None:
            return facts.images
        counts = evaluation.get("class_counts") or {"test": [int(evaluation["images"])]}
        return {split: sum(counts[split]) for split in _SPLITS if split in counts}

    @property
    def images_in_words(self) -> str:
        """The sizes of the splits."""
        sizes = [f"{self.images[split]} {name}" for split, name in _SPLITS.items()
                 if split in self.images]  # fmt: skip
        lacking = [name for split, name in _SPLITS.items() if split not in self.images]
        missing = f" ({listed(lacking)}: {_UNKNOWN})" if lacking else ""
        return f"{listed(sizes)} images{missing}"

    @property
    def named(self) -> str:
        """The dataset's name with the parameters that it was given."""
        config = dict(self.data.first.config["dataset"])
        return _component(config, underscores=True)

    @cached_property
    def trained(self) -> dict[str, list[Trained]]:
        """How every model was trained, by label, a run each."""
        return {
            defense: [_trained(run, defense) for run in self.data.runs]
            for defense in self.data.defenses
        }

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known of the data and of the program, as terms with their description."""
        first = self.data.first
        names = first.class_names
        shown = ", ".join(names[:_CLASSES_NAMED]) + ", …" * (len(names) > _CLASSES_NAMED)
        notes = [str(note).rstrip(".") for run in self.data.runs for note in run.config["notes"]]
        return [
            ("Dataset", f"{self.named}{_described(self.data.name)}"),
            ("Origin", _sentence(str(self.publication))),
            ("Checksum", first.data_sha256),
            ("Images", self.images_in_words + self._shape()),
            ("Classes", f"{len(names)}: {shown}"),
            ("Notes", "; ".join(dict.fromkeys(notes)) or "none"),
            ("Seeds", ", ".join(map(str, self.data.seeds))),
            ("Made with", "; ".join(self._programs())),
        ]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The models as a table to read, its headings first."""
        return [_HEADINGS, *(self._row(label, each) for label, each in self.trained.items())]

    @property
    def line(self) -> str:
        """The same in a line, for every figure."""
        every = [each for runs in self.trained.values() for each in runs]
        schedules = [each.schedule for each in every if each.schedule]
        steps = _range(schedule["steps"] for schedule in schedules)
        batch = _range(schedule["batch_size"] for schedule in schedules)
        networks = list(dict.fromkeys(each.network for each in every))
        train = f", {self.images['train']} training images" if "train" in self.images else ""
        trained = f", {steps} steps of {batch} images" if schedules else ""
        seeds = self.data.seeds
        return (
            f"{self.data.first.config['dataset']['name']} ({self.publication.words}){train}; "
            f"{listed(networks) if len(networks) < 4 else f'{len(networks)} networks'}{trained}; "
            f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        )

    @property
    def table(self) -> Table:
        """All of it in long form."""
        rows = [(self.data.label, "", name, value) for name, value in self.facts]
        for defense, cells in zip(self.trained, self.rows[1:], strict=True):
            rows += [
                (self.data.label, defense, heading, cell)
                for heading, cell in zip(_HEADINGS[1:], cells[1:], strict=True)
            ]
        columns = ("dataset", "defense", "what", "value")
        return table(f"about-{self.data.label}", columns, rows)

    def _shape(self) -> str:
        shapes = [each.config.get("shape") for runs in self.trained.values() for each in runs]
        found = next(filter(None, shapes), None)
        if found is None:
            return ""
        channels, height, width = found
        return f" of {height}×{width} pixels, {'grey' if channels == 1 else 'colour'}"

    def _row(self, defense: str, runs: Sequence[Trained]) -> tuple[str, ...]:
        return (
            self.data.defenses[defense],
            _each(each.network for each in runs),
            _each(_count(model_kind.weights(each.artifact)) for each in runs),
            _each(self._steps(run, each) for run, each in zip(self.data.runs, runs, strict=True)),
            _each(_number(each.schedule.get("batch_size")) for each in runs),
            _each(_rate(each.schedule) for each in runs),
            _each(each.defense for each in runs),
        )

    def _steps(self, run: Results, model: Trained) -> str:
        """Return the steps of a training, with those of the models that it required."""
        if not model.schedule:
            return "not trained here" if "training" in model.config else _UNKNOWN
        required = [
            f"{role} {_steps_of(run, parent)}"
            for role, parent in model.artifact.recipe.parents.items()
        ]
        return f"{model.schedule['steps']}" + (f" ({', '.join(required)})" if required else "")

    def _programs(self) -> list[str]:
        """Return the programs and machines that made the models, each combination once."""
        models = [each.artifact for runs in self.trained.values() for each in runs]
        made = [*models, *(run.index for run in self.data.runs)]
        return list(dict.fromkeys(_program(each.manifest["environment"]) for each in made))


def _trained(run: Results, defense: str) -> Trained:
    selection = None
    if Role("selection", defense) not in run.missing:
        selection = run.selection(defense)
    chosen = ""
    if selection is not None:
        chosen = f"{selection['chosen']:g} chosen of {len(selection['candidates'])}"
    return Trained(run.artifact(Role("model", defense)), chosen)


def _steps_of(run: Results, required: Parent) -> str:
    try:
        return str(run.store.parent(required).recipe.config["training"]["steps"])
    except ArtifactError:  # what came from elsewhere has the models that answer, and no teachers
        return "not here"


def _program(environment: Mapping[str, Any]) -> str:
    packages = environment.get("packages", {})
    revision = str(environment.get("revision") or "")
    known = [
        *(f"{name} {packages[name]}" for name in ("plausibly", "torch") if packages.get(name)),
        f"Python {environment['python']}" if "python" in environment else "",
        f"revision {revision[:12]}{'-dirty' * revision.endswith('-dirty')}" if revision else "",
        f"on {environment['device']}" if "device" in environment else "",
        str(environment.get("processor", "")),
    ]
    return ", ".join(filter(None, known))


def _described(name: str) -> str:
    """Return the first line of a dataset's description, where this program has the dataset."""
    try:
        about = (datasets.registry.get(name).__doc__ or "").splitlines()
    except UsageError:
        return ""
    return f": {about[0].rstrip('.')}" if about else ""


def _component(config: Mapping[str, Any], *, underscores: bool = False) -> str:
    """Return a component's name and parameters in words; those that are None say nothing."""
    if config == {"name": "none", "temperature": 1.0}:
        return "none"
    given = [f"{key} {_number(v)}" for key, v in config.items() if key != "name" and v is not None]
    words = ", ".join([str(config.get("name", _UNKNOWN)), *given])
    return words if underscores else words.replace("_", " ")


def _number(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")


def _rate(schedule: Mapping[str, Any]) -> str:
    if "lr" not in schedule:
        return "–"
    eps = schedule.get("adam_eps", _USUAL_ADAM_EPS)
    return _number(schedule["lr"]) + (f" (Adam’s ε {eps:g})" if eps != _USUAL_ADAM_EPS else "")


def _each(values: Iterable[str]) -> str:
    """Return what the runs have, each value once."""
    return "; ".join(dict.fromkeys(values))


def _range(values: Iterable[int]) -> str:
    found = sorted(set(values))
    return " to ".join(str(each) for each in dict.fromkeys((found[0], found[-1]))) if found else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]

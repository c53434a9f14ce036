"""Experiment files: what to train, attack and explain, in one YAML document.

Every error is found in one pass and named with its place. Validating a component imports it, and
with it torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, InstanceOf, WithJsonSchema, create_model
from pydantic import model_validator as whole

from engine import datasets, defenses, models
from engine.components import Component, Document, member, yaml_files
from engine.defenses import Defense
from engine.errors import UsageError
from engine.experiments import sweeps
from engine.experiments.sweeps import Derived, Sweep
from engine.jobs import Label, kinds
from engine.jobs.selection import SelectionSpec
from engine.training.loop import TrainingConfig

BUILT_IN = Path(__file__).parent
SomeDataset: TypeAlias = Annotated[
    datasets.Dataset, member(datasets.registry), WithJsonSchema({"member": "dataset"})
]
SomeArchitecture: TypeAlias = Annotated[
    models.Architecture, member(models.registry), WithJsonSchema({"member": "model"})
]


def _defense(value: Any) -> Any:
    if isinstance(value, Component | Sweep | Derived):
        return value
    try:
        return sweeps.read(value)
    except UsageError as error:
        raise ValueError(str(error)) from None


class DefendedModel(Document):
    """One model to train, or one to choose from a sweep.

    Attributes:
        title: its name for readers.
        defense: one defense, or a list that combines; a number in it may be a sweep or the value
            chosen in another (`engine.experiments.sweeps`).
        architecture: instead of the experiment's and the dataset's; a network of one's own
            (`external` with weights) is not trained, and its only defense is none.
        training: what differs from the experiment's schedule.
        required: what differs in the schedules of the models that the defense requires, by role:
            `{teacher: {steps: 10000}}`.
    """

    title: str
    defense: Annotated[
        InstanceOf[Defense] | InstanceOf[Sweep] | InstanceOf[Derived],
        BeforeValidator(_defense),
        WithJsonSchema({"member": "defenses"}),
    ]
    architecture: SomeArchitecture | None = None
    training: TrainingConfig = TrainingConfig()
    required: dict[str, TrainingConfig] = Field(default_factory=dict)

    @whole(mode="after")
    def _roles_exist(self) -> DefendedModel:
        defense = self.defense
        if isinstance(defense, Sweep):
            defense = defense.candidates()[0]
        if isinstance(defense, Defense):
            for problem in self.unknown_roles(defense):
                raise ValueError(problem)
        return self

    def unknown_roles(self, defense: Defense) -> list[str]:
        """Return a sentence for every role in `required` that `defense` does not have."""
        roles = defense.requires()
        known = ", ".join(sorted(roles)) or "none"
        return [
            f"required: the defense has no role {role!r}; it has: {known}"
            for role in self.required
            if role not in roles
        ]


class DatasetSpec(Document):
    """One of several datasets.

    Attributes:
        title: its name for readers.
        dataset: the component.
        architecture: instead of the experiment's.
        training: what differs from the experiment's schedule on this dataset.
    """

    title: str
    dataset: SomeDataset
    architecture: SomeArchitecture | None = None
    training: TrainingConfig = TrainingConfig()


class _Experiment(Document):
    name: Label
    title: str
    seed: int = Field(0, ge=0)
    dataset: SomeDataset | None = None
    datasets: dict[Label, DatasetSpec] = Field(default_factory=dict)
    architecture: SomeArchitecture
    training: TrainingConfig = TrainingConfig()
    defenses: dict[Label, DefendedModel] = Field(min_length=1)
    selection: SelectionSpec = SelectionSpec()

    @whole(mode="after")
    def _names_exist(self) -> _Experiment:
        problems = [
            *self._dataset_problems(),
            *self._derived_problems(),
            *self._architecture_problems(),
            *self._section_problems(),
            *self._reference_problems(),
        ]
        if problems:
            raise ValueError("\n".join(dict.fromkeys(problems)))
        return self

    @property
    def swept(self) -> list[str]:
        """Labels of the defenses with a sweep."""
        return [k for k, v in self.defenses.items() if isinstance(v.defense, Sweep)]

    def section(self, name: str) -> Any:
        """Return what the file says of a kind of artifact (`engine.jobs.Section`)."""
        return getattr(self, name)

    def on(self, labels: Sequence[str]) -> Experiment:
        """Return the experiment on these of its datasets alone, in the file's order.

        Names and keys are those that the whole experiment has there.

        Raises:
            UsageError: it has no such dataset, or one dataset only, which has no label.
        """
        if not self.datasets:
            raise UsageError(
                f"experiment {self.name!r} has one dataset, which has no label; leave --dataset out"
            )
        unknown = [label for label in labels if label not in self.datasets]
        if unknown:
            raise UsageError(
                f"experiment {self.name!r} has no dataset {unknown[0]!r}; it has: "
                f"{', '.join(self.datasets)}"
            )
        kept = {label: spec for label, spec in self.datasets.items() if label in labels}
        return self.model_copy(update={"datasets": kept})

    def _dataset_problems(self) -> Iterator[str]:
        if (self.dataset is None) == (not self.datasets):
            given = "neither" if self.dataset is None else "both"
            yield f"dataset: give either dataset or datasets, not {given}"

    def _derived_problems(self) -> Iterator[str]:
        for label, model in self.defenses.items():
            if not isinstance(model.defense, Derived):
                continue
            if model.defense.of not in self.swept:
                known = ", ".join(self.swept) or "none"
                yield (
                    f"defenses.{label}: {model.defense.of!r} is no defense with a sweep; "
                    f"those are: {known}"
                )
                continue
            source = self.defenses[model.defense.of].defense
            assert isinstance(source, Sweep)
            try:
                for value in source.values:
                    filled = model.defense.template.fill(value)
            except UsageError as error:
                yield f"defenses.{label}: {error}"
            else:
                yield from (f"defenses.{label}: {p}" for p in model.unknown_roles(filled))

    def _architecture_problems(self) -> Iterator[str]:
        for run in self.runs():
            for label, model in self.defenses.items():
                architecture = run.architecture(label)
                try:
                    architecture.check()
                except UsageError as error:
                    yield f"defenses.{label}: {error}"
                if architecture.pretrained and model.defense != defenses.create("none"):
                    yield (
                        f"defenses.{label}: a network with weights of its own is not trained; its "
                        "defense must be none"
                    )

    def _section_problems(self) -> Iterator[str]:
        for kind in kinds.having("problems").values():
            yield from kind.problems(self.section(kind.SECTION.name), self.runs())

    def _reference_problems(self) -> Iterator[str]:
        comparing = [
            kind
            for kind in kinds.having("NEEDS_REFERENCE").values()
            if self.section(kind.SECTION.name)
        ]
        reference = self.defenses.get(self.selection.reference)
        if (self.swept or comparing) and (
            reference is None or not isinstance(reference.defense, Defense)
        ):
            plain = [k for k, v in self.defenses.items() if isinstance(v.defense, Defense)]
            yield (
                f"selection.reference: {self.selection.reference!r} is no defense without a "
                f"sweep; those are: {', '.join(plain) or 'none'}"
            )

    def runs(self, seeds: int = 1) -> list[Run]:
        """Return one run a dataset and seed: `seed`, `seed` + 1 and so on."""
        if self.dataset is not None:
            given = {"": DatasetSpec(title=self.title, dataset=self.dataset)}
        else:
            given = self.datasets
        return [
            Run(self, label, spec, self.seed + offset)
            for offset in range(seeds)
            for label, spec in given.items()
        ]


def _fields() -> dict[str, Any]:
    """Return the fields that kinds of artifacts add to an experiment file.

    In the order in which people write them: attacks, what is measured, maps.
    """
    found: dict[str, Any] = {}
    having = kinds.having("SECTION").values()
    for kind in sorted(having, key=lambda each: ("attack", "measure", "explain").index(each.STAGE)):
        section = kind.SECTION
        default = Field(default_factory=dict) if section.labelled else section.default
        found[section.name] = (section.annotation, default)
    return found


if TYPE_CHECKING:
    Experiment: TypeAlias = _Experiment
else:
    Experiment = create_model(
        "Experiment",
        __base__=_Experiment,
        __module__=__name__,
        __doc__="""Datasets x defenses x seeds, with attacks and maps.

        Either `dataset`, or `datasets` by label. What else a file may ask for, attacks, maps and
        measurements, is declared by the kinds of artifacts (`engine.jobs`): a section each.
        `doubt: null` leaves the ladder out, `map_metrics: null` the metrics of maps.
        """,
        **_fields(),
    )


@dataclass(frozen=True)
class Run:
    """One dataset and one seed of an experiment.

    Attributes:
        experiment: the whole.
        label: the dataset's, or "" where there is one only.
        spec: the dataset, its title and what is its own.
        seed: decides weights, batches and attacks.
    """

    experiment: _Experiment
    label: str
    spec: DatasetSpec
    seed: int

    @property
    def name(self) -> str:
        """Unique in the store: the experiment's, the dataset's label, and a further seed."""
        dataset = f"_{self.label}" if self.label else ""
        return f"{self.experiment.name}{dataset}{self._further('_seed')}"

    @property
    def title(self) -> str:
        """For readers: what tells the runs apart comes first, since lists cut long names."""
        own = f"{self.spec.title}{self._further(', seed ')}"
        return f"{own}: {self.experiment.title}" if self.label else own

    def architecture(self, label: str) -> models.Architecture:
        """Return a model's architecture: its own, else the dataset's, else the experiment's."""
        own = self.experiment.defenses[label].architecture
        return own or self.spec.architecture or self.experiment.architecture

    def schedule(self, label: str, role: str | None = None) -> TrainingConfig:
        """Return a model's schedule, or that of the model it requires as `role`.

        The experiment's, changed by the dataset's, the model's and the role's.
        """
        model = self.experiment.defenses[label]
        changes = [self.spec.training, model.training]
        if role is not None and role in model.required:
            changes.append(model.required[role])
        config = self.experiment.training
        for change in changes:
            config = config.model_copy(update=change.model_dump(exclude_unset=True))
        return config

    @property
    def labels(self) -> list[str]:
        """The models' labels, in the file's order."""
        return list(self.experiment.defenses)

    @property
    def reference(self) -> str:
        """Label of the undefended model that others are compared with."""
        return self.experiment.selection.reference

    @property
    def is_further_seed(self) -> bool:
        """Whether the seed is another than the experiment's own."""
        return self.seed != self.experiment.seed

    def section(self, name: str) -> Any:
        """Return a section of the experiment file; see `engine.jobs.Section`."""
        return self.experiment.section(name)

    def keeps_weights(self, label: str) -> bool:
        """Say whether a model is trained here and keeps weights on the way."""
        return (
            self.schedule(label).keep_every is not None and not self.architecture(label).pretrained
        )

    def _further(self, before: str) -> str:
        return f"{before}{self.seed}" if self.is_further_seed else ""


def load(name_or_path: str) -> Experiment:
    """Read a built-in experiment by name, or a YAML file by path.

    Raises:
        UsageError: no such experiment, not YAML, or anything in it is wrong; the message lists
            every problem with its place.
    """
    return yaml_files.load(Experiment, name_or_path, "experiment", BUILT_IN)

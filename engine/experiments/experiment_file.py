"""Experiment files: what to train, attack and explain, in one YAML document.

Every error is found in one pass and named with its place. Validating a component imports it, and
with it torch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    InstanceOf,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic import model_validator as whole

from engine import attacks, datasets, defenses, models, saliency
from engine.attacks import TargetRule, vary
from engine.components import Component, Document, member, yaml_files
from engine.defenses import Defense
from engine.errors import UsageError
from engine.experiments import sweeps
from engine.experiments.sweeps import Derived, Sweep
from engine.preprocessing import Space
from engine.results import CLEAN
from engine.training.loop import TrainingConfig

BUILT_IN = Path(__file__).parent
_LABEL = r"^[a-z][a-z0-9_]*$"


def _free(label: str) -> str:
    if re.search(r"_seed\d+$", label):
        raise ValueError(f"the label {label!r} reads like a further seed; choose another")
    return label


Label = Annotated[str, Field(pattern=_LABEL, max_length=40), AfterValidator(_free)]
"""A short name that appears in columns and addresses."""


def _no_clean(label: str) -> str:
    if label == CLEAN:
        raise ValueError(
            f"an attack's label may not be {CLEAN!r}, which addresses and study files call the "
            "undisturbed image; choose another"
        )
    return label


AttackLabel = Annotated[Label, AfterValidator(_no_clean)]

SomeDataset: TypeAlias = Annotated[
    datasets.Dataset, member(datasets.registry), WithJsonSchema({"member": "dataset"})
]
SomeArchitecture: TypeAlias = Annotated[
    models.Architecture, member(models.registry), WithJsonSchema({"member": "model"})
]
SomeAttack: TypeAlias = Annotated[
    attacks.Attack, member(attacks.registry), WithJsonSchema({"member": "attack"})
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


class AttackSpec(Document):
    """One attack, made for every model.

    Attributes:
        title: its name for readers.
        attack: the component.
        target: which class a targeted one aims at; see `engine.attacks.choose_target`.
    """

    title: str
    attack: SomeAttack
    target: TargetRule = "next_class"


class GridSpec(Document):
    """A targeted attack with every class as the target, of some test images of every class.

    Attributes:
        title: its name for readers.
        attack: the component.
        per_class: how many images of each class, evenly spaced; all models see the same.
    """

    title: str
    attack: SomeAttack
    per_class: int = Field(5, ge=1)

    @field_validator("attack")
    @classmethod
    def _aims(cls, attack: attacks.Attack) -> attacks.Attack:
        if not attack.targeted or attack.control:
            raise ValueError(f"{attack.name} aims at no class; a grid needs a targeted attack")
        return attack


class MinimumNormSpec(Document):
    """The smallest disturbance that makes a model err, image by image.

    Attributes:
        title: its name for readers.
        attack: `minimum_norm` with its parameters.
        split: whose images.
        images: how many of them, evenly spaced; None means all.
    """

    title: str
    attack: SomeAttack
    split: str = Field("test", pattern="^(train|valid|test)$")
    images: int | None = Field(None, ge=1)

    @field_validator("attack")
    @classmethod
    def _smallest(cls, attack: attacks.Attack) -> attacks.Attack:
        if attack.name != "minimum_norm":
            raise ValueError(f"{attack.name} looks for no smallest disturbance; take minimum_norm")
        return attack


class Ladder(Document):
    """The ladder of attacks that every model's robustness is doubted by; see `engine.robustness`.

    Attributes:
        eps: L-inf, in pixels, ascending; the last should be 1, where every image is in reach.
        images: how many test images, evenly spaced.
        steps: PGD's.
        restarts: how often PGD starts, on each loss; once on scaled logits.
    """

    eps: list[Annotated[float, Field(gt=0, le=1)]] = Field([0.03, 0.1, 0.3, 1.0], min_length=1)
    images: int = Field(200, ge=1)
    steps: int = Field(20, ge=1)
    restarts: int = Field(3, ge=1)

    @field_validator("eps")
    @classmethod
    def _ascending(cls, eps: list[float]) -> list[float]:
        if eps != sorted(set(eps)):
            raise ValueError(f"must ascend, each once, not {eps}")
        return eps


class CurveSpec(Document):
    """Accuracy as one parameter of an attack grows, of every model on examples for every model.

    Attributes:
        title: its name for readers.
        attack: the component.
        over: the parameter and the values it takes, `{eps: [0, 0.1, 0.2]}`.
        target: which class a targeted one aims at.
        split: whose images are attacked.
        images: how many of them, evenly spaced; None means all.
        transfer: test every model on the examples; else only the one they were made for.
    """

    title: str
    attack: SomeAttack
    over: dict[str, list[float]] = Field(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    target: TargetRule = "next_class"
    split: str = Field("test", pattern="^(train|valid|test)$")
    images: int | None = Field(None, ge=1)
    transfer: bool = True

    @field_validator("over")
    @classmethod
    def _one_parameter(
        cls, over: dict[str, list[float]], info: ValidationInfo
    ) -> dict[str, list[float]]:
        if len(over) != 1 or not next(iter(over.values())):
            raise ValueError("takes one parameter with its values, as in {eps: [0, 0.1, 0.2]}")
        attack = info.data.get("attack")
        if attack is not None:
            for value in next(iter(over.values())):
                try:
                    vary(attack, next(iter(over)), value)
                except UsageError as error:
                    raise ValueError(str(error)) from None
        return over


class TrainingTime(Document):
    """Robustness against training time, of the models whose schedule has `keep_every`.

    Attributes:
        title: its name for readers.
        attack: made for every kept set of weights, and for the finished reference model.
        images: how many test images, evenly spaced; None means all.
    """

    title: str
    attack: SomeAttack
    images: int | None = Field(None, ge=1)


class Selection(Document):
    """How one model of a sweep is chosen, on the validation images.

    The best mean accuracy on FGSM examples *transferred from the reference model*, among the
    candidates whose clean accuracy is close to the reference's. Choosing by white-box accuracy
    would reward gradient masking; it is recorded beside.

    Attributes:
        reference: label of the undefended model.
        eps: FGSM's, whose accuracies are averaged.
        space: the space of eps; see `engine.attacks.GradientAttack`.
        clean_drop: how far below the reference's clean accuracy a candidate may be.
    """

    reference: Label = "none"
    eps: list[Annotated[float, Field(ge=0, le=1)]] = Field([0.1, 0.2, 0.3], min_length=1)
    space: Space = "pixels"
    clean_drop: float = Field(0.05, ge=0, le=1)


class SaliencySpec(Document):
    """One saliency method, computed for every model on clean images and on its own examples.

    Attributes:
        title: its name for readers.
        method: the component.
    """

    title: str
    method: Annotated[
        saliency.SaliencyMethod, member(saliency.registry), WithJsonSchema({"member": "saliency"})
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


class Experiment(Document):
    """Datasets x defenses x seeds, with attacks and maps.

    Either `dataset`, or `datasets` by label. `doubt: null` leaves the ladder out.
    """

    name: Label
    title: str
    seed: int = Field(0, ge=0)
    dataset: SomeDataset | None = None
    datasets: dict[Label, DatasetSpec] = Field(default_factory=dict)
    architecture: SomeArchitecture
    training: TrainingConfig = TrainingConfig()
    defenses: dict[Label, DefendedModel] = Field(min_length=1)
    selection: Selection = Selection()
    attacks: dict[AttackLabel, AttackSpec] = Field(min_length=1)
    curves: dict[Label, CurveSpec] = Field(default_factory=dict)
    training_time: TrainingTime | None = None
    minimum_norms: dict[Label, MinimumNormSpec] = Field(default_factory=dict)
    grids: dict[Label, GridSpec] = Field(default_factory=dict)
    doubt: Ladder | None = Ladder()
    saliency: dict[Label, SaliencySpec] = Field(default_factory=dict)

    @whole(mode="after")
    def _names_exist(self) -> Experiment:
        problems = []
        if (self.dataset is None) == (not self.datasets):
            given = "neither" if self.dataset is None else "both"
            problems.append(f"dataset: give either dataset or datasets, not {given}")
        swept = [k for k, v in self.defenses.items() if isinstance(v.defense, Sweep)]
        for label, model in self.defenses.items():
            if not isinstance(model.defense, Derived):
                continue
            if model.defense.of not in swept:
                known = ", ".join(swept) or "none"
                problems.append(
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
                problems.append(f"defenses.{label}: {error}")
            else:
                problems += [f"defenses.{label}: {p}" for p in model.unknown_roles(filled)]
        for run in self.runs():
            for label, model in self.defenses.items():
                architecture = run.architecture(label)
                try:
                    architecture.check()
                except UsageError as error:
                    problems.append(f"defenses.{label}: {error}")
                if architecture.pretrained and model.defense != defenses.create("none"):
                    problems.append(
                        f"defenses.{label}: a network with weights of its own is not trained; its "
                        "defense must be none"
                    )
        problems += self._training_time_problems()
        reference = self.defenses.get(self.selection.reference)
        if (swept or self.training_time) and (
            reference is None or not isinstance(reference.defense, Defense)
        ):
            plain = [k for k, v in self.defenses.items() if isinstance(v.defense, Defense)]
            problems.append(
                f"selection.reference: {self.selection.reference!r} is no defense without a "
                f"sweep; those are: {', '.join(plain) or 'none'}"
            )
        if problems:
            raise ValueError("\n".join(dict.fromkeys(problems)))
        return self

    def _training_time_problems(self) -> list[str]:
        """Return a sentence for what `training_time` asks for and no schedule keeps."""
        if self.training_time is None:
            return []
        keeping, problems = False, []
        for run in self.runs():
            for label in self.defenses:
                schedule = run.schedule(label)
                if schedule.keep_every is None or run.architecture(label).pretrained:
                    continue
                keeping = True
                if schedule.keep_every > schedule.steps:
                    problems.append(
                        f"defenses.{label}: keep_every {schedule.keep_every} is more than its "
                        f"{schedule.steps} steps, so that nothing is kept"
                    )
        if self.runs() and not keeping:
            problems.append(
                "training_time: no model has keep_every in its schedule; give it to those whose "
                "training is to be drawn"
            )
        return problems

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


@dataclass(frozen=True)
class Run:
    """One dataset and one seed of an experiment.

    Attributes:
        experiment: the whole.
        label: the dataset's, or "" where there is one only.
        spec: the dataset, its title and what is its own.
        seed: decides weights, batches and attacks.
    """

    experiment: Experiment
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

    def _further(self, before: str) -> str:
        return f"{before}{self.seed}" if self.seed != self.experiment.seed else ""


def load(name_or_path: str) -> Experiment:
    """Read a built-in experiment by name, or a YAML file by path.

    Raises:
        UsageError: no such experiment, not YAML, or anything in it is wrong; the message lists
            every problem with its place.
    """
    return yaml_files.load(Experiment, name_or_path, "experiment", BUILT_IN)

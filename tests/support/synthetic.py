"""A finished experiment written by hand: small arrays, no training, no torch.

It has what readers and studies look for: four defenses, an attack that hits everywhere, an attack
that moves nothing on the masked model, a control, and maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.artifacts import Artifact, ArtifactStore, Recipe, write_arrays, write_json
from engine.attacks import random_targets
from engine.datasets import spread
from engine.jobs import answers, evaluation, examples, maps, source
from engine.jobs import experiment as index
from engine.jobs.model import CURVE
from engine.results import WEIGHTS, Results
from engine.robustness.doubt import MASKED
from engine.saliency import Attribution, Fit, in_words

CLASSES = 10
IMAGES = 60
SIDE = 8
DEFENSES = {
    "none": "No defense",
    "gradient_penalty": "Gradient penalty",
    "adversarial_training": "Adversarial training",
    "distillation": "Distillation",
}
ATTACKS = {
    "fgsm": "FGSM",
    "tgsm": "Iterated TGSM",
    "pgd": "PGD, towards a random class",
    "noise": "Random signs",
}
COMPONENTS = {
    "fgsm": {"name": "fgsm", "eps": 0.2, "label": "true"},
    "tgsm": {"name": "tgsm", "steps": 10, "step_size": 0.1, "eps": None},
    "pgd": {"name": "pgd", "norm": "l2", "eps": 6.0, "label": "target"},
    "noise": {"name": "random_sign", "like": {"name": "pgd"}},
}
DATA_SHA256 = "d" * 64

PROTOCOLS_DEFENSES = {
    "none": "No defense",
    "gradient_penalty": "Gradient penalty",
    "distillation": "Distillation",
    "brief": "Briefly trained",
}
PROTOCOLS_ATTACKS = {
    "jsma": "JSMA",
    "tgsm": "Iterated TGSM",
    "pgd": "PGD, towards a random class",
    "toward_one": "Towards a random class",
    "toward_other": "Towards another random class",
    "noise": "Random signs",
    "permuted": "Permuted",
}
CONTROLS = ("noise", "permuted")
AT_RANDOM = {"pgd": 0, "noise": 0, "permuted": 0, "toward_one": 1, "toward_other": 2}
"""These aim at random classes and are as large on every model; those of one number at the same
classes. All others aim at the next class."""
ERRS = "brief"
"""This model labels every third clean image wrong."""


@dataclass(frozen=True)
class Method:
    """A further method, whose maps are random.

    Attributes:
        title: for readers.
        name: of the component; different for each of an experiment.
        native: channels, height and width of a map.
        fits: the verdict by defense, if it is not that the method fits.
        off: by how much every second map is off, by defense.
        sign: the largest value that a map has is 0 where it is -1.
        blank: the test images whose maps are zero.
        against: whether a second class is explained against.
    """

    title: str = "Grad-CAM"
    name: str = "grad_cam"
    native: tuple[int, int, int] = (1, 4, 4)
    fits: Mapping[str, Fit] = field(default_factory=dict)
    off: Mapping[str, float] = field(default_factory=dict)
    sign: int = 1
    blank: tuple[int, ...] = ()
    against: bool = False


def protocols(store: ArtifactStore) -> Results:
    """Write what stands for the experiment `protocols` and return how it is read."""
    return experiment(store, "protocols", PROTOCOLS_DEFENSES, PROTOCOLS_ATTACKS)


def experiment(
    store: ArtifactStore,
    name: str = "demo",
    defenses: dict[str, str] = DEFENSES,
    attacks: dict[str, str] = ATTACKS,
    some: Mapping[str, int] | None = None,
    methods: Mapping[str, Method] | None = None,
) -> Results:
    """Write the experiment and return how it is read.

    `some` says of how many images an attack's examples are, or a method's maps, if not of all.
    `methods` are further ones, by label.
    """
    taken = {k: spread(np.arange(IMAGES) % CLASSES, n) for k, n in (some or {}).items()}
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES, dtype=np.int64) % CLASSES
    clean = rng.integers(0, 256, (IMAGES, 1, SIDE, SIDE)).astype(np.uint8)
    facts = {"dataset": {"name": "digits"}, "seed": 0}
    images = _source(store, facts, clean, labels)
    parents = {"source": images.as_parent()}
    for number, defense in enumerate(defenses):
        model = _model(store, facts, defense)
        parents[f"model:{defense}"] = model.as_parent()
        made = {}
        before = (labels + 3 * (np.arange(IMAGES) % 3 == 0) * (defense == ERRS)) % CLASSES
        said = _answers(store, facts, model, images, before)
        parents[f"answers:{defense}"] = said.as_parent()
        for attack in attacks:
            shift = 20 + 40 * number * (attack not in AT_RANDOM)
            if (defense, attack) == ("distillation", "fgsm"):
                shift = 0
            own = (model, images, said)
            chosen = taken.get(attack, np.arange(IMAGES))
            made[attack] = _examples(store, facts, own, attack, clean, labels, shift, chosen)
            parents[f"examples:{defense}:{attack}"] = made[attack].as_parent()
        explained = _maps(
            store,
            facts,
            model,
            images,
            made,
            taken,
            zero=defense == "distillation",
            size=number + 1,
        )
        parents[f"maps:{defense}:input_gradient"] = explained.as_parent()
        for label, method in (methods or {}).items():
            own = _maps_by(store, facts, method, defense, (model, images), made, taken)
            parents[f"maps:{defense}:{label}"] = own.as_parent()
    parents["evaluation"] = _evaluation(store, facts, defenses, attacks, some or {}).as_parent()
    config = {
        **facts,
        "name": name,
        "title": "A synthetic experiment",
        "experiment": name,
        "dataset_label": "",
        "notes": [],
        "class_names": list("0123456789"),
        "defenses": [list(pair) for pair in defenses.items()],
        "attacks": [list(pair) for pair in attacks.items()],
        "curves": [],
        "saliency": [
            ["input_gradient", "Input gradient"],
            *([label, method.title] for label, method in (methods or {}).items()),
        ],
    }
    recipe = Recipe("experiment", config, parents, DATA_SHA256)
    with store.draft(recipe) as draft:
        write_json(draft / index.FILE, config)
    return Results(store, store.get("experiment", recipe.key))


def with_failures(store: ArtifactStore, model: str, missing: dict[str, str]) -> Results:
    """Write the experiment `partly`, of which all of a model failed, and other roles.

    Args:
        store: where.
        model: "label: sentence of the failure".
        missing: sentences by role.
    """
    whole = experiment(store, "partly")
    gone, _, sentence = model.partition(": ")
    lost = [role for role in whole.index.recipe.parents if role.split(":")[1:2] == [gone]]
    missing = {**missing, **dict.fromkeys(lost, sentence)}
    kept = {k: p for k, p in whole.index.recipe.parents.items() if k not in missing}
    result = whole.evaluation()
    del result["models"][gone]
    for attack, of_attack in result["examples"].items():
        for defense in DEFENSES:
            if f"examples:{defense}:{attack}" in missing:
                del of_attack[defense]
    recipe = Recipe("evaluation", {}, kept, DATA_SHA256)
    with store.draft(recipe) as draft:
        write_json(draft / evaluation.FILE, result)
    kept["evaluation"] = store.get("evaluation", recipe.key).as_parent()
    config = {**whole.index.recipe.config, "missing": missing}
    recipe = Recipe("experiment", config, kept, DATA_SHA256)
    with store.draft(recipe) as draft:
        write_json(draft / index.FILE, config)
    return Results(store, store.get("experiment", recipe.key))


def _model(store: ArtifactStore, facts: dict, defense: str) -> Artifact:
    recipe = Recipe("model", {**facts, "defense": {"name": defense}}, {}, DATA_SHA256)
    with store.draft(recipe) as draft:
        (draft / WEIGHTS).write_bytes(defense.encode())
        write_json(draft / CURVE, {"points": []})
    return store.get("model", recipe.key)


def _source(store: ArtifactStore, facts: dict, clean, labels) -> Artifact:
    recipe = Recipe("source", {"dataset": facts["dataset"]}, {}, DATA_SHA256, {"source": 1})
    with store.draft(recipe) as draft:
        source.write(draft, clean, labels)
    return store.get("source", recipe.key)


def _answers(store: ArtifactStore, facts: dict, model, images, before) -> Artifact:
    parents = {"model": model.as_parent(), "source": images.as_parent()}
    recipe = Recipe("answers", facts, parents, DATA_SHA256, {"answers": 1})
    confidence = np.linspace(0.5, 1, len(before), dtype=np.float32)
    with store.draft(recipe) as draft:
        write_arrays(draft / answers.FILE, {"label": before, "confidence": confidence})
    return store.get("answers", recipe.key)


def _examples(store, facts, own, attack, clean, labels, shift, chosen) -> Artifact:
    control = attack in CONTROLS
    component = COMPONENTS.get(attack, {"name": attack})
    config = {**facts, "attack": component, "control": control}
    parents = dict(zip(("model", "source", "answers"), (a.as_parent() for a in own), strict=True))
    recipe = Recipe("examples", config, parents, DATA_SHA256, {"examples": 2})
    pixels = (clean.astype(np.int64) ^ shift).astype(np.uint8)
    difference = np.abs(pixels.astype(np.int64) - clean).reshape(len(labels), -1)
    target = (labels + 1) % CLASSES
    if attack in AT_RANDOM:
        target = random_targets(labels, CLASSES, AT_RANDOM[attack])
    label = target if shift and not control else labels
    confidence = np.linspace(0.5, 1, len(labels), dtype=np.float32)
    with store.draft(recipe) as draft:
        arrays = {
            "pixels": pixels,
            "target": target if attack != "fgsm" else label,
            "label": label,
            "confidence": confidence,
            # Random signs fool it before rounding alone, every third image.
            "unrounded_label": np.where(control & (labels % 3 == 0), target, label),
            "linf": difference.max(1) / 255,
            "l2": np.sqrt(np.square(difference).sum(1)) / 255,
            "l0": (difference != 0).sum(1),
        }
        arrays = {name: array[chosen] for name, array in arrays.items()}
        if len(chosen) < IMAGES:
            arrays["indices"] = chosen
        write_arrays(draft / examples.FILE, arrays)
    return store.get("examples", recipe.key)


def _maps(store, facts, model, images, made, taken, *, zero: bool, size: int) -> Artifact:
    config = {
        **facts,
        "saliency": {"name": "input_gradient", "of": "sum_log_probabilities"},
        "explains": "true_label",
        "against": None,
        "baseline": None,
    }
    attacked = {f"examples:{attack}": made[attack].as_parent() for attack in made}
    parents = {"model": model.as_parent(), "source": images.as_parent(), **attacked}
    recipe = Recipe("maps", config, parents, DATA_SHA256, {"maps": 3})
    rng = np.random.default_rng(size)
    shape = (IMAGES, 1, SIDE, SIDE)
    with store.draft(recipe) as draft:
        values = {
            image: np.zeros(shape, np.float32)
            if zero
            else rng.normal(0, size, shape).astype(np.float32)
            for image in ("clean", *made)
        }
        everything = np.arange(IMAGES)
        own = taken.get("input_gradient", everything)
        indices = {image: np.intersect1d(own, taken.get(image, everything)) for image in values}
        nothing = np.full(IMAGES, -1)
        chosen = (
            (
                image,
                Attribution(values[image][rows]),
                {"class": nothing[rows], "against": nothing[rows]},
            )
            for image, rows in indices.items()
        )
        about = maps.About("gradient of Σₖ log pₖ", (SIDE, SIDE))
        maps.write(draft, about, chosen, indices, IMAGES)
    return store.get("maps", recipe.key)


def _maps_by(store, facts, method: Method, defense, own, made, taken) -> Artifact:
    model, images = own
    config = {
        **facts,
        "saliency": {"name": method.name, "layer": "last"},
        "explains": "predicted",
        "against": "true_label" if method.against else None,
        "baseline": "black" if method.off else None,
    }
    attacked = {f"examples:{attack}": made[attack].as_parent() for attack in made}
    parents = {"model": model.as_parent(), "source": images.as_parent(), **attacked}
    recipe = Recipe("maps", config, parents, DATA_SHA256, {"maps": 3})
    about = maps.About(
        "weighted activations of the last layer: where they are positive, they speak for it",
        (SIDE, SIDE),
        explains=in_words("predicted", config["against"], CLASSES),
        baseline=config["baseline"],
        fit=method.fits.get(defense, Fit()),
    )
    rng = np.random.default_rng(len(defense))
    labels = np.arange(IMAGES) % CLASSES
    upsampling = "none" if method.native[1:] == (SIDE, SIDE) else "bilinear"

    indices: dict = {}

    def drawn():
        for image in ("clean", *made):
            values = rng.normal(0, 1, (IMAGES, *method.native)).astype(np.float32)
            values = values if method.sign > 0 else -np.abs(values)
            values[list(method.blank)] = 0
            against = (labels + 1) % CLASSES if method.against else np.full(IMAGES, -1)
            known = {"class": labels, "against": against}
            if method.off:
                delta = np.where(np.arange(IMAGES) % 2, method.off.get(defense, 0.0), 0.01)
                known |= {"delta": delta, "steps": np.full(IMAGES, 50.0)}
            of = {n: a[taken.get(image, slice(None))] for n, a in known.items() if n == "delta"}
            rows = indices[image] = taken.get(image, np.arange(IMAGES))
            known = {name: array[rows] for name, array in known.items()}
            yield image, Attribution(values[rows], upsampling, of), known

    with store.draft(recipe) as draft:
        if about.fit.verdict == "refused":
            maps.write(draft, about, ())
        else:
            maps.write(draft, about, drawn(), indices, IMAGES)
    return store.get("maps", recipe.key)


def _evaluation(
    store: ArtifactStore, facts: dict, defenses: dict, attacks: dict, some: Mapping[str, int]
) -> Artifact:
    recipe = Recipe("evaluation", {**facts, "attacks": list(attacks)}, {}, DATA_SHA256)
    tested = {label: {"accuracy": 0.5, "hit": 0.5} for label in defenses}
    result = {
        "images": IMAGES,
        "models": {
            label: {
                "clean_accuracy": 0.98,
                "zero_gradient_share": float(label == "distillation"),
                "doubt": {
                    "reasons": [MASKED] if label == "distillation" else [],
                    "checks": [],
                },
            }
            for label in defenses
        },
        "examples": {
            attack: {
                source: {
                    **({"images": some[attack]} if attack in some else {}),
                    "tested": tested,
                    "rounded_away": 0,
                    "median_linf": 0.1,
                    "median_l2": 1.0,
                }
                for source in defenses
            }
            for attack in attacks
        },
    }
    with store.draft(recipe) as draft:
        write_json(draft / evaluation.FILE, result)
    return store.get("evaluation", recipe.key)

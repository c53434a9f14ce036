"""Finished runs with everything that a report can draw, written by hand: no training, no torch.

Examples, maps and curves have the layout of version 1, as runs have that were finished earlier;
with `old_doubt` ladders and checks have it too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.artifacts import ArtifactStore, Recipe, write_arrays, write_json
from engine.jobs import curve as curves
from engine.jobs import dataset as facts_kind
from engine.jobs import evaluation, examples, measures
from engine.jobs import experiment as indices
from engine.jobs import maps as saliency
from engine.results import Results

CLASSES = 3
IMAGES = 24
SIDE = 8
DEFENSES = {
    "none": "No defense",
    "distillation": "Distillation <T=50>",
    "penalty_loss": "Gradient penalty",
}
FGSM = (0.0, 0.1, 0.3, 0.5)
EPS = (0.05, 0.1, 0.2)
STEPS = (50, 100)
DATA_SHA256 = "d" * 64
_LOSS: dict[str, Any] = {
    "check": "cross-entropy keeps up",
    "reason": "a loss is weak here",
    "statement": "accuracy under PGD on the cross-entropy, how far above that on the logit margin",
    "limit": 0.05,
    "n": IMAGES,
    "smallest": 0.25,
}


def write(
    store: ArtifactStore,
    *,
    seed: int = 0,
    dataset: str = "digits",
    label: str = "",
    doubted: bool = True,
    everything: bool = True,
    state: str | None = None,
    old_doubt: bool = False,
) -> Results:
    """Write one run and return how it is read.

    Args:
        store: where.
        seed: decides its numbers.
        dataset: name of the dataset.
        label: the experiment's label of it.
        doubted: whether the distilled model failed a check in this run.
        everything: False leaves out what older runs do not have: grids, minimum norms, ladders and
            doubt, and with them sweeps, training time, curves and measures of features.
        state: whether the data were as published; None where that was not written down then.
        old_doubt: ladders without the later rungs, and checks that passed or failed and no more.
    """
    rng = np.random.default_rng([seed, len(dataset)])
    facts = {"dataset": {"name": dataset}, "seed": seed}
    labels = np.arange(IMAGES, dtype=np.int64) % CLASSES
    clean = np.random.default_rng(1).integers(0, 256, (IMAGES, 1, SIDE, SIDE)).astype(np.uint8)
    parents = {}

    def put(role: str, kind: str, config: dict[str, Any], **files: Any) -> None:
        recipe = Recipe(kind, {**facts, **config}, {}, DATA_SHA256)
        with store.draft(recipe, seed=seed) as draft:
            for name, content in files.items():
                if name == "json":
                    write_json(draft / evaluation.FILE, content)
                else:
                    write_arrays(draft / f"{name}.npz", content)
        parents[role] = store.get(kind, recipe.key).as_parent()

    def answers(accuracy: float, *shape: int) -> np.ndarray:
        right = rng.random((*shape, IMAGES)) < accuracy
        return np.where(right, labels, (labels + 1) % CLASSES)

    for place, defense in enumerate(DEFENSES):
        own = {"defense": {"name": defense}}
        architecture = {"name": "small_cnn", "preprocessing": []}
        put(f"model:{defense}", "model", {**own, "architecture": architecture}, json={})
        put(
            f"examples:{defense}:tgsm",
            "examples",
            {**own, "attack": {"name": "tgsm", "steps": 10}},
            **{
                examples.FILE.removesuffix(".npz"): {
                    "clean": clean,
                    "pixels": clean ^ np.uint8(20),
                    "true_label": labels,
                    "target": (labels + 1) % CLASSES,
                    "before_label": answers(0.95),
                    "before_confidence": np.ones(IMAGES, np.float32),
                    "label": answers(0.3),
                    "confidence": np.ones(IMAGES, np.float32),
                    "unrounded_label": labels,
                    "linf": np.full(IMAGES, 0.1),
                    "l2": np.full(IMAGES, 0.5),
                    "l0": np.full(IMAGES, 5),
                }
            },
        )
        zero = defense == "distillation"
        maps = rng.normal(0, place + 1.0, (IMAGES, 1, SIDE, SIDE)).astype(np.float32)
        put(
            f"maps:{defense}:input_gradient",
            "maps",
            {**own, "saliency": {"name": "input_gradient"}},
            json={"quantity": "gradient of Σₖ log pₖ"},
            **{saliency.OLD_FILE.removesuffix(".npz"): {"clean": maps * (not zero)}},
        )
        logits = rng.normal(0, 3 + 30 * zero, (IMAGES, CLASSES))
        norms = 10 ** rng.normal(0, 1, (IMAGES, CLASSES))
        norms[np.arange(IMAGES), labels] *= 1 - zero * (rng.random(IMAGES) < 0.9)
        features = {
            "singular_values_train": np.sort(rng.random(6))[::-1],
            "singular_values_test": np.sort(rng.random(6))[::-1],
            "margins_train": rng.normal(1, 0.3, IMAGES),
            "margins_test": rng.normal(0.8, 0.3, IMAGES),
        }
        put(
            f"measures:{defense}",
            "measures",
            own,
            **{
                measures.FILE.removesuffix(".npz"): {
                    "labels": labels,
                    "log_probabilities": logits - np.log(np.exp(logits).sum(1, keepdims=True)),
                    "gradient_norms": norms,
                    "zero_gradient": norms[np.arange(IMAGES), labels] == 0,
                    "smoothness": rng.random(IMAGES),
                    **(features if everything else {}),
                }
            },
        )
        if not everything:
            continue
        fgsm = {"name": "fgsm", "label": "true", "space": "pixels"}
        pgd = {"name": "pgd", "norm": "linf"}
        for curve, attack, over, tested in (
            ("fgsm", fgsm, {"eps": list(FGSM)}, list(DEFENSES)),
            ("linf_test", pgd, {"eps": list(EPS)}, [defense]),
            ("small_steps", pgd, {"step_size": [0.001, 0.004]}, [defense]),
        ):
            (values,) = over.values()
            predictions = {
                other: np.stack([answers(0.95 - value) for value in values]) for other in tested
            }
            put(
                f"curve:{curve}:{defense}",
                "curve",
                {**own, "attack": attack, "over": over, "split": "test", "images": None},
                **{curves.FILE.removesuffix(".npz"): {"labels": labels, **predictions}},
            )
        norm = np.abs(rng.normal(0.1 * (place + 1), 0.05, IMAGES))
        norm[0], norm[1] = 0, np.inf
        put(
            f"minimum_norm:smallest:{defense}",
            "minimum_norm",
            {**own, "attack": {"name": "minimum_norm", "norm": "linf"}, "split": "test"},
            minimum_norm={"labels": labels, "norm": norm, "rounded_away": norm < 0.02},
        )
        taken = np.where(rng.random((6, CLASSES)) < 0.6, np.arange(CLASSES), 0)
        true = np.repeat(np.arange(CLASSES), 2)
        taken[np.arange(6), true] = true
        put(
            f"grid:jsma:{defense}",
            "grid",
            {**own, "attack": {"name": "jsma", "theta": 1.0}, "per_class": 2},
            grid={
                "clean": clean[:6],
                "true_label": true,
                "pixels": np.repeat(clean[:6, None], CLASSES, axis=1),
                "label": taken,
                "confidence": np.full((6, CLASSES), 0.9, np.float32),
                "linf": np.full((6, CLASSES), 1.0),
                "l2": np.full((6, CLASSES), 2.0),
                "l0": np.full((6, CLASSES), 9),
            },
        )
        rungs = ("noise", "fgsm", "fgsm_predicted", "cross_entropy", "margin", "scaled")
        others = [o for o in DEFENSES if o != defense]
        later = {
            **{rung: answers(0.3, len(EPS)) for rung in ("converged", "strong", "square")},
            "strong_float": answers(0.25, len(EPS)),
            "random": np.zeros(IMAGES, dtype=bool),
            "draws": np.array(1),
            **{f"pgd_transferred_{o}": answers(0.6, len(EPS)) for o in others},
        }
        effort = {"queries": 500, "strong": {"name": "worst_case", "attacks": [{"name": "pgd"}]}}
        put(
            f"ladder:{defense}",
            "ladder",
            {
                **own,
                "eps": list(EPS),
                "images": IMAGES,
                "steps": 20,
                "restarts": 3,
                **({} if old_doubt else effort),
            },
            ladder={
                "eps": np.array(EPS),
                "labels": labels,
                "clean": labels,
                **{rung: answers(0.9 - 0.1 * i, len(EPS)) for i, rung in enumerate(rungs)},
                **{f"transferred_{o}": answers(0.7, len(EPS)) for o in others},
                **({} if old_doubt else later),
            },
        )
        put(
            f"training_time:{defense}",
            "training_time",
            {**own, "attack": {**fgsm, "eps": 0.1}},
            **{
                curves.FILE.removesuffix(".npz"): {
                    "steps": np.array(STEPS),
                    "labels": labels,
                    "valid_labels": labels,
                    "valid_white_box": answers(0.4, len(STEPS)),
                    **{
                        name: answers(share, len(STEPS))
                        for name, share in (
                            ("clean", 0.95), ("white_box", 0.4), ("transferred", 0.6)
                        )
                    },
                }
            },
        )  # fmt: skip
    if everything:
        row = {"clean": 0.9, "transferred": 0.8, "white_box": 0.4 + seed / 10, "allowed": True}
        put(
            "selection:penalty_loss",
            "selection",
            {"parameter": "strength"},
            json={
                "chosen": 1.0,
                "clean_floor": 0.9,
                "candidates": [
                    {"value": 0.1, **row},
                    {"value": 1.0, **row},
                    {"value": 10.0, "diverged": "training diverged"},
                ],
            },
        )
    if state is not None:
        recipe = facts_kind.recipe(facts["dataset"], DATA_SHA256)
        with store.draft(recipe) as draft:
            known = {"state": state, "reason": f"made up to be {state}"}
            images = {"train": 360, "valid": 36, "test": IMAGES}
            notes = ["skipped 2 files"]
            content = {"publication": known, "images": images, "notes": notes}
            write_json(draft / facts_kind.FILE, content)
    put(
        "evaluation",
        "evaluation",
        {},
        json=_evaluation(doubted=doubted, judged=everything, old=old_doubt),
    )
    index = {
        **facts,
        "name": f"made_up{'_' * bool(label)}{label}" + (f"_seed{seed}" if seed else ""),
        "title": (f"Made-up {label}" if label else "Made up")
        + (f", seed {seed}" if seed else "")
        + (": Made up" if label else ""),
        "experiment": "made_up",
        "dataset_label": label,
        "notes": [],
        "class_names": ["a", "b", "c"],
        "defenses": [list(pair) for pair in DEFENSES.items()],
        "attacks": [["tgsm", "Iterated TGSM"]],
        "curves": [["fgsm", "FGSM"], ["linf_test", "PGD, L∞"], ["small_steps", "Small steps"]]
        if everything
        else [],
        "minimum_norms": [["smallest", "Smallest L∞"]] if everything else [],
        "grids": [["jsma", "JSMA"]] if everything else [],
        "saliency": [["input_gradient", "Input gradient"]],
    }
    recipe = Recipe("experiment", index, parents, DATA_SHA256)
    with store.draft(recipe) as draft:
        write_json(draft / indices.FILE, index)
    return Results(store, store.get("experiment", recipe.key))


def _evaluation(*, doubted: bool, judged: bool, old: bool) -> dict[str, Any]:
    models = {}
    for defense in DEFENSES:
        failed = doubted and defense == "distillation"
        measured = (0.9, 0.8, 0.95) if failed else (0.0, 0.0, 0.1)
        check = {
            "check": "zero gradients",
            "reason": "gradients likely masked",
            "statement": "share of images whose true-label gradient is exactly zero",
            **dict(zip(("value", "low", "high"), measured, strict=True)),
            "limit": 0.5,
        }
        now = {"state": "failed" if failed else "passed", "eps": None, "n": IMAGES, "why": ""}
        checks = [check | ({"passed": not failed} if old else {**now, "smallest": 0.55})]
        if not old:
            noted = {"value": 0.2, "low": 0.1, "high": 0.3, "eps": 0.1}
            checks += [
                {
                    **_LOSS,
                    **(noted if failed else dict.fromkeys(noted)),
                    "state": "noted" if failed else "skipped",
                    "why": "the margin counts" if failed else "at every ε both are at chance",
                }
            ]
        reasons = [check["reason"]] if failed else []
        notes = {} if old else {"notes": [_LOSS["reason"]] if failed else []}
        doubt = {"doubt": {"reasons": reasons, **notes, "checks": checks}} if judged else {}
        models[defense] = {"clean_accuracy": 0.95, "zero_gradient_share": 0.0, **doubt}
    counts = {"train": [300, 20, 40], "valid": [30, 2, 4], "test": [IMAGES // CLASSES] * CLASSES}
    known = {"class_counts": counts} if judged else {}
    return {"images": IMAGES, "models": models, "examples": {}, **known}

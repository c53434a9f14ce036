"""Maps know what they explain, from which baseline, and whether the method applies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tiny_run import InThisProcess, Log, experiment
from torch.nn import functional as F

from engine import saliency
from engine.artifacts import ArtifactStore, Recipe
from engine.experiments import plan
from engine.jobs import making, maps
from engine.results import Results
from engine.saliency import Fit, Reason, SaliencyMethod, baseline_images, chosen, upsampled
from engine.saliency._explained import Explained

PLAIN = {"none": {"title": "No defense", "defense": "none"}}


@pytest.fixture
def coarse(monkeypatch):
    """A method whose maps are 4x4, relative to a baseline, and add up for every second image."""

    class Coarse(SaliencyMethod):
        uses_baseline = True
        complete = True
        refuses: bool = False

        def quantity(self, of):
            return f"mean difference to the baseline, of {of}: where positive, brighter than it"

        def unfit(self, structure):
            return [Reason("never", "it applies to nothing")] if self.refuses else []

        def explain(self, batch):
            found = F.avg_pool2d((batch.x - batch.baseline).sum(1, keepdim=True), 7)
            delta = (batch.classes % 2).double()
            return Explained(found, "bilinear", {"delta": delta})

    Coarse.name, Coarse.noun = "coarse", "saliency"
    monkeypatch.setitem(saliency.registry._members, "coarse", Coarse)
    return "coarse"


def ran(folder, section, **changes):
    store = ArtifactStore(folder / "artifacts")
    asked = experiment(
        dataset="digits:3,8", defenses=PLAIN, doubt=None, saliency=section, **changes
    )
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


def test_maps_are_stored_as_their_method_gives_them_and_read_at_the_images_size(tmp_path, coarse):
    found = ran(tmp_path, {"c": {"title": "C", "method": coarse, "images": 20}})
    # Two baselines unless the file says otherwise: strokes on black get no credit from one alone.
    assert found.config["saliency"] == {"c_black": "C, from black", "c_mean": "C, from mean"}
    black, mean = (found.maps("none", f"c_{name}") for name in ("black", "mean"))
    assert (black.about.baseline, mean.about.baseline) == ("black", "mean")
    assert black.native("clean", black.indices("clean")[0]).shape == (1, 4, 4)
    index = int(black.indices("fgsm")[3])
    whole = black.map("fgsm", index)
    assert whole.shape == (1, 28, 28)
    assert np.array_equal(whole, black.all("fgsm")[3])
    assert black.summary("fgsm").largest[3] == pytest.approx(np.abs(whole).max())
    data = found.source.pixels
    rest = black.native("clean", index) - mean.native("clean", index)
    # The mean is that of the training images, not of these.
    assert np.ptp(rest) < 1e-5
    assert abs(rest.mean() - data.mean() / 255) < 0.02


def test_what_is_explained_is_stored_for_each_map(tmp_path, coarse):
    section = {
        "true": {"title": "A", "method": coarse, "baselines": ["black"]},
        "aim": {"title": "B", "method": coarse, "baselines": ["white"], "explains": "target"},
    }
    found = ran(tmp_path, section)
    labels = found.source.labels
    true, aim = found.maps("none", "true"), found.maps("none", "aim")
    # Two classes: what a network says is the difference of its logits.
    assert true.about.explains == "the logit of the true label minus that of the other class"
    assert true.quantity.startswith(f"mean difference to the baseline, of {true.about.explains}")
    assert np.array_equal(true.facts("clean")["class"], labels)
    assert np.array_equal(true.facts("clean")["against"], 1 - labels)
    made, before = found.examples("none", "fgsm"), found.answers("none")
    assert np.array_equal(aim.facts("fgsm")["class"], made.target)
    assert np.array_equal(aim.facts("clean")["class"], 1 - before.label)  # the runner-up
    # Maps that do not add up are marked, each, and the whole says how many.
    assert np.array_equal(true.marked("clean"), labels == 1)
    (reason,) = true.fit.reasons
    assert (true.fit.verdict, reason.code) == ("doubtful", "incomplete")
    assert reason.says.startswith(f"{2 * (labels == 1).sum()} of {2 * len(labels)} maps do not add")


def test_a_method_that_does_not_apply_draws_nothing_and_says_why(tmp_path, coarse):
    method = {"name": coarse, "refuses": True}
    section = {"c": {"title": "C", "method": method, "baselines": ["black"]}}
    found = ran(tmp_path, section).maps("none", "c")
    assert found.fit == Fit((Reason("never", "it applies to nothing"),))
    assert (found.fit.verdict, found.images) == ("refused", ())
    assert not len(found.indices("clean"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"baselines": ["black"]}, "'input_gradient' uses no baseline; leave them out"),
        ({"explains": "predicted"}, "'input_gradient' as it is set explains no class"),
        ({"against": "true_label"}, "explains and against are both 'true_label'"),
        ({"explains": True}, "Input should be 'true_label'"),
    ],
)
def test_a_file_that_asks_for_what_there_is_not_is_refused(spec, said):
    with pytest.raises(ValidationError, match=said):
        experiment(saliency={"g": {"title": "G", "method": "input_gradient", **spec}})


def test_labels_of_several_baselines_do_not_collide(coarse):
    section = {
        "c": {"title": "C", "method": coarse},
        "c_black": {"title": "D", "method": "input_gradient"},
    }
    with pytest.raises(ValidationError, match="'c_black' is there twice: 'c' is made from each"):
        experiment(saliency=section)
    long = {"c" * 38: {"title": "C", "method": coarse}}
    with pytest.raises(ValidationError, match="is longer than 40 characters"):
        experiment(saliency=long)


def test_the_layouts_of_before_are_made_again_as_they_were(tmp_path):
    method = {"name": "input_gradient", "of": "log_probability"}
    found = ran(tmp_path, {"g": {"title": "G", "method": method, "images": 30}})
    now = found.maps("none", "g")
    recipe = now.artifact.recipe
    config = {
        k: v for k, v in recipe.config.items() if k not in ("explains", "against", "baseline")
    }
    before = Recipe("maps", config, recipe.parents, recipe.data_sha256, {"maps": 2, "saliency": 1})
    old = making.run(before, found.store, lambda _values: None)
    told = old.json(maps.ABOUT)
    assert sorted(told) == ["images", "quantity"]
    assert told["quantity"].startswith("gradient of the true label's log-probability log p(y): ")
    names = ["scale", "model_scale", "largest", "strength", "zero_share", "blank", "indices"]
    assert list(old.arrays(maps.SUMMARY)) == [f"{n}/{i}" for i in ("clean", "fgsm") for n in names]
    read = Results(found.store, found.index)._reader.read(old)
    # With two classes what is explained now is the difference, which then was one class.
    assert read.images == now.images
    assert read.fit.verdict == "fits"
    assert np.array_equal(read.indices("fgsm"), now.indices("fgsm"))
    assert read.summary("clean").negative is None


LOGITS = np.array([[3, 2, 1], [0, 5, 4], [1, 1, 9]], np.float32)
LABELS = np.array([0, 2, 1])


@pytest.mark.parametrize(
    ("rule", "against", "aims", "classes", "other"),
    [
        ("true_label", None, None, [0, 2, 1], None),
        ("predicted", None, None, [0, 1, 2], None),
        ("runner_up", None, None, [1, 2, 0], None),
        ("target", None, [2, 0, 0], [2, 0, 0], None),
        ("target", None, None, [1, 2, 0], None),
        ("predicted", "true_label", None, [0, 1, 2], [1, 2, 1]),
        ("target", "true_label", [2, 0, 1], [2, 0, 1], [0, 2, 2]),
    ],
)
def test_rules_choose_the_classes(rule, against, aims, classes, other):
    aims = None if aims is None else np.array(aims)
    target = chosen(rule, against, labels=LABELS, logits=LOGITS, aims=aims)
    assert target.classes.tolist() == classes
    assert (target.against is None) == (other is None)
    # Where both rules give one class it is explained against the likeliest other.
    assert other is None or target.against.tolist() == other


@pytest.mark.parametrize("rule", ["bilinear", "nearest"])
@pytest.mark.parametrize("small", [(7, 7), (3, 5), (1, 2)])
def test_upsampling_is_pytorchs(rule, small):
    maps_ = np.random.default_rng(0).normal(size=(2, 3, *small)).astype(np.float32)
    options = {"align_corners": False} if rule == "bilinear" else {}
    wanted = F.interpolate(torch.from_numpy(maps_), (28, 30), mode=rule, **options).numpy()
    if rule == "nearest":  # a cell's edge may fall on a pixel's middle
        rows = (np.arange(28) + 0.5) * small[0] // 28
        columns = (np.arange(30) + 0.5) * small[1] // 30
        wanted = maps_[:, :, rows.astype(int)][:, :, :, columns.astype(int)]
    assert np.allclose(upsampled(maps_, (28, 30), rule), wanted, atol=1e-6)
    assert upsampled(maps_, small, "none") is maps_
    with pytest.raises(ValueError, match="without upsampling"):
        upsampled(maps_, (28, 30), "none")


def test_baselines_are_what_their_names_say():
    images = np.random.default_rng(1).random((3, 2, 8, 8), np.float32)
    mean, own = np.array([0.25, 0.5], np.float32), np.array([7, 8, 9])
    made = {name: baseline_images(name, images, mean, own) for name in saliency.BASELINES}
    assert all(each.shape == images.shape and each.dtype == np.float32 for each in made.values())
    assert all(each.min() >= 0 and each.max() <= 1 for each in made.values())
    assert not made["black"].any()
    assert (made["white"] == 1).all()
    assert (made["mean"][:, 1] == 0.5).all()
    assert np.ptp(made["blurred"]) < np.ptp(images) / 2
    assert np.allclose(made["blurred"].mean((2, 3)), images.mean((2, 3)), atol=0.05)
    # Noise belongs to its image, whichever others there are.
    alone = baseline_images("noise", images[1:2], mean, own[1:2])
    assert np.array_equal(alone[0], made["noise"][1])

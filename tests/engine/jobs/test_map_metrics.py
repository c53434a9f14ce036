"""Metrics are made of stored maps, with the null maps' numbers beside, and apart from the maps."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from tiny_run import InThisProcess, Log, experiment

from engine import metrics
from engine.artifacts import ArtifactStore
from engine.errors import UsageError
from engine.experiments import plan
from engine.metrics import Given
from engine.rendering import to_images
from engine.results import Results, Role, naming
from engine.saliency import Reason, laplacian_of_gaussian
from engine.saliency.input_gradient import InputGradient

METHODS = {
    "paper": {"title": "Input gradient", "method": "input_gradient"},
    "of_log_p": {
        "title": "Of log p",
        "method": {"name": "input_gradient", "of": "log_probability"},
        "explains": "predicted",
        "images": 30,
    },
}
NETWORK = {"name": "small_cnn", "channels": (4, 8), "hidden": 32}
MODEL = {"none": {"title": "No defense", "defense": "none"}}


def _experiment(**changes):
    given = {
        "dataset": "digits:3,8",
        "architecture": NETWORK,
        "defenses": MODEL,
        "doubt": None,
        "saliency": METHODS,
        "map_metrics": {"images": 12},
    }
    return experiment(**{**given, **changes})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("metrics") / "artifacts")
    (index,) = plan.run(_experiment(), store, Log(), InThisProcess(store))
    return Results(store, index)


def test_every_metric_has_a_number_or_a_reason_for_maps_and_null_maps(run):
    found = run.map_metrics("none", "of_log_p")
    assert found.absent is None
    assert found.images == ("clean", "fgsm")
    assert found.metrics == tuple(metrics.registry.names())
    for metric in found.metrics:
        assert found.spec(metric).says
        for image in found.images:
            assert len(found.indices(image)) == 12
            for which in (None, *metrics.NULLS):
                values = found.null(metric, image, which) if which else found.values(metric, image)
                why = found.reason(metric, image, which)
                assert np.array_equal(np.isnan(values), why != "")
    assert set(found.reason("agreement", "clean")) == {"no_clean"}
    assert (found.reason("agreement", "fgsm") == "").all()
    assert set(found.reason("max_sensitivity", "clean", "random")) == {"no_method"}
    assert np.allclose(found.null("randomisation", "fgsm", "edges"), 1)
    assert np.abs(found.null("agreement", "fgsm", "random")).mean() < 0.6


def test_they_are_those_of_the_stored_maps(run):
    found, stored = run.map_metrics("none", "of_log_p"), run.maps("none", "of_log_p")
    for image, pixels in (
        ("clean", run.source.pixels),
        ("fgsm", run.examples("none", "fgsm").pixels),
    ):
        indices = found.indices(image)
        given = Given(
            np.stack([stored.map(image, int(index)) for index in indices]),
            to_images(pixels[indices]),
            clean=np.stack([stored.map("clean", int(index)) for index in indices]),
        )
        for name in ("sparseness", "edge_alignment", "stroke_mass"):
            expected = metrics.create(name).measure(given).values
            assert np.allclose(found.values(name, image), expected)
    agreement = metrics.create("agreement").measure(given).values
    assert np.array_equal(found.values("agreement", "fgsm"), agreement)
    edges = metrics.create("sparseness").measure(
        Given(laplacian_of_gaussian(given.images), given.images)
    )
    assert np.array_equal(found.null("sparseness", "fgsm", "edges"), edges.values)


def test_maps_are_made_again_with_what_they_were_made_with(run):
    """Without a disturbance nothing moves: same targets, seeds and baselines as stored."""
    still = _experiment(map_metrics={"metrics": [{"name": "max_sensitivity", "radius": 1e-9}]})
    log = Log()
    (index,) = plan.run(still, run.store, log, InThisProcess(run.store))
    assert {name.split(" by ")[0] for name in log.made} <= {
        "measure the maps paper of none",
        "measure the maps of_log_p of none",
        "index",
    }
    for method in METHODS:
        found = Results(run.store, index).map_metrics("none", method)
        assert found.metrics == ("max_sensitivity",)
        for image in found.images:
            values = found.values("max_sensitivity", image)
            # All but maps at a kink, where two pixels of a pool were equal.
            assert (values[~np.isnan(values)] < 1e-4).mean() > 0.8
            # On 20 of the images, on all where there are fewer.
            assert (found.reason("max_sensitivity", image) == "").sum() == 20
            assert set(found.reason("max_sensitivity", image)) == {"", "not_asked"}


def test_they_have_a_name_in_messages(run):
    said = naming.in_words(Role("map_metrics", "none", "paper"), run.config)
    assert said == "the metrics of the maps “Input gradient” of “No defense”"


def test_maps_that_explain_no_class_are_compared_with_no_answer(run):
    found = run.map_metrics("none", "paper")
    assert set(found.reason("infidelity", "clean")) == {"no_class"}
    assert (found.reason("deletion", "clean") == "").all()


def test_where_the_method_does_not_apply_the_reason_is_kept(run, monkeypatch):
    reason = Reason("no_relu_modules", "the network has no ReLU modules")
    monkeypatch.setattr(InputGradient, "unfit", lambda self, structure: [reason])
    store = run.store
    other = _experiment(name="other", seed=1, attacks={}, map_metrics={"images": 3})
    (index,) = plan.run(other, store, Log(), InThisProcess(store))
    found = Results(store, index).map_metrics("none", "paper")
    assert found.images == ()
    assert found.metrics == tuple(metrics.registry.names())
    assert "no ReLU modules" in found.absent


def test_the_file_says_which_metrics_and_none():
    assert _experiment(map_metrics=None).section("map_metrics") is None
    asked = _experiment(map_metrics={"metrics": ["top_k", {"name": "deletion", "steps": 4}]})
    assert [each.config()["name"] for each in asked.section("map_metrics").metrics] == [
        "top_k",
        "deletion",
    ]
    with pytest.raises(ValidationError, match=r"there twice: top_k"):
        _experiment(map_metrics={"metrics": ["top_k", {"name": "top_k", "share": 0.2}]})
    with pytest.raises(ValidationError, match=r"unknown metric 'tops'.*known: agreement"):
        _experiment(map_metrics={"metrics": ["tops"]})


def test_null_leaves_them_out_and_few_images_are_refused(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    without = _experiment(map_metrics=None, attacks={}, saliency={"paper": METHODS["paper"]})
    (index,) = plan.run(without, store, Log(), InThisProcess(store))
    results = Results(store, index)
    assert not results.has(Role("map_metrics", "none", "paper"))
    few = _experiment(map_metrics={"images": 1})
    with pytest.raises(UsageError, match="map_metrics: 1 images are too few"):
        plan.run(few, store, Log(), InThisProcess(store))

"""The figures of several methods: refused, marked, in one channel and in few values."""

from __future__ import annotations

import pytest
from measured_maps import measured
from synthetic import Method, experiment

from engine.artifacts import ArtifactStore
from engine.report.figures import gradients
from engine.report.runs import Dataset
from engine.saliency import Fit, Reason

REFUSED = Fit((Reason("no_convolution", "it has no convolution"),))
DOUBTED = Fit((Reason("functional_relu", "its ReLUs are functions", refuses=False),))
METHODS = {
    "cam": Method(fits={"distillation": REFUSED}),
    "gbp": Method("Guided backprop", "guided_backprop", (1, 8, 8), fits={"none": DOUBTED}),
    "lrp": Method("LRP", "lrp", fits={"none": REFUSED, "distillation": REFUSED}),
}


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("home") / "artifacts")
    defenses = {"none": "No defense", "distillation": "Distillation"}
    made = experiment(store, "methods", defenses, {"fgsm": "FGSM"}, methods=METHODS)
    return gradients.draw(Dataset([made], "Methods"))


def test_each_method_that_is_drawn_has_a_figure(figures):
    assert [figure.slug for figure in figures] == [
        "gradients-methods", "gradients-cam-methods", "gradients-gbp-methods"
    ]  # fmt: skip
    assert figures[0].sentence.startswith("The gradients of “")
    assert figures[1].sentence.startswith("The maps of “")


def test_a_model_that_a_method_was_refused_for_is_named_and_not_drawn(figures):
    cam = figures[1]
    assert "No map of “Distillation”: it has no convolution." in cam.notes
    assert list(cam.sources) == ["maps:none:cam, seed 0"]
    assert "“LRP” is not drawn: No map of “No defense”: it has no convolution." in figures[2].notes


def test_marked_maps_are_marked(figures):
    assert "‡ The maps of “No defense” are marked: its ReLUs are functions." in figures[2].notes
    assert not any("‡" in note for figure in figures[:2] for note in figure.notes)


def test_what_was_measured_stands_below_the_maps_with_null_maps_beside(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    defenses = {"none": "No defense", "distillation": "Distillation"}
    methods = {"cam": Method(), "gbp": Method("Guided backprop", "guided_backprop")}
    made = experiment(store, "methods", defenses, {"fgsm": "FGSM"}, methods=methods)
    run = measured(made, "cam", "none", failed="distillation")
    figures = gradients.draw(Dataset([run], "Methods"))
    assert [figure.slug for figure in figures] == [
        "gradients-methods", "gradients-cam-methods", "map-metrics-cam-methods",
        "gradients-gbp-methods",
    ]  # fmt: skip
    found = figures[2]
    assert found.sentence == (
        "Metrics in which the maps are on average better than edges and noise: “No defense” 1 of 1."
    )
    assert found.shown[0] == ("Metric", "Better", "No defense")
    rows = [tuple(cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row) for row in found.shown]
    agreement, infidelity, smoothness = rows[1:]
    assert agreement[0] == "Agreement (FGSM; n = 12)"
    value = ".20 [.20, .20]; edges .90; noise .95"
    assert infidelity == ("Infidelity (n = 6)", "lower", value)
    assert smoothness[1] == "–"
    assert "Signs count in Agreement, Infidelity and Smoothness" in found.notes[-2]
    assert "Not measured: “Distillation”" in found.notes[-1]
    row = dict(zip(found.table.columns, found.table.rows[1], strict=True))
    assert (row["images"], row["image"], row["random"]) == (6, "clean", pytest.approx(0.95))

"""What the page of a map and its JSON say of metrics."""

from __future__ import annotations

from html import unescape

import pytest
from measured_maps import FEW, measured
from synthetic import IMAGES, Method, experiment

from engine.artifacts import ArtifactStore
from engine.saliency import Fit, Reason
from study_app.gallery import meaning
from study_app.gallery.addresses import Place
from study_app.gallery.exhibit import Exhibit
from study_app.gallery.facts import map_facts
from study_app.gallery.measured import table

IMPORTED = Fit((Reason("imported", "nobody asked whether they fit", refuses=False),))
METHODS = {
    "cam": Method(),
    "edge": Method("Edges", "edges", (1, 8, 8)),
    "ours": Method("Ours", "imported", fits={"none": IMPORTED}),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("measured") / "artifacts")
    defenses = {"none": "No defense", "distillation": "Distillation"}
    return experiment(store, "measured", defenses, {"fgsm": "FGSM"}, methods=METHODS)


@pytest.fixture(scope="module")
def exhibit(before):
    return Exhibit(measured(before, "cam", "none", failed="distillation"))


def facts(exhibit, image, index, method="cam", defense="none"):
    place = Place(exhibit.key, defense, image, index)
    return map_facts(exhibit, place, method, "image")["metrics"]


def test_numbers_stand_beside_those_of_null_maps(exhibit):
    index = int(exhibit.results.map_metrics("none", "cam").indices("fgsm")[2])
    text = table(exhibit, "none", "fgsm", index, "cam")
    row = '<th scope="row">Infidelity</th><td>0.20</td><td>0.90</td><td>0.95</td><td>lower</td>'
    assert row in text
    assert f"<td>{index / 100:.2f}</td><td>–</td>" in text, "no direction"
    assert "Which share of what noise in the image does" in text
    assert "No number" not in text
    known = facts(exhibit, "fgsm", index)
    assert (known["images"], known["of"], known["absent"]) == (FEW, IMAGES, None)
    assert known["values"]["infidelity"]["nulls"]["random"] == {"value": 0.95, "why": None}
    assert known["values"]["infidelity"]["config"]["draws"] == 20
    assert known["artifact"]["kind"] == "map_metrics"


def test_metrics_without_a_number_say_why_in_one_sentence(exhibit):
    index = int(exhibit.results.map_metrics("none", "cam").indices("clean")[1])
    text = table(exhibit, "none", "clean", index, "cam")
    said = unescape(str(text)).partition("No number: ")[2].partition("</p>")[0]
    assert said == (
        "Agreement (of maps of attacked images, which are compared with this one); Infidelity "
        "(the network's answer is the same whatever is done to the image)."
    )
    assert facts(exhibit, "clean", index)["values"]["infidelity"]["why"] == "flat_network"


def test_an_image_that_was_not_measured_says_of_how_many_it_was(exhibit):
    there = exhibit.results.map_metrics("none", "cam").indices("clean")
    other = next(index for index in range(IMAGES) if index not in there)
    said = "This one was not measured: 12 of the 60 images that have this map were measured."
    assert said in table(exhibit, "none", "clean", other, "cam")
    assert "values" not in facts(exhibit, "clean", other)


def test_what_failed_is_said_without_the_details_and_what_nobody_asked_is_not(exhibit, before):
    text = table(exhibit, "distillation", "clean", 3, "cam")
    assert "Measuring these maps failed when the experiment was run." in text
    assert "/home/lab" not in text
    assert facts(exhibit, "clean", 3, defense="distillation")["absent"]
    assert table(exhibit, "none", "clean", 3, "edge") == ""
    assert facts(Exhibit(before), "clean", 3) is None


def test_what_a_map_shows_depends_on_its_method(exhibit):
    assert meaning.shows(exhibit, "cam") == "shows which pixels move the network's answer"
    assert "those of all classes" in meaning.shows(exhibit, "input_gradient")
    assert meaning.shows(exhibit, "edge").startswith("is a null map: it knows nothing")
    known = meaning.meaning(exhibit, "none", "clean", 4, "edge")
    assert known.explains == "It explains nothing that the network has learned."
    assert meaning.shows(exhibit, "ours").startswith("was brought from a file")

"""What the gallery says of maps: what they explain, why they are marked, why there is none."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest
from synthetic import Method, experiment

from engine.artifacts import ArtifactStore
from engine.saliency import Fit, Reason
from study_app.api import Context, create_api
from study_app.front import front_page
from study_app.gallery import grid_page, map_page, meaning, page
from study_app.gallery.addresses import Place
from study_app.gallery.exhibit import Exhibit
from study_app.gallery.facts import map_facts
from study_app.gallery.view import GalleryView, MapView
from study_app.installation import AppState

REFUSED = Fit((Reason("no_convolution", "it has no convolution that Grad-CAM could weigh"),))
IMPORTED = Reason("imported", "whether they explain this network was not examined", refuses=False)
LACKING = Reason("not_brought", "the file has no maps of this model")
DOUBTED = Fit((Reason("functional_relu", "its ReLUs are functions", refuses=False),))
METHODS = {
    "cam": Method(fits={"distillation": REFUSED}, against=True),
    "ig": Method("Integrated gradients", native=(1, 8, 8), off={"none": 0.213}),
    "gbp": Method(
        "Guided backprop", "guided_backprop", sign=-1, fits={"none": DOUBTED}, blank=(0, 2)
    ),
    "ours": Method(
        "Ours",
        "imported",
        fits={"none": Fit((IMPORTED,)), "distillation": Fit((IMPORTED, LACKING))},
    ),
    "nothing": Method("LRP", "lrp", fits={"none": REFUSED, "distillation": REFUSED}),
}
WHY_NOT = "No map: it has no convolution that Grad-CAM could weigh."


@pytest.fixture(scope="module")
def exhibit(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("meaning") / "artifacts")
    defenses = {"none": "No defense", "distillation": "Distillation"}
    return Exhibit(experiment(store, "meaning", defenses, {"fgsm": "FGSM"}, methods=METHODS))


@pytest.fixture
def state(lab, exhibit):
    return AppState(lab.database, exhibit.results.store, b"k" * 64)


@pytest.fixture
def visit(state, exhibit, monkeypatch):
    """Open a page with a query; returns its HTML."""

    def open_page(name="gallery_page", of=page, **query):
        monkeypatch.setattr(of, "app_state", lambda: state)
        test = AppTest.from_string(f"from {of.__name__} import {name}\n{name}()\n")
        test.query_params.update({"experiment": exhibit.key, **query})
        test.run(timeout=20)
        assert not test.exception
        bodies = [element.proto.body for element in test.get("html")]
        return "\n".join(body for body in bodies if not body.startswith("<style>"))

    return open_page


@pytest.fixture
def map_of(exhibit, held_back):
    """Returns what the page of a map says, without its controls."""

    def written(method, defense="none", index=None):
        index = exhibit.visible(held_back)[1] if index is None else index
        view = MapView(Place(exhibit.key, defense, "clean", index), method, "row")
        facts = map_facts(exhibit, view.place, method, "row")
        parts = map_page.figures(exhibit, view), map_page.strip(exhibit, view)
        return "\n".join([*parts, map_page.passport(exhibit, facts)])

    return written


@pytest.fixture
def grid_of(exhibit):
    """Returns the table of two images."""

    def written(method):
        view = replace(GalleryView.default(exhibit), method=method, image="clean")
        return grid_page.legend(exhibit, view) + grid_page.grid(exhibit, view, [4, 5])

    return written


def test_the_reason_stands_in_the_place_of_a_map_that_is_refused(visit, map_of, exhibit, held_back):
    text = visit(method="cam", image="fgsm")
    assert set(re.findall(r'<span class="pg-name">(\D+?)</span>', text)) == {
        "No defense", "Distillation"
    }  # fmt: skip
    rows = text.count('<th scope="row"')
    assert text.count(WHY_NOT) == 2 * rows, "clean and attacked"
    index = str(exhibit.visible(held_back)[1])
    text = visit("map_page", method="cam", defense="distillation", image="clean", index=index)
    assert f'<p class="pg-absent">{WHY_NOT}</p>' in text
    assert "The map shows which pixels" not in text
    assert "Full colour" not in text
    assert "not drawn" in text.lower()
    assert WHY_NOT in map_of("cam"), "in the strip of the page of a map that is there"


def test_a_method_that_is_refused_for_every_network_is_no_empty_page(visit):
    text = visit(method="nothing", image="clean")
    assert text.count(WHY_NOT) == 2 * text.count('<th scope="row"') > 0


def test_a_map_says_what_it_explains_in_the_names_of_classes(map_of, exhibit, held_back):
    index = exhibit.visible(held_back)[1]
    text = map_of("cam")
    assert (
        f"It explains {index % 10} against {(index + 1) % 10}: the logit of the "
        "model&#39;s answer minus that of the true label."
    ) in text
    assert "Made in 4 × 4 values, drawn out to 8 × 8 pixels (bilinear)." in text
    assert "It explains no one class." in map_of("input_gradient")


def test_what_does_not_add_up_is_marked_map_by_map(grid_of, map_of, exhibit, held_back):
    off, fine = (
        next(i for i in exhibit.visible(held_back) if i % 2 == odd) for odd in (1, 0)
    )  # fmt: skip
    text = map_of("ig", index=off)
    assert "Marked.</b> It does not add up to what it explains: it is off by more than 5" in text
    assert "Off by 21.3" in text
    assert "in 50 steps." in text
    assert "Relative to the black baseline." in text
    assert "Marked." not in map_of("ig", index=fine)
    head = grid_of("ig")
    assert f"{meaning.MARK} 60 of 120 maps do not add up to what they explain" in head
    assert f"{meaning.MARK} max" in head


def test_what_is_said_of_a_method_marks_all_its_maps(grid_of, map_of):
    assert f"{meaning.MARK} Its ReLUs are functions." in grid_of("gbp")
    assert "Marked.</b> Its ReLUs are functions." in map_of("gbp")
    assert grid_of("ours").count(f"{meaning.MARK} Whether they explain") == 1, "not where none is"
    text = map_of("ours")
    assert "Imported.</b> Whether they explain this network was not examined." in text
    assert "No map: the file has no maps of this model." in text


def test_empty_and_all_negative_maps_have_words(exhibit):
    where = ("none", "clean")
    assert meaning.drawn_words(exhibit, *where, 2, "gbp", 1.0) == "zero everywhere"
    assert meaning.drawn_words(exhibit, *where, 3, "gbp", 1.0).endswith(", no value above zero")
    assert "above" not in meaning.drawn_words(exhibit, *where, 3, "cam", 1.0)


def test_json_says_the_same(exhibit, state, held_back):
    client = TestClient(create_api(Context(state)))
    index = next(i for i in exhibit.visible(held_back) if i % 2)
    place = f"/g/{exhibit.key}/none/clean/{index}"
    facts = client.get(f"{place}/ig.json").json()
    assert facts["explains"] == {
        "in_words": "the logit of the model's answer", "class": index % 10, "against": None
    }  # fmt: skip
    assert facts["measured"] == {"delta": 0.213, "steps": 50.0}
    assert (facts["baseline"], facts["upsampling"]) == ("black", "none")
    assert (facts["marked"], facts["negative"], facts["blank"]) == (True, False, False)
    assert facts["fit"]["verdict"] == "doubtful"
    assert facts["native_shape"] == [1, 8, 8]
    place = f"/g/{exhibit.key}/distillation/clean/{index}"
    facts = client.get(f"{place}/cam.json").json()
    assert facts["absent"] == WHY_NOT
    assert facts["fit"]["reasons"][0]["code"] == "no_convolution"
    assert not {"png", "values_sha256", "max_abs"} & {*facts, *facts["links"]}
    assert client.get(f"{place}/cam.png").status_code == 404


def test_the_front_page_says_of_an_empty_map_that_it_is_empty(visit):
    text = visit("front_page", of=front_page)
    assert "its map is zero everywhere" in text

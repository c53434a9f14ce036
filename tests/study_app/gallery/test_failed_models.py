"""Gallery, front page and studies over an experiment of which a model and an attack failed."""

from __future__ import annotations

import re

import pytest
import yaml
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest
from synthetic import with_failures

from engine.artifacts import ArtifactStore
from engine.errors import AbsentError
from study_app import study
from study_app.api import Context, create_api
from study_app.design.absences import absences
from study_app.design.study_design import design
from study_app.front import front_page
from study_app.gallery import page
from study_app.gallery.catalog import catalog
from study_app.gallery.exhibit import Exhibit
from study_app.installation import AppState

SECRET = "RuntimeError: no file /home/somebody/weights"
LOST = "“Distillation” is not shown: this network failed when the experiment was run."
NO_FGSM = "“Gradient penalty” is not shown: the attack “FGSM” on it failed when the experiment"
NO_MAPS = "“Adversarial training” is not shown: its maps failed when the experiment was run."


@pytest.fixture(scope="module")
def partly(tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("partly"))
    return with_failures(
        store,
        f"distillation: train distillation: {SECRET}",
        {
            "examples:gradient_penalty:fgsm": f"attack gradient_penalty with fgsm: {SECRET}",
            "maps:adversarial_training:input_gradient": f"explain adversarial_training: {SECRET}",
        },
    )


@pytest.fixture(scope="module")
def exhibit(partly):
    return Exhibit(partly)


@pytest.fixture
def state(lab, partly):
    return AppState(lab.database, partly.store, b"k" * 64)


@pytest.fixture
def visit(state, monkeypatch):
    """Open a page by its function's name with a query; returns its HTML."""

    def open_page(name="gallery_page", of=page, **query):
        monkeypatch.setattr(of, "app_state", lambda: state)
        test = AppTest.from_string(f"from {of.__name__} import {name}\n{name}()\n")
        test.query_params.update(query)
        test.run(timeout=20)
        assert not test.exception
        bodies = [element.proto.body for element in test.get("html")]
        text = "\n".join(body for body in bodies if not body.startswith("<style>"))
        assert SECRET not in text
        return text

    return open_page


def columns(text: str) -> set[str]:
    return set(re.findall(r'<span class="pg-name">(\D+)</span>', text))


def test_the_gallery_shows_the_others_and_says_whose_column_failed(visit, exhibit):
    text = visit(experiment=exhibit.key, image="fgsm")
    assert columns(text) == {"No defense"}
    assert all(sentence in text for sentence in (LOST, NO_FGSM, NO_MAPS))
    # The test's experiment was complete before.
    (earlier,) = re.findall(r'/gallery\?experiment=(\w+)[^"]*">An earlier run of it is', text)
    assert LOST not in visit(experiment=earlier, image="fgsm")
    text = visit(experiment=exhibit.key, image="tgsm")
    assert columns(text) == {"No defense", "Gradient penalty"}
    assert LOST in text
    assert NO_FGSM not in text
    assert columns(visit(experiment=exhibit.key, image="clean")) == columns(text)


def test_the_page_of_a_map_and_its_address_know_what_is_there(visit, exhibit, state, held_back):
    index = exhibit.visible(held_back)[0]
    asked = {"experiment": exhibit.key, "method": "input_gradient", "index": str(index)}
    text = visit("map_page", defense="none", image="fgsm", **asked)
    assert LOST in text
    assert NO_FGSM in text
    client = TestClient(create_api(Context(state)))
    for defense, image in (("distillation", "clean"), ("gradient_penalty", "fgsm")):
        assert "no such picture" in visit("map_page", defense=defense, image=image, **asked)
        pinned = f"{defense}/{image}"
        assert "Pinned" not in visit("map_page", defense="none", image="tgsm", pin=pinned, **asked)
        for path in (".png", ".json", "/input_gradient.png", "/input_gradient.json"):
            path = f"{index}{path}"
            assert client.get(f"/g/{exhibit.key}/{defense}/{image}/{path}").status_code == 404
    path = f"/g/{exhibit.key}/adversarial_training/tgsm/{index}"
    assert client.get(f"{path}.png").status_code == 200
    assert client.get(f"{path}/input_gradient.png").status_code == 404


def test_the_front_page_takes_what_is_there(visit, exhibit):
    assert exhibit.strongest_attack == "fgsm"
    text = visit("front_page", of=front_page)
    assert "No defense" in text
    assert "Distillation" not in text


def changed(**conditions) -> study.Study:
    document = yaml.safe_load((study.BUILT_IN / "demo.yaml").read_text("utf-8"))
    document |= {"experiment": "partly", "analysis": None}
    for label, condition in conditions.items():
        if condition is None:
            del document["conditions"][label]
        else:
            document["conditions"][label] = condition
    return study.Study(**document)


def test_a_study_of_what_is_there_is_drawn(partly):
    drawn = changed(distillation=None)
    assert absences(drawn, partly) == {}
    assert set(design(drawn, partly).document["conditions"]) == {*drawn.conditions}


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ({"show": "mistake", "defense": "distillation", "attack": "tgsm"},
         f"the model “Distillation” was not computed: train distillation: {SECRET}; mend it"),
        ({"show": "mistake", "defense": "gradient_penalty", "attack": "fgsm"},
         "the attack “FGSM” on “Gradient penalty” was not computed: attack gradient_penalty with"),
        ({"show": "map", "defense": "adversarial_training", "method": "input_gradient"},
         "the maps “Input gradient” of “Adversarial training” was not computed: explain"),
        ({"show": "map", "defense": "gradient_penalty", "of": "fgsm", "method": "input_gradient"},
         "the attack “FGSM” on “Gradient penalty” was not computed"),
        ({"show": "clean", "defense": "distillation", "answer": "right"},
         "the model “Distillation” was not computed"),
    ],
    ids=["model", "attack", "maps", "map of an attack", "answers"],
)  # fmt: skip
def test_a_study_of_what_failed_is_refused_with_the_reason(partly, condition, what):
    pictures = [{key: v for key, v in condition.items() if key != "show"} | condition]
    document = {"title": "It", "pictures": pictures, "presentations": 4}
    asking = changed(distillation=None, it=document)
    with pytest.raises(AbsentError, match=f"experiment 'partly': {re.escape(what)}"):
        design(asking, partly)
    (found,) = absences(asking, partly).values()
    assert what in found


def test_the_catalog_opens_it_by_key(partly):
    assert catalog(partly.store.root).exhibit(partly.index.key).key == partly.index.key

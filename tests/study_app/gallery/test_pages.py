"""The pages at /gallery and /map: what they show, and that the address is their whole state."""

import re
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from db.session import Database
from engine.artifacts import ArtifactStore
from engine.results import Results
from study_app.gallery import page
from study_app.installation import AppState


@pytest.fixture
def visit(lab, monkeypatch):
    """Open a page by its function's name with a query."""

    def open_page(name="gallery_page", state=lab.state, **query):
        monkeypatch.setattr(page, "app_state", lambda: state)
        source = f"from study_app.gallery.page import {name}\n{name}()\n"
        test = AppTest.from_string(source, default_timeout=20)
        test.query_params.update(query)
        return test.run()

    return open_page


def html(test) -> str:
    assert not test.exception
    bodies = [element.proto.body for element in test.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style>"))


def rows(test) -> list[int]:
    return [int(index) for index in re.findall(r">image (\d+)<", html(test))]


def query(exhibit, shown, **changes):
    return {
        "experiment": exhibit.key,
        "defense": "gradient_penalty",
        "image": "tgsm",
        "index": str(shown),
        "method": "input_gradient",
        **changes,
    }


def test_the_first_view_compares_clean_and_attacked_on_the_fair_scale(visit, exhibit, held_back):
    test = visit()
    assert rows(test) == exhibit.visible(held_back)[: page.ROWS]
    text = html(test)
    for title in exhibit.defenses.values():
        assert title in text
    first = exhibit.visible(held_back)[0]
    for each in ("clean", "fgsm"):
        assert f"/none/{each}/{first}/input_gradient.png?scale=row" in text
    assert f"/none/fgsm/{first}.png" in text
    assert "One scale for the row" in text
    assert "gradient of Σₖ log pₖ" in text
    assert "accuracy 98.0\N{NARROW NO-BREAK SPACE}% clean, 50.0" in text
    assert "loss gradients exactly zero on 100" in text


def test_a_doubted_model_says_so_where_its_robustness_is_shown(visit):
    doubt = "† gradients likely masked."
    heads = re.findall(r"<th scope=.col.>.*?</th>", html(visit(image="tgsm")), flags=re.S)
    assert [doubt in head for head in heads] == ["Distillation" in head for head in heads]
    assert any(doubt in head for head in heads)
    assert doubt not in html(visit(image="clean"))


def test_what_is_to_be_known_of_a_network_is_told(visit, exhibit, shown, monkeypatch):
    said = "stochastic, 20 draws: its answer is the log of the mean softmax over them"
    monkeypatch.setattr(
        Results, "notes", lambda _results, defense: (said,) if defense == "gradient_penalty" else ()
    )
    heads = re.findall(r"<th scope=.col.>.*?</th>", html(visit()), flags=re.S)
    noted = [head for head in heads if "stochastic, 20 draws" in head]
    assert len(noted) == 1
    assert "Gradient penalty" in noted[0]
    assert said in html(visit("map_page", **query(exhibit, shown)))


def test_an_example_that_rounding_undoes_is_not_shown_as_one(visit, exhibit):
    made = exhibit.results.examples("none", "noise")
    undone = [exhibit.undone_by_rounding("none", "noise", i) for i in range(len(made.label))]
    assert undone == (exhibit.labels % 3 == 0).tolist()
    text = html(visit(image="noise"))
    assert "fooled, but rounding undoes it" in text
    assert re.search(r"holds", text)


def test_masking_and_zero_maps_are_named(visit):
    text = html(visit(image="fgsm"))
    assert "unchanged: the loss gradient is exactly zero" in text
    assert "zero everywhere" in text
    assert "fooled" in text
    assert "unchanged" not in html(visit(image="tgsm"))


def test_every_picture_has_words_and_a_way_to_its_page(visit):
    text = html(visit())
    pictures = re.findall(r"<img [^>]*>", text)
    assert len(pictures) == page.ROWS * (1 + 4 * 3)
    assert all(re.search(r'alt="[^"]{10,}"', picture) for picture in pictures)
    assert len(re.findall(r'<a href="/map\?[^"]*"><img', text)) == len(pictures)


def test_held_back_images_are_in_no_row_count_or_filter(visit, exhibit, held_back):
    visible = exhibit.visible(held_back)
    test = visit()
    found = []
    for number in range(1, 2 + len(visible) // page.ROWS):
        found += rows(visit(page=str(number)))
    assert found == visible
    assert f"of {len(visible)}." in html(test)
    labels = {str(exhibit.labels[index]) for index in visible}
    assert set(test.selectbox(key="gallery_label").options) == {"All", *labels}


def test_a_control_changes_the_address_and_the_address_the_controls(visit, exhibit):
    test = visit(page="2")
    assert test.selectbox(key="gallery_page").value == "2"
    test.selectbox(key="gallery_image").select("tgsm").run()
    test.selectbox(key="gallery_scale").select("model").run()
    test.toggle(key="gallery_compare").set_value(False).run()
    written = dict(test.query_params)
    assert written == {
        "experiment": exhibit.key,
        "image": "tgsm",
        "compare": "0",
        "method": "input_gradient",
        "scale": "model",
        "label": "all",
    }
    again = visit(**written)
    assert html(again) == html(test)
    assert again.selectbox(key="gallery_scale").value == "model"


def test_the_label_filter_shows_that_class_alone(visit, exhibit, held_back):
    wanted = int(exhibit.labels[exhibit.visible(held_back)[0]])
    test = visit()
    test.selectbox(key="gallery_label").select(str(wanted)).run()
    assert rows(test) == exhibit.visible(held_back, wanted)[: page.ROWS]


def test_buttons_turn_the_pages(visit):
    test = visit()
    first = rows(test)
    test.button[1].click().run()
    assert test.query_params["page"] == "2"
    second = rows(test)
    assert not set(first) & set(second)
    test.button[0].click().run()
    assert rows(test) == first


@pytest.mark.parametrize(
    "nonsense",
    [
        {"page": "-3"},
        {"page": "0"},
        {"page": "99999"},
        {"image": "<script>", "scale": "x", "label": "12", "method": "y", "compare": "maybe"},
    ],
)
def test_nonsense_in_the_address_is_the_default(visit, nonsense):
    assert rows(visit(**nonsense))


def test_the_page_of_one_map_has_its_passport(visit, exhibit, shown):
    test = visit("map_page", **query(exhibit, shown, scale="model"))
    text = html(test)
    stimulus = exhibit.stimulus("gradient_penalty", "tgsm", shown)
    for fact in (
        stimulus.stimulus_id,
        stimulus.image_id,
        stimulus.passport["model"]["weights_sha256"],
        stimulus.passport["attack"]["content_sha256"],
        exhibit.key,
        "steps 10",
        "One scale for each model",
    ):
        assert fact in text
    assert f"/{shown}/input_gradient.json?scale=model" in text
    link, citation = (element.value for element in test.code)
    assert link.startswith("/map?experiment=")
    assert link in citation


def test_a_pinned_map_stands_beside_another(visit, exhibit, shown):
    pinned = visit("map_page", **query(exhibit, shown, pin="none/clean"))
    assert html(pinned).count("Pinned: No defense, Clean") == 2  # the caption and the words
    assert "Pinned" not in html(visit("map_page", **query(exhibit, shown, pin="none/nothing")))


def test_the_way_to_other_images_leaves_out_those_held_back(visit, exhibit, held_back):
    visible = exhibit.visible(held_back)
    text = html(visit("map_page", **query(exhibit, visible[3])))
    assert f"index={visible[2]}&" in text
    assert f"index={visible[4]}&" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"index": "hidden"},
        {"index": "999999"},
        {"index": "one"},
        {"defense": "nobody"},
        {"image": "nothing"},
        {"method": "nothing"},
        {"scale": "log"},
        {"experiment": "0" * 64},
        {"experiment": "../../model"},
    ],
)
def test_there_is_no_page_for_what_may_not_be_seen(visit, exhibit, shown, hidden, changes):
    asked = query(exhibit, shown, **changes)
    if asked["index"] == "hidden":
        asked["index"] = str(hidden)
    text = html(visit("map_page", **asked))
    assert "There is no such picture in the gallery." in text
    assert '<a href="/gallery">' in text
    assert "/g/" not in text


def test_without_an_experiment_the_page_says_how_to_make_one(visit, lab, tmp_path):
    empty = AppState(lab.database, ArtifactStore(tmp_path / "artifacts"), b"k" * 64)
    assert "plausibly demo" in html(visit(state=empty))
    assert "no such picture" in html(visit("map_page", state=empty))


@pytest.mark.parametrize("kind", ["maps", "experiment"])
def test_a_damaged_artifact_is_one_calm_sentence(visit, lab, exhibit, shown, tmp_path, kind):
    store = ArtifactStore(tmp_path / "artifacts")
    shutil.copytree(lab.state.store.root, store.root)
    for file in (store.root / kind).glob("*/*"):
        file.write_bytes(b"not what was stored")
    state = AppState(lab.database, store, b"k" * 64)
    text = html(visit(state=state))
    assert "It is stored but damaged." in text
    assert str(tmp_path) not in text
    assert "damaged" in html(visit("map_page", state=state, **query(exhibit, shown)))


def test_without_its_database_nothing_is_shown(visit, lab, exhibit, shown, tmp_path):
    state = AppState(Database(tmp_path / "missing.db"), lab.state.store, b"k" * 64)
    for text in (html(visit(state=state)), html(visit("map_page", state, **query(exhibit, shown)))):
        assert "cannot be reached just now" in text
        assert "/g/" not in text

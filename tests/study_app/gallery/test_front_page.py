"""The front page at "/": the best pictures of an experiment, and whole without any."""

import re
import shutil

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from db.session import Database
from engine.artifacts import ArtifactStore
from study_app.front import front_page as page
from study_app.front.choice import choose, disagreement
from study_app.installation import AppState


@pytest.fixture
def visit(lab, monkeypatch):
    """Open the page; returns its HTML."""

    def open_page(state=lab.state):
        monkeypatch.setattr(page, "app_state", lambda: state)
        source = "from study_app.front.front_page import front_page\nfront_page()\n"
        test = AppTest.from_string(source, default_timeout=20).run()
        assert not test.exception
        bodies = [element.proto.body for element in test.get("html")]
        return "\n".join(body for body in bodies if not body.startswith("<style>"))

    return open_page


def whole(text: str) -> bool:
    """Whether it says what this is and has everybody's way on."""
    parts = ("<h1>Plausibly</h1>", 'href="/gallery"', 'href="/researcher"', "link you were given")
    return all(part in text for part in parts)


def images(text: str) -> list[int]:
    return [int(index) for index in re.findall(r"/clean/(\d+)\.png", text)]


def test_it_shows_for_each_image_every_network_and_its_map(visit, lab, exhibit, held_back):
    text = visit()
    assert whole(text)
    assert images(text) == [each.index for each in choose(exhibit, held_back, page.SHOWN)]
    for index in images(text):
        for defense, title in exhibit.defenses.items():
            assert title in text
            for address in (f"{index}.png", f"{index}/input_gradient.png?scale=image"):
                source = f"/g/{exhibit.key}/{defense}/{exhibit.strongest_attack}/{address}"
                assert f'src="{source}"' in text
                assert lab.client.get(source).status_code == 200
    pictures = re.findall(r'<a href="(/map\?[^"]*)"><img [^>]*alt="([^"]*)"', text)
    assert len(pictures) == text.count("<img") == page.SHOWN * (1 + 2 * len(exhibit.defenses))
    assert all(len(alt) > 10 for _, alt in pictures)


def test_a_picture_of_a_running_study_is_never_shown(visit, exhibit, held_back, monkeypatch):
    best = [each.index for each in choose(exhibit, (), page.SHOWN)]
    embargoed = {exhibit.image_ids[index] for index in best} | held_back
    monkeypatch.setattr(page.repository, "embargoed_image_ids", lambda s, now: embargoed)
    shown = images(visit())
    assert len(shown) == page.SHOWN
    assert not set(shown) & set(best)
    monkeypatch.setattr(
        page.repository, "embargoed_image_ids", lambda s, now: set(exhibit.image_ids)
    )
    text = visit()
    assert whole(text)
    assert "/g/" not in text


def test_without_an_experiment_the_page_is_whole(visit, lab, tmp_path):
    text = visit(AppState(lab.database, ArtifactStore(tmp_path / "artifacts"), b"k" * 64))
    assert whole(text)
    assert "fp-strip" not in text


@pytest.mark.parametrize("kind", ["maps", "examples", "evaluation", "experiment"])
def test_a_damaged_artifact_costs_the_pictures_alone(visit, lab, tmp_path, kind):
    store = ArtifactStore(tmp_path / "artifacts")
    shutil.copytree(lab.state.store.root, store.root)
    for file in (store.root / kind).glob("*/*"):
        file.write_bytes(b"not what was stored")
    text = visit(AppState(lab.database, store, b"k" * 64))
    assert whole(text)
    assert "/g/" not in text
    assert str(tmp_path) not in text


def test_without_its_database_nothing_is_shown(visit, lab, tmp_path):
    missing = Database(tmp_path / "missing.db")
    text = visit(AppState(missing, lab.state.store, b"k" * 64))
    assert whole(text)
    assert "/g/" not in text


class Three:
    """An exhibit of four images, two networks and known maps, as `choose` reads it."""

    strongest_attack = "hits"

    def __init__(self):
        self.defenses = {"one": "One", "two": "Two"}
        self.methods = {"gradient": "Gradient"}
        self.labels = np.array([0, 1, 0, 1])
        self.results = self
        self._after = {"one": [1, 0, 1, 0], "two": [0, 0, 1, 0]}
        self._maps = {"one": [1, 1, 1, 1], "two": [-1, 1, -1, 0]}

    def explained(self, images, method):
        return self.defenses

    def visible(self, embargoed, *, method, kinds, everywhere):
        assert everywhere
        assert (method, kinds) == ("gradient", ("clean", "hits"))
        return [index for index in range(4) if index not in embargoed]

    def examples(self, defense, attack):
        assert attack == "hits"
        return Stored(self.labels, self.labels, np.array(self._after[defense]))

    def drawn(self, defense, image, index, method):
        return np.full((2, 2), self._maps[defense][index], np.float32)


class Stored:
    def __init__(self, true_label, before_label, label):
        self.true_label, self.before_label, self.label = true_label, before_label, label

    def over_all(self, values, *, fill):
        return values


def test_the_best_are_fooled_everywhere_have_maps_and_these_disagree():
    """0 fools one network alone; of the others 2 disagrees, 1 agrees, and 3 has an empty map."""
    order = [each.index for each in choose(Three(), (), 4)]  # type: ignore[arg-type]
    assert order == [2, 1, 3, 0]
    assert [each.index for each in choose(Three(), {2}, 2)] == [1, 0]  # type: ignore[arg-type]
    assert choose(Three(), range(4), 2) == []  # type: ignore[arg-type]


def test_disagreement_is_one_minus_the_mean_cosine_of_all_pairs():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(4, 5, 9)).astype(np.float32)
    maps[1, 2] = 0
    expected = []
    for image in maps.transpose(1, 0, 2).astype(np.float64):
        pairs = [(a, b) for n, a in enumerate(image) for b in image[n + 1 :]]
        length = [np.linalg.norm(a) * np.linalg.norm(b) for a, b in pairs]
        cosines = [a @ b / size if size else 0 for (a, b), size in zip(pairs, length, strict=True)]
        expected.append(1 - np.mean(cosines))
    np.testing.assert_allclose(disagreement(maps), expected, atol=1e-6)
    assert disagreement(maps[:1]).tolist() == [0] * 5

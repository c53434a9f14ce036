"""What /g/ serves: exact pixels, maps on a declared scale, facts, and nothing of a live study."""

import hashlib
import io
import itertools
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from lab import open_lab
from PIL import Image
from starlette.testclient import TestClient

from db import repository
from engine import rendering, stimuli
from engine.artifacts import ArtifactStore, Blocks
from study_app.api import Context, create_api
from study_app.gallery.catalog import catalog
from study_app.installation import AppState

METHOD = "input_gradient"
NOWHERE = {"error": "not_found", "message": "There is no such picture in the gallery."}


def pixels_of(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(response.content))
    assert image.info == {}  # no text chunks
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def addresses(exhibit, defense, image, index):
    base = f"/g/{exhibit.key}/{defense}/{image}/{index}"
    return [f"{base}.png", f"{base}.json", f"{base}/{METHOD}.png", f"{base}/{METHOD}.json"]


@pytest.mark.parametrize("image", ["clean", "fgsm", "tgsm", "noise"])
def test_a_picture_is_served_as_it_is_stored(lab, exhibit, shown, image):
    for defense in exhibit.defenses:
        served = pixels_of(lab.client.get(f"/g/{exhibit.key}/{defense}/{image}/{shown}.png"))
        made = exhibit.results.examples(defense, "fgsm" if image == "clean" else image)
        stored = made.clean if image == "clean" else made.pixels
        assert served.tobytes() == stored[shown].tobytes()


def scales(exhibit, defense, image, index):
    """The definitions, computed from the stored maps."""
    maps = {each: exhibit.results.maps(each, METHOD) for each in exhibit.defenses}
    percentile = lambda values: float(np.percentile(np.abs(values), 99))  # noqa: E731
    return {
        "image": percentile(maps[defense].map(image, index)),
        "row": percentile(np.stack([each.map(image, index) for each in maps.values()])),
        "model": percentile(maps[defense].all(image)),
    }


@pytest.mark.parametrize("mode", ["image", "row", "model"])
@pytest.mark.parametrize(("defense", "image"), [("none", "clean"), ("gradient_penalty", "tgsm")])
def test_a_map_is_drawn_on_the_scale_asked_for(lab, exhibit, shown, defense, image, mode):
    scale = scales(exhibit, defense, image, shown)[mode]
    stored = exhibit.results.maps(defense, METHOD).map(image, shown)
    path = f"/g/{exhibit.key}/{defense}/{image}/{shown}/{METHOD}"
    served = pixels_of(lab.client.get(f"{path}.png?scale={mode}"))
    assert np.array_equal(served, rendering.draw_map(stored, scale))
    facts = lab.client.get(f"{path}.json?scale={mode}").json()
    assert facts["scale"]["mode"] == mode
    assert facts["scale"]["value"] == pytest.approx(scale, rel=1e-6)


@pytest.mark.parametrize("image", ["clean", "tgsm"])
def test_a_scale_of_the_model_is_that_of_a_studys_map(lab, exhibit, shown, image):
    """A participant and a reader see the same colours for the same map under the same word."""
    for defense in exhibit.defenses:
        drawn = stimuli.saliency(exhibit.results, defense, image, shown, METHOD, scale="model")
        path = f"/g/{exhibit.key}/{defense}/{image}/{shown}/{METHOD}"
        facts = lab.client.get(f"{path}.json?scale=model").json()
        assert facts["scale"]["value"] == drawn.passport["saliency"]["scale"]
        served = pixels_of(lab.client.get(f"{path}.png?scale=model"))
        assert np.array_equal(served, drawn.pixels)


def test_one_map_is_served_without_reading_the_others(lab, exhibit, shown, monkeypatch):
    def refuse(*_):
        raise AssertionError("every map was read")

    monkeypatch.setattr(Blocks, "all", refuse)
    for mode in ("row", "model", "image"):
        path = f"/g/{exhibit.key}/none/tgsm/{shown}/{METHOD}"
        assert lab.client.get(f"{path}.png?scale={mode}").status_code == 200
        assert lab.client.get(f"{path}.json?scale={mode}").status_code == 200


def test_one_scale_for_the_row_is_the_default(lab, exhibit, shown):
    path = f"/g/{exhibit.key}/none/tgsm/{shown}/{METHOD}.png"
    assert lab.client.get(path).content == lab.client.get(f"{path}?scale=row").content


def test_a_map_of_zeros_is_neutral(lab, exhibit, shown):
    path = f"/g/{exhibit.key}/distillation/clean/{shown}/{METHOD}"
    served = pixels_of(lab.client.get(f"{path}.png?scale=image"))
    assert (served == rendering.PALETTE[127][:, None, None]).all()
    facts = lab.client.get(f"{path}.json?scale=image").json()
    assert (facts["max_abs"], facts["zero_share"], facts["scale"]["value"]) == (0, 1, 0)


def test_the_facts_lead_back_to_where_a_map_came_from(lab, exhibit, shown):
    path = f"/g/{exhibit.key}/gradient_penalty/tgsm/{shown}/{METHOD}.json"
    facts = lab.client.get(path).json()
    maps = exhibit.results.index.recipe.parents[f"maps:gradient_penalty:{METHOD}"]
    stored = exhibit.results.maps("gradient_penalty", METHOD).map("tgsm", shown)
    stimulus = exhibit.stimulus("gradient_penalty", "tgsm", shown)
    assert facts["quantity"] == "gradient of Σₖ log pₖ"
    assert (facts["artifact"]["key"], facts["artifact"]["content_sha256"]) == (
        maps.key,
        maps.content_sha256,
    )
    assert facts["values_sha256"] == hashlib.sha256(stored.tobytes()).hexdigest()
    assert facts["max_abs"] == pytest.approx(np.abs(stored).max())
    assert facts["experiment"]["key"] == exhibit.key
    assert facts["picture"]["stimulus_id"] == stimulus.stimulus_id
    assert facts["picture"]["passport"] == stimulus.passport
    assert lab.client.get(facts["links"]["png"]).status_code == 200
    assert lab.client.get(facts["picture"]["links"]["png"]).status_code == 200


def test_a_masked_gradient_shows_in_the_facts(lab, exhibit, shown):
    masked, moved = (
        lab.client.get(f"/g/{exhibit.key}/{defense}/fgsm/{shown}.json").json()["unchanged"]
        for defense in ("distillation", "none")
    )
    assert (masked, moved) == (True, False)


def test_a_browser_asks_again_and_is_spared_the_bytes(lab, exhibit, shown):
    for address in addresses(exhibit, "none", "tgsm", shown):
        first = lab.client.get(address)
        assert first.headers["cache-control"] == "no-cache"
        known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
        again = lab.client.get(address, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]


def test_nothing_of_a_live_study_can_be_had(lab, exhibit, hidden):
    nobody = lab.client.get(f"/g/{exhibit.key}/none/clean/999999.png")
    for defense, image in itertools.product(exhibit.defenses, exhibit.image_kinds):
        for address in addresses(exhibit, defense, image, hidden):
            answer = lab.client.get(address, headers={"If-None-Match": "*"})
            assert (answer.status_code, answer.content) == (404, nobody.content)
            assert dict(answer.headers) == dict(nobody.headers)


def test_what_a_study_holds_back_is_asked_at_every_request(tmp_path):
    lab = open_lab(tmp_path)
    found = catalog(lab.state.store.root)
    exhibit = found.exhibit(next(iter(found.titles())))

    def statuses():
        with lab.database.read() as s:
            live = repository.embargoed_image_ids(s, now=datetime.now(UTC))
        return live, {
            lab.client.get(f"/g/{exhibit.key}/none/clean/{index}.png").status_code
            for index, image in enumerate(exhibit.image_ids)
            if image in wanted
        }

    with lab.database.read() as s:
        wanted = repository.embargoed_image_ids(s, now=datetime.now(UTC))
    assert statuses() == (wanted, {404})
    lab.database.write(lambda s: repository.set_study_status(s, name="demo", status="closed"))
    assert statuses() == (set(), {200})
    lab.database.close()


@pytest.mark.parametrize(
    "path",
    [
        "{key}/nobody/clean/{index}.png",
        "{key}/none/nothing/{index}.png",
        "{key}/none/clean/60.json",
        "{key}/none/clean/99999999999999999999.png",
        "{key}/none/clean/" + 5000 * "9" + ".png",
        "{key}/none/clean/" + 5000 * "9" + "/input_gradient.json",
        "{key}/none/clean/\u0663.png",
        "{key}/none/clean/{index}/no_method.png",
        "{key}/none/clean/{index}/no_method.json",
        "{other}/none/clean/{index}.png",
        "%2e%2e/none/clean/{index}.png",
        "{key}/none/clean/x.png",
        "{key}/none/clean/-1.png",
        "{key}",
    ],
)
def test_unknown_names_are_not_found(lab, exhibit, shown, path):
    address = "/g/" + path.format(key=exhibit.key, other="0" * 64, index=shown)
    answer = lab.client.get(address)
    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"


def test_an_unknown_scale_is_refused(lab, exhibit, shown, hidden):
    for index in (shown, hidden):
        answer = lab.client.get(f"/g/{exhibit.key}/none/clean/{index}/{METHOD}.png?scale=log")
        assert answer.status_code == (422 if index == shown else 404)
    assert (
        "row, model, image"
        in lab.client.get(f"/g/{exhibit.key}/none/clean/{shown}/{METHOD}.png?scale=log").json()[
            "message"
        ]
    )


@pytest.mark.parametrize(
    "file", ["source.npz", "clean.npy", "summary.npz", "result.json", "manifest.json", None]
)
def test_a_damaged_artifact_is_one_calm_sentence(lab, exhibit, shown, tmp_path, file):
    shutil.copytree(lab.state.store.root, tmp_path / "artifacts")
    store = ArtifactStore(tmp_path / "artifacts")
    for kind in ("source", "maps"):
        for folder in (store.root / kind).iterdir():
            if file is None:
                shutil.rmtree(folder)
            elif (folder / file).exists():
                (folder / file).write_bytes(b"not what was stored")
    state = AppState(lab.database, store, b"k" * 64)
    client = TestClient(create_api(Context(state)))
    answer = client.get(f"/g/{exhibit.key}/none/clean/{shown}/{METHOD}.png")
    assert answer.status_code == 503
    assert answer.json()["error"] == "damaged"
    assert str(tmp_path) not in answer.text


def test_the_gallery_imports_no_torch():
    code = (
        "import sys, json; import study_app.api.gallery, study_app.gallery.page; "
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('torch', 'captum')]))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []

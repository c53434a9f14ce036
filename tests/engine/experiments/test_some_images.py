"""Attacks and maps of some of the test images: made, evaluated, shown, and drawn for a study."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from starlette.testclient import TestClient
from synthetic import experiment as synthetic
from tiny_run import InThisProcess, Log, experiment

from db.session import Database
from engine import report, stimuli
from engine.artifacts import ArtifactStore, Role
from engine.datasets import spread
from engine.errors import UsageError
from engine.experiments import plan
from engine.jobs import making
from engine.networks.memory import Memory
from engine.results import Results
from study_app import study
from study_app.api import Context, create_api
from study_app.cli.experiment_tables import run_tables
from study_app.design.study_design import design
from study_app.front.choice import choose
from study_app.gallery import grid_page
from study_app.gallery.catalog import catalog
from study_app.gallery.exhibit import Exhibit
from study_app.gallery.view import GalleryView
from study_app.installation import AppState

ALL = {
    "dataset": "digits:3,8",
    "defenses": {"none": {"title": "None", "defense": "none"}},
    "training": {"steps": 40, "batch_size": 32, "report_every": 20},
    "doubt": None,
}
FGSM = {"title": "FGSM", "attack": {"name": "fgsm", "eps": 0.3}}
# Its start is drawn for each image.
PGD = {"title": "PGD", "attack": {"name": "pgd", "eps": 0.2, "steps": 3}}
MAPS = {"title": "Gradient", "method": "input_gradient"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return ArtifactStore(tmp_path_factory.mktemp("home") / "artifacts")


@pytest.fixture(scope="module")
def whole(store):
    """Everything on all test images."""
    asked = experiment(**ALL, attacks={"fgsm": FGSM, "pgd": PGD}, saliency={"gradient": MAPS})
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


@pytest.fixture(scope="module")
def results(store, whole):
    """The same model, PGD on 12 images, FGSM on more than there are, maps of 20."""
    asked = experiment(
        **ALL,
        name="some",
        attacks={"fgsm": {**FGSM, "images": 5000}, "pgd": {**PGD, "images": 12}},
        saliency={"gradient": {**MAPS, "images": 20}},
        measure={"images": 10},
    )
    (index,) = plan.run(asked, store, Log(), InThisProcess(store))
    return Results(store, index)


def test_examples_are_those_of_the_chosen_images_and_no_others(results, whole):
    some, every = (each.examples("none", "pgd") for each in (results, whole))
    chosen = spread(whole.source.labels, 12)
    assert some.indices.tolist() == chosen.tolist()
    assert len(some) == len(some.label) == 12 < len(every) == len(every.indices)
    # The same start, so the same example, whatever other images there are.
    difference = some.pixels.astype(int) - every.pixels[chosen]
    assert (difference != 0).mean() < 0.01
    assert np.array_equal(some.true_label, whole.source.labels[chosen])
    assert np.array_equal(some.clean, whole.source.pixels[chosen])
    assert np.array_equal(some.before_label, whole.answers("none").label[chosen])
    assert some.taken.sum() == 12
    assert "indices" not in results.artifact(Role("examples", "none", "fgsm")).arrays(
        "examples.npz"
    )


def test_maps_explain_the_images_that_are_chosen_for_both(results, whole):
    maps, every = (each.maps("none", "gradient") for each in (results, whole))
    twenty, twelve = (spread(whole.source.labels, count) for count in (20, 12))
    assert maps.indices("clean").tolist() == maps.indices("fgsm").tolist() == twenty.tolist()
    assert maps.indices("pgd").tolist() == twelve.tolist()
    assert len(maps.all("pgd")) == len(maps.summary("pgd").scale) == 12
    index = int(twenty[7])
    for kind in ("clean", "fgsm"):
        np.testing.assert_allclose(maps.map(kind, index), every.map(kind, index), rtol=1e-4)
    missing = next(i for i in twenty if i not in twelve)
    with pytest.raises(UsageError, match=f"no test image {missing}: it was made of 12"):
        maps.map("pgd", int(missing))


def test_stimuli_name_their_own_source_image(results):
    source = results.source
    index = int(results.examples("none", "pgd").indices[5])
    for made in (
        stimuli.adversarial(results, "none", "pgd", index),
        stimuli.saliency(results, "none", "pgd", index, "gradient"),
        stimuli.edges(results, "none", "pgd", index),
    ):
        assert made.passport["source"]["index"] == index
        assert made.passport["source"]["image_id"] == source.image_ids[index]
        assert made.passport["true_label"] == source.labels[index]
    example = stimuli.adversarial(results, "none", "pgd", index)
    assert np.array_equal(example.pixels, results.examples("none", "pgd").pixels[5])
    assert (np.abs(example.pixels.astype(int) - source.pixels[index]) <= 0.2 * 255 + 1).all()
    drawn = stimuli.saliency(results, "none", "clean", index, "gradient", shown=0)
    assert drawn.passport["saliency"]["shown_image_id"] == source.image_ids[0]
    missing = next(i for i in range(len(source)) if not results.examples("none", "pgd").taken[i])
    with pytest.raises(UsageError, match="attack 'pgd' has no test image"):
        stimuli.adversarial(results, "none", "pgd", missing)


def test_hits_are_counted_among_the_attacked(results):
    hits = stimuli.hits(results, "none", "pgd")
    assert len(hits) == len(results.source)
    assert not hits[~results.examples("none", "pgd").taken].any()
    _, attrition = stimuli.hit_everywhere(results, [("none", "fgsm"), ("none", "pgd")])
    assert attrition["none x pgd"]["attempted"] == 12
    assert attrition["none x fgsm"]["attempted"] == len(results.source)


def test_accuracies_say_on_how_many_images_they_are(results):
    stored = results.evaluation()["examples"]
    made = results.examples("none", "pgd")
    assert stored["pgd"]["none"]["images"] == 12
    assert stored["pgd"]["none"]["tested"]["none"]["accuracy"] == pytest.approx(
        (made.label == made.true_label).mean()
    )
    assert "images" not in stored["fgsm"]["none"]
    assert len(results.measures("none")["labels"]) == 10
    (table,) = run_tables([results])
    headings = [str(column.header) for column in table.columns]
    assert "PGD (n = 12)" in headings
    assert "FGSM" in headings
    built = report.build([results], title="Tiny", command="plausibly report some")
    page = built.files["report.html"]
    page = page if isinstance(page, str) else page.decode()
    assert "PGD (n = 12)" in page
    assert "of the 20 explained ones" in page


def test_the_manifest_says_how_many_at_a_time_and_the_key_does_not(results, tmp_path):
    then = results.artifact(Role("examples", "none", "pgd"))
    assert then.manifest["environment"]["images_at_a_time"] == {"answers": 256, "attacks": 256}
    store = ArtifactStore(tmp_path / "artifacts")
    shutil.copytree(results.store.root, store.root)
    shutil.rmtree(store.root / "examples" / then.key)
    memory = Memory(8 * 2**30, largest=4)
    again = making.run(then.recipe, store, lambda _values: None, memory=memory)
    assert again.key == then.key
    environment = again.manifest["environment"]
    assert environment["images_at_a_time"] == {"answers": 4, "attacks": 4}
    assert environment["memory_budget"] == 8 * 2**30
    pixels = [each.arrays("examples.npz")["pixels"] for each in (then, again)]
    assert (pixels[0] != pixels[1]).mean() < 0.01


def test_more_images_than_there_are_is_noted_and_too_few_are_refused(results, store):
    count = len(results.source)
    assert (
        f"attacks.fgsm: 5000 test images are asked for; all {count} are taken"
        in (results.config["notes"])
    )
    for place, changes in {
        "attacks.fgsm": {"attacks": {"fgsm": {**FGSM, "images": 1}}},
        "saliency.gradient": {"saliency": {"gradient": {**MAPS, "images": 1}}},
        "measure": {"measure": {"images": 1}},
        "selection": {"selection": {"images": 1}},
    }.items():
        with pytest.raises(UsageError, match=rf"{place}: 1 images are too few .* 2 classes"):
            plan.find(experiment(**ALL, **changes), store)


def test_the_gallery_shows_the_images_that_have_maps(results, tmp_path):
    exhibit = catalog(results.store.root).exhibit(results.index.key)
    chosen = results.examples("none", "pgd").indices.tolist()
    view = GalleryView.parse({"image": "pgd"}, exhibit)
    rows = exhibit.visible((), method=view.method, kinds=view.shown_kinds)
    assert rows == chosen
    page = grid_page.legend(exhibit, view) + grid_page.grid(exhibit, view, rows)
    assert "of 12 attacked" in page
    assert exhibit.mapped("none", "gradient", rows[0]) == {
        "clean": "Clean",
        "fgsm": "FGSM",
        "pgd": "PGD",
    }
    twenty = exhibit.visible((), method="gradient", kinds=("clean",))
    other = next(index for index in twenty if index not in chosen)
    assert "pgd" not in exhibit.mapped("none", "gradient", other)
    assert {choice.index for choice in choose(exhibit, (), 3)} <= set(twenty)

    database = Database(tmp_path / "study.db")
    database.upgrade()
    client = TestClient(create_api(Context(AppState(database, results.store, b"k" * 64))))
    for address in set(re.findall(r'src="([^"]+)"', page)):
        assert client.get(address.replace("&amp;", "&")).status_code == 200
    base = f"/g/{exhibit.key}/none"
    unmapped = next(index for index in range(len(results.source)) if index not in twenty)
    assert client.get(f"{base}/clean/{unmapped}.png").status_code == 200
    assert client.get(f"{base}/fgsm/{unmapped}.png").status_code == 200
    for missing in (
        f"{base}/pgd/{other}.png",
        f"{base}/pgd/{other}/gradient.png",
        f"{base}/clean/{unmapped}/gradient.png",
    ):
        assert client.get(missing).status_code == 404, missing
    facts = client.get(f"{base}/pgd/{chosen[3]}/gradient.json").json()
    assert facts["picture"]["passport"]["source"]["image_id"] == exhibit.image_ids[chosen[3]]
    database.close()


def test_the_strongest_attack_is_found_on_the_images_that_all_have(results, whole):
    """On images of its own an attack would be compared with what it cannot be compared with."""
    made = Exhibit(results)
    shared = results.examples("none", "pgd").indices
    right = {}
    for attack in ("fgsm", "pgd"):
        examples = results.examples("none", attack)
        hit = examples.over_all(examples.label == examples.true_label, fill=False)
        right[attack] = hit[shared].mean()
        assert made._accuracy(attack, "none") == right[attack]
    assert made.strongest_attack == min(right, key=right.__getitem__)
    stored = whole.evaluation()["examples"]["pgd"]["none"]["tested"]["none"]["accuracy"]
    assert Exhibit(whole)._accuracy("pgd", "none") == stored


def test_a_study_takes_images_that_its_conditions_can_show(tmp_path):
    few = synthetic(ArtifactStore(tmp_path / "few"), some={"pgd": 60, "noise": 50})
    taken = set(few.examples("none", "noise").indices.tolist())
    loaded = study.load("demo")
    drawn = design(loaded, few)
    shown = {
        stimulus.passport["source"]["index"]
        for stimulus in drawn.stimuli.values()
        if stimulus.passport["kind"] == "control"
    }
    assert shown
    assert shown <= taken
    with pytest.raises(UsageError, match=r"needs \d+ source images .* 12 attempted"):
        design(loaded, synthetic(ArtifactStore(tmp_path / "too"), some={"pgd": 12}))


@pytest.mark.parametrize("name", ["saliency-preference", "hive2022-distinction"])
def test_a_study_shows_maps_of_explained_images_placebos_included(name, tmp_path):
    few = synthetic(ArtifactStore(tmp_path), some={"input_gradient": 45})
    explained = set(few.maps("none", "input_gradient").indices("clean").tolist())
    assert len(explained) == 45
    drawn = design(study.load(name), few)
    maps = [each.passport for each in drawn.stimuli.values() if each.passport["kind"] == "map"]
    of_method = [each for each in maps if each["saliency"]["name"] == "input_gradient"]
    assert of_method
    for passport in of_method:
        shown = passport["saliency"].get("shown_index", passport["source"]["index"])
        assert shown in explained

"""One of three models fails: the others are evaluated, indexed and reported, and nothing is lost.

The whole experiment is made once. For each failure it is copied, and what the odd model fails in is
taken out, so that only that is made again.
"""

from __future__ import annotations

import shutil

import broken_run
import odd_network
import pytest
from broken_run import DOCUMENT
from safetensors.torch import save_file
from tiny_run import InThisProcess, Log, experiment

from engine import report, results
from engine.artifacts import ArtifactStore, Role
from engine.errors import AbsentError, MachineError, PlausiblyError
from engine.execution.executor import TasksFailedError
from engine.experiments import plan
from engine.jobs import model
from engine.results import Results, failures

OF_ODD = {
    "model:odd", "answers:odd", "examples:odd:fgsm", "examples:odd:tgsm", "maps:odd:gradient",
    "measures:odd", "ladder:odd", "curve:c:odd",
}  # fmt: skip
TOGETHER = {"evaluate", "index"}
LOST = {
    "training": OF_ODD,
    "measures": {"measures:odd"},
    "attack": {"examples:odd:tgsm"},
    "ladder": {"ladder:odd"},
}
"""What is missing, by where the odd model fails."""
MADE_AFTERWARDS = {
    "training": {
        "train odd", "ask odd", "attack odd with fgsm", "attack odd with tgsm",
        "explain odd by gradient", "measure odd", "doubt odd", "curve c of odd",
    },
    "measures": {"measure odd"},
    "attack": {"attack odd with tgsm", "explain odd by gradient"},
    "ladder": {"doubt odd"},
}  # fmt: skip
"""What the mended run makes, beside the evaluation and the index. In the copy the artifacts that
compare all models are those of the whole experiment, and are found."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        store = ArtifactStore(tmp_path_factory.mktemp("whole") / "artifacts")
        made, log, error = broken_run.run(store, patch)
    assert error is None
    assert not made.missing
    assert len(log.made) == 28
    return made


@pytest.fixture
def copied(whole, tmp_path):
    """Return a copy of the whole experiment without the artifacts of these roles."""

    def copy(*roles: str) -> ArtifactStore:
        root = tmp_path / "artifacts"
        shutil.copytree(whole.store.root, root)
        for role in roles:
            gone = (whole.index if role == "index" else whole.artifact(Role.parse(role))).path
            shutil.rmtree(root / gone.relative_to(whole.store.root))
        return ArtifactStore(root)

    return copy


@pytest.mark.parametrize("place", broken_run.PLACES)
def test_what_is_whole_is_stored_and_reported_and_the_mended_run_makes_the_rest(
    place, whole, copied, monkeypatch, tmp_path
):
    explained = {"maps:odd:gradient"} if place == "attack" else set()
    store = copied(*(LOST[place] | explained), "evaluation", "index")

    partly, log, error = broken_run.run(store, monkeypatch, place)
    assert {str(role) for role in partly.missing} == LOST[place]
    (sentence,) = set(partly.missing.values())
    assert f"odd in {broken_run.PLACES[place]}" in sentence
    assert error is not None
    assert sentence in str(error)
    assert error.exit_code == 1
    assert set(log.made) >= TOGETHER
    assert partly.index.key != whole.index.key
    titles = {"none": "No defense", "penalty": "Penalty", "odd": "Odd"}
    kept = {k: v for k, v in titles.items() if place != "training" or k != "odd"}
    assert partly.whole_models == kept
    assert set(partly.evaluation()["models"]) == set(kept)
    # Nothing absent is a number.
    said = partly.evaluation()["models"].get("odd", {})
    assert ("zero_gradient_share" in said) == (place in ("attack", "ladder"))
    assert ("doubt" in said) == (place == "attack")

    assert plan.find(experiment(**DOCUMENT), store) == [partly.index]
    again, relog, _ = broken_run.run(store, monkeypatch, place)
    assert again.index == partly.index
    assert relog.made == []

    built = report.build([partly], title="Three", command="plausibly report three.yaml")
    page = built.files[report.PAGE].decode()
    assert "Incomplete." in page
    assert ("1 could not be checked" in page) == (place != "attack")
    assert f"odd in {broken_run.PLACES[place]}" in page
    table = built.files["tables/models-three.csv"].decode().splitlines()
    assert any(line.startswith("three,odd") for line in table)
    assert sum("odd in engine" in line for line in table) == (place != "ladder")
    assert f"ladder-{partly.name}" in built.figures

    mended, log, error = broken_run.run(store, monkeypatch)
    assert error is None
    assert mended.index.key == whole.index.key
    assert set(log.made) == MADE_AFTERWARDS[place] | TOGETHER
    assert results.find(store, "three").index == mended.index


def test_every_absence_says_what_and_why(whole, copied, monkeypatch):
    store = copied("examples:odd:tgsm", "maps:odd:gradient", "evaluation", "index")
    partly, _, _ = broken_run.run(store, monkeypatch, "attack")
    with pytest.raises(
        AbsentError,
        match=r"experiment 'three': the attack “TGSM” on “Odd” was not computed: attack odd with "
        r"tgsm: RuntimeError: odd in engine.attacks.tgsm; mend it and run the experiment again",
    ):
        partly.examples("odd", "tgsm")
    assert set(partly.maps("odd", "gradient").images) == {"clean", "fgsm"}
    (failure,) = failures(partly.missing)
    assert failure.lost(partly.config) == "the attack “TGSM” on “Odd”"
    assert (failure.models, failure.parts) == ((), (Role("examples", "odd", "tgsm"),))


def test_a_complete_run_is_shown_before_one_that_holds_less_of_the_same(whole, copied, monkeypatch):
    """A later run that met a failure does not hide it; one of a changed experiment is shown."""
    store = copied("measures:odd")
    partly, _, _ = broken_run.run(store, monkeypatch, "measures")
    newest = list(store.all("experiment"))[-1]
    assert newest == partly.index
    assert results.find(store, "three").index.key == whole.index.key

    changed = {**DOCUMENT, "attacks": {"fgsm": DOCUMENT["attacks"]["fgsm"]}}
    with pytest.raises(TasksFailedError) as caught:
        plan.run(experiment(**changed), store, Log(), InThisProcess(store))
    assert results.find(store, "three").index == caught.value.made["index"]


def test_a_full_disk_is_no_broken_model(whole, copied, monkeypatch):
    """What needs the artifact waits for the next run, as when a worker is killed."""
    store = copied("measures:odd", "evaluation", "index")

    class Full(InThisProcess):
        def _submit(self, task, recipe, observer):
            if task.name != "measure odd":
                return super()._submit(task, recipe, observer)
            future = super()._submit(task, recipe, observer)
            future.exception()
            full = type(future)()
            full.set_exception(MachineError("measure odd: cannot write: No space left on device"))
            return full

    monkeypatch.setenv("ODD_NETWORK_FAULT", "")
    log = Log()
    with pytest.raises(TasksFailedError, match=r"No space left.*2 tasks .* given up") as caught:
        plan.run(experiment(**DOCUMENT), store, log, Full(store))
    assert "index" not in caught.value.made
    assert not TOGETHER & set(log.made)


def test_a_run_without_any_whole_model_has_no_index(tmp_path, monkeypatch):
    monkeypatch.setenv("ODD_NETWORK_FAULT", broken_run.PLACES["training"])
    alone = {"odd": DOCUMENT["defenses"]["odd"]}
    store = ArtifactStore(tmp_path)
    with pytest.raises(TasksFailedError, match="train odd") as caught:
        plan.run(experiment(**{**DOCUMENT, "defenses": alone}), store, Log(), InThisProcess(store))
    assert set(caught.value.made) == {"source images", "data facts"}
    with pytest.raises(PlausiblyError, match="train odd has not been made"):
        plan.find(experiment(**{**DOCUMENT, "defenses": alone}), store)


def test_a_model_that_diverged_is_missing_with_the_sentence_of_its_training(tmp_path):
    wild = {
        "title": "Too strong",
        "defense": {"name": "gradient_penalty", "strength": 1e38},
        "training": {"steps": 400},
    }
    document = {**DOCUMENT, "defenses": {"none": DOCUMENT["defenses"]["none"], "wild": wild}}
    store = ArtifactStore(tmp_path)
    with pytest.raises(TasksFailedError, match="train wild: training diverged") as caught:
        plan.run(experiment(**document), store, Log(), InThisProcess(store))
    partly = Results(store, caught.value.made["index"])
    assert partly.whole_models == {"none": "No defense"}
    assert "training diverged" in str(partly.absence("wild"))
    assert plan.find(experiment(**document), store) == [partly.index]


def test_a_network_of_ones_own_that_raises_on_the_images_fails_alone(tmp_path, monkeypatch):
    """One that does not fit the file is refused before anything is made."""

    def adopt(*_arguments):
        raise RuntimeError("view size is not compatible")

    monkeypatch.setattr(model, "adopt", adopt)
    weights = tmp_path / "weights.safetensors"
    save_file(odd_network.OddNetwork(784, 2).state_dict(), weights)
    odd = DOCUMENT["defenses"]["odd"]
    own = {**odd, "architecture": {**odd["architecture"], "weights": str(weights)}}
    document = {
        **DOCUMENT,
        "defenses": {"none": DOCUMENT["defenses"]["none"], "odd": own},
        "curves": {},
        "doubt": None,
    }
    store = ArtifactStore(tmp_path / "artifacts")
    with pytest.raises(TasksFailedError, match="adopt odd: RuntimeError: view size") as caught:
        plan.run(experiment(**document), store, Log(), InThisProcess(store))
    assert caught.value.exit_code == 1
    partly = Results(store, caught.value.made["index"])
    assert partly.whole_models == {"none": "No defense"}

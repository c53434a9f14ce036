"""Every registered member keeps the registry's promises."""

import json

import pytest

from engine import attacks, datasets, defenses, metrics, models, preprocessing, saliency
from engine.errors import UsageError
from study_app import providers, questions

MODULES = (
    attacks, datasets, defenses, metrics, models, preprocessing, saliency, questions, providers,
)  # fmt: skip
READERS_IMPORTS = """
from engine import attacks, datasets, defenses, metrics, models, preprocessing, saliency
from study_app import providers, questions
"""
REQUIRED = {
    "external": {"module": "torch.nn:Flatten"},
    "prolific": {"complete": "C1234567"},
    "sona": {"credit": "https://uni.sona-systems.com/credit?id={id}"},
    "survey": {"items": [{"name": "why", "kind": "text", "prompt": "Why?"}]},
}
NESTED = [
    datasets.create("letters", system_fonts=[{"path": "a.ttf", "sha256": "0" * 64}]),
    datasets.create("digits:3,8"),
    defenses.combine(["adversarial_training", {"name": "gradient_penalty", "norm": "l1"}]),
    models.create("external", module="torch.nn:Flatten", arguments={"start_dim": 1}),
    models.create("small_cnn", channels=(4, 8), preprocessing=["grey", {"name": "shift", "by": 1}]),
    attacks.create("worst_case", attacks=[{"name": "fgsm", "eps": 0.1}], eps=0.2),
    attacks.create("random_sign", like={"name": "pgd", "step_size": None}),
    questions.registry.create(
        "rating_scale", prompt='It\'s "a" {x}?', ends=("Läuft", "läuft\nnicht")
    ),
]
MEMBERS = [(module.registry, name) for module in MODULES for name in module.registry.names()]
IDS = [f"{registry.noun}-{name}" for registry, name in MEMBERS]


@pytest.mark.parametrize(("registry", "name"), MEMBERS, ids=IDS)
def test_member_is_frozen_described_and_rebuilt_from_its_config(registry, name):
    member = registry.create(name, **REQUIRED.get(name, {}))
    assert member.name == name
    with pytest.raises(Exception, match="frozen"):
        member.anything = 1
    assert registry.schema(name)["type"] == "object"
    config = json.loads(json.dumps(member.config()))
    assert registry.from_config(config) == member
    assert registry.get(name).__doc__


@pytest.mark.parametrize(
    "member",
    [*(registry.create(name, **REQUIRED.get(name, {})) for registry, name in MEMBERS), *NESTED],
    ids=lambda member: f"{member.noun}-{member.name}",
)
def test_repr_is_the_call_that_rebuilds_the_member(member):
    imported = {}
    exec(READERS_IMPORTS, imported)
    assert eval(repr(member), imported) == member


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_unknown_names_are_refused_with_the_known_ones(module):
    with pytest.raises(UsageError, match="known: .*" + module.registry.names()[0]):
        module.registry.create("nonsense")


def test_unknown_parameters_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"attack 'fgsm'.*unknown parameter 'epsilon'.*eps, label"):
        attacks.create("fgsm", epsilon=0.3)


def test_wrong_values_are_refused_with_place_and_value():
    with pytest.raises(UsageError, match=r"steps = 0: .*greater than or equal to 1"):
        attacks.create("pgd", steps=0)

"""Every registered member keeps the registry's promises."""

import json

import pytest

from engine import attacks, datasets, defenses, models, preprocessing, saliency
from engine.errors import UsageError
from study_app import questions

MODULES = (attacks, datasets, defenses, models, preprocessing, saliency, questions)
REQUIRED = {
    "external": {"module": "torch.nn:Flatten"},
    "survey": {"items": [{"name": "why", "kind": "text", "prompt": "Why?"}]},
}
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


@pytest.mark.parametrize(("registry", "name"), MEMBERS, ids=IDS)
def test_repr_rebuilds_the_member(registry, name):
    member = registry.create(name, **REQUIRED.get(name, {}))
    call = repr(member)
    assert call.startswith(f"{registry.noun}s.create({name!r}")
    rebuilt = eval(call, {f"{registry.noun}s": registry})
    assert rebuilt == member


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_unknown_names_are_refused_with_the_known_ones(module):
    with pytest.raises(UsageError, match="known: .*" + module.registry.names()[0]):
        module.registry.create("nonsense")


def test_unknown_parameters_are_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"attack 'fgsm'.*unknown parameter 'epsilon'.*eps, label"):
        attacks.create("fgsm", epsilon=0.3)


def test_wrong_values_are_refused_with_place_and_value():
    with pytest.raises(UsageError, match=r"eps = 3: .*less than or equal to 1"):
        attacks.create("fgsm", eps=3)

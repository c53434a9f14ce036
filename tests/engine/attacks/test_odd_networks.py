"""Every attack on networks with odd habits: prepared or not, and on those that give NaN."""

import lab_networks
import pytest
import torch
from lab_networks import CLASSES, SHAPE
from torch import nn

from engine import attacks
from engine.attacks import GradientAttack
from engine.errors import NotFiniteError
from engine.networks.inference import GRADIENT as GRADIENT_OF_IMAGES
from engine.networks.inference import LOGIT, finite, gradient_norms, logits, looked_at

GRADIENT = [
    name
    for name in attacks.registry.names()
    if issubclass(attacks.registry.get(name), GradientAttack)
]
CHEAP = {
    "pgd": {"steps": 3, "restarts": 2},
    "minimum_norm": {"steps": 4, "restarts": 2},
    "tgsm": {"steps": 2},
    "jsma": {"gamma": 0.05},
    "square": {"queries": 5},
    "worst_case": {"attacks": [{"name": "pgd", "steps": 2}, {"name": "fgsm", "eps": 0.1}]},
}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(2)
    return torch.rand(5, *SHAPE, generator=generator), torch.arange(5) % CLASSES


@pytest.mark.parametrize("kind", ["Tutorial", "ViewOfTheImage", "ChannelsLast", "Tied"])
@pytest.mark.parametrize("name", attacks.registry.names())
def test_every_attack_works_on_networks_that_care_how_images_lie(name, kind, batch):
    torch.manual_seed(0)
    network, (x, y) = getattr(lab_networks, kind)().eval(), batch
    before = x.clone()
    made = []
    for prepare in (False, True) if name in GRADIENT else (None,):
        options = {} if prepare is None else {"prepare": prepare}
        attack = attacks.create(name, **CHEAP.get(name, {}), **options)
        made.append(attack(network, x, y))
        assert made[-1].is_contiguous()
        assert made[-1].shape == x.shape
        assert torch.equal(x, before)
        # How the caller's images lie in memory changes nothing.
        lying = x.clone(memory_format=torch.channels_last)
        assert torch.equal(attack(network, lying, y), made[-1])
    if kind == "Tutorial":  # the copy is the network
        assert all(torch.equal(each, made[0]) for each in made)


class GradientOfZero(nn.Module):
    """Finite logits, and a gradient that is not."""

    def __init__(self):
        super().__init__()
        self.inner = lab_networks.Plain()

    def forward(self, x):
        return self.inner(x) + (x - x).flatten(1).norm(dim=1, keepdim=True).sqrt()


@pytest.mark.parametrize("name", GRADIENT)
@pytest.mark.parametrize(
    ("make", "what"), [(GradientOfZero, "an input gradient"), (lab_networks.NaN, "a logit")]
)
def test_no_attack_goes_on_from_what_is_no_number(name, make, what, batch):
    network, (x, y) = make().eval(), batch
    with torch.no_grad():
        y = network(x).argmax(1) if make is GradientOfZero else y
    attack = attacks.create(name, **CHEAP.get(name, {}))
    if (name, make) == ("square", GradientOfZero):  # it asks for none
        assert torch.isfinite(attack(network, x, y)).all()
        return
    with pytest.raises(NotFiniteError, match=f"{what} of the network is nan"):
        attack(network, x, y)


class OnDevice(torch.Tensor):
    """Says that it lies on a GPU, where looking at a value means waiting."""

    is_cuda = True


def test_on_a_gpu_one_look_at_the_end_is_enough():
    whole, broken = (torch.tensor([value]).as_subclass(OnDevice) for value in (1.0, torch.nan))
    went_on = []

    def work():
        with finite():
            looked_at(whole, LOGIT)
            went_on.append(looked_at(broken, GRADIENT_OF_IMAGES))

    with pytest.raises(NotFiniteError, match="an input gradient of the network is not finite"):
        work()
    assert went_on[0] is broken
    with finite():
        looked_at(whole, LOGIT)
    assert looked_at(broken, LOGIT) is broken  # nobody asked


def test_no_answer_is_made_of_nan(batch):
    x = batch[0].numpy()
    with pytest.raises(NotFiniteError, match="a logit of the network is nan; look for weights"):
        logits(lab_networks.NaN(), x)
    with pytest.raises(NotFiniteError, match="input gradient"):
        gradient_norms(GradientOfZero(), x, batch[1].numpy())

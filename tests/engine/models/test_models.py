"""The architecture contract over every registered architecture, and what each one is."""

import copy
import os
import sys
import textwrap

import numpy as np
import pytest
import torch
from captum.attr import GuidedBackprop
from safetensors.torch import load_file, save, save_file
from torch import nn

from engine import models
from engine.errors import UsageError
from engine.models._weights import prefix
from engine.networks import inference
from engine.networks.spaces import Preprocessed

SHAPE, CLASSES = (3, 12, 12), 5
STEPS = {
    "preprocessing": ["grey", "gcn", {"name": "shift", "by": 0.25}],
    "input_layers": ["lcn"],
}
NETWORK = """
    from torch import nn

    class Tiny(nn.Sequential):
        def __init__(self, channels=3, hidden=16, classes=5):
            super().__init__(
                nn.Flatten(),
                nn.Linear(channels * 144, hidden),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Linear(hidden, classes),
            )

    class Pair(Tiny):
        def forward(self, x):
            return (super().forward(x),) * 2

    class Double(Tiny):
        def forward(self, x):
            return super().forward(x).double()

    def function():
        pass
"""
COUNT = iter(range(1000))


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The name of an importable module with the networks above."""
    folder = tmp_path_factory.mktemp("own")
    name = f"own_networks_{next(COUNT)}"
    (folder / f"{name}.py").write_text(textwrap.dedent(NETWORK))
    (folder / f"{name}_broken.py").write_text("import not_installed_anywhere\n")
    sys.path.insert(0, str(folder))
    yield name
    sys.path.remove(str(folder))
    for module in [m for m in sys.modules if m.startswith(name)]:
        del sys.modules[module]


TINY = {
    "external": {},
    "paper_cnn": {"channels": (3, 4), "hidden": 6},
    "resnet18": {"width": 2},
    "small_cnn": {"channels": (3, 4), "hidden": 6},
}


@pytest.fixture(params=models.registry.names())
def name(request):
    return request.param


@pytest.fixture(params=[{}, STEPS], ids=["plain", "preprocessed"])
def architecture(name, request, package):
    own = {}
    if name == "external":
        channels = 1 if request.param else 3
        own = {"module": f"{package}:Tiny", "arguments": {"channels": channels}}
    return models.create(name, **TINY[name], **own, **request.param)


@pytest.fixture
def batch():
    return torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def network(architecture, batch):
    """A network whose BatchNorm has seen images, in evaluation mode."""
    made = architecture.build(SHAPE, CLASSES, seed=3)
    made.train()
    for _ in range(3):
        made(batch)
    return made.eval()


def same(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_equal_seeds_give_equal_weights_and_the_callers_random_state_is_untouched(architecture):
    before = torch.random.get_rng_state()
    first, second, other = (architecture.build(SHAPE, CLASSES, seed=s) for s in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same(first, second)
    assert not same(first, other)


def test_logits_have_their_shape_and_do_not_depend_on_the_batch(network, batch):
    together = network(batch)
    assert together.shape == (6, CLASSES)
    assert together.dtype == torch.float32
    assert torch.isfinite(together).all()
    alone = torch.cat([network(batch[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)
    labels, _ = inference.predict(network, batch.numpy())
    assert np.array_equal(labels, together.argmax(1).numpy())


def test_the_evaluation_mode_changes_no_buffer(network, batch):
    before = copy.deepcopy(network)
    network(batch + 1)
    assert same(before, network)


def test_every_module_is_used_exactly_once_and_none_in_place(network, batch):
    calls = dict.fromkeys((m for m in network.modules() if not list(m.children())), 0)
    changed = []

    def before(module, inputs):
        calls[module] += 1
        module.seen = inputs[0].clone()

    def after(module, inputs, _output):
        if not torch.equal(module.seen, inputs[0]):
            changed.append(module)

    for module in calls:
        module.register_forward_pre_hook(before)
        module.register_forward_hook(after)
    network(batch)
    assert set(calls.values()) == {1}
    assert changed == []
    assert not any(getattr(module, "inplace", False) for module in calls)


def test_guided_backprop_sees_the_rectifiers(network, batch):
    x = batch.requires_grad_(True)
    (plain,) = torch.autograd.grad(network(x)[:, 0].sum(), x)
    guided = GuidedBackprop(network).attribute(x, target=0)
    assert torch.isfinite(guided).all()
    assert not torch.allclose(plain, guided, atol=1e-3 * float(plain.abs().max()))


def test_the_head_gives_the_logits(network, batch):
    seen = []
    head = inference.head(network, batch.numpy())
    head.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    assert torch.equal(network(batch), seen[0])
    assert head.out_features == CLASSES


def test_the_state_travels_through_safetensors(architecture, network, batch, tmp_path):
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    other = models.registry.from_config(architecture.config()).build(SHAPE, CLASSES, seed=9)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(other.eval()(batch), network(batch))


def test_steps_wrap_the_network_and_their_absence_does_not(name, architecture):
    made = architecture.build(SHAPE, CLASSES, seed=0)
    assert isinstance(made, Preprocessed) == bool(architecture.preprocessing)
    assert not architecture.pretrained
    architecture.check()


def test_a_configuration_with_steps_is_rebuilt_from_its_json_and_its_repr(name, package):
    own = {"module": f"{package}:Tiny"} if name == "external" else {}
    made = models.create(name, **own, **STEPS)
    assert models.registry.from_config(made.config()) == made
    assert made.config()["preprocessing"] == [
        {"name": "grey"},
        {"name": "gcn"},
        {"name": "shift", "by": 0.25},
    ]
    assert eval(repr(made), {"models": models}) == made


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32), (3, 32, 32)])
def test_paper_cnn_is_the_papers(shape):
    net = models.create("paper_cnn").build(shape, 10, seed=0)
    kinds = [type(module).__name__ for module in net]
    block = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
    dense = ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    assert kinds == block * 2 + dense
    assert net.conv1.weight.shape == (32, shape[0], 5, 5)
    assert net.conv2.weight.shape == (64, 32, 5, 5)
    assert net.hidden.weight.shape == (1024, 64 * (shape[1] // 4) ** 2)
    assert net.dropout.p == 0.5
    assert net.norm1.momentum == 0.1
    assert net.eval()(torch.rand(1, *shape)).shape == (1, 10)


@pytest.mark.parametrize("name", ["small_cnn", "paper_cnn"])
def test_batch_norm_can_be_left_out_and_the_rest_stays(name):
    with_norm, without = (
        models.create(name, batch_norm=wanted).build((1, 12, 12), 3, seed=1)
        for wanted in (True, False)
    )
    left_out = {n for n, _ in with_norm.named_children()} - {n for n, _ in without.named_children()}
    assert left_out == {"norm1", "norm2", "norm3"}
    for layer, weights in without.state_dict().items():
        assert torch.equal(weights, with_norm.state_dict()[layer])


def test_two_poolings_need_four_pixels():
    with pytest.raises(UsageError, match="at least 4x4 pixels, not 3x9"):
        models.create("small_cnn").build((1, 3, 9), 3, seed=0)


def test_resnet18_has_eighteen_layers_and_the_published_size():
    net = models.create("resnet18").build((3, 32, 32), 10, seed=0)
    counted = [
        layer
        for where, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and "shortcut" not in where
    ]
    assert len(counted) == 18
    assert [layer.out_channels for layer in counted[1:-1:4]] == [64, 128, 256, 512]
    assert sum(p.numel() for p in net.parameters()) == 11_173_962


@pytest.fixture
def weights(package, tmp_path):
    trained = models.create("external", module=f"{package}:Tiny").build(SHAPE, CLASSES, seed=8)
    path = tmp_path / "weights.safetensors"
    save_file(trained.state_dict(), path)
    return path, trained


def test_external_loads_its_weights_and_is_found_by_their_hash(package, weights, tmp_path):
    path, trained = weights
    here = models.create("external", module=f"{package}:Tiny", weights=str(path))
    assert same(here.build(SHAPE, CLASSES, seed=1), trained)
    assert here.pretrained
    here.check()
    moved = path.rename(tmp_path / "moved.safetensors")
    there = models.create("external", module=f"{package}:Tiny", weights=str(moved))
    assert there.config() == here.config()
    assert "weights" not in there.config()
    assert eval(repr(there), {"models": models}) == there


def test_external_read_back_builds_without_the_file_but_does_not_start_afresh(package, weights):
    path, _ = weights
    made = models.create("external", module=f"{package}:Tiny", weights=str(path))
    path.unlink()
    read_back = models.registry.from_config(made.config())
    assert read_back.build(SHAPE, CLASSES, seed=1)(torch.rand(2, *SHAPE)).shape == (2, CLASSES)
    with pytest.raises(UsageError, match="no weights; give the path"):
        read_back.check()


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("no_colon", "module = 'no_colon'"),
        ("nowhere.at_all:Net", "cannot import 'nowhere.at_all'.*ModuleNotFound.*PYTHONPATH"),
        ("{}_broken:Net", "cannot import .*not_installed_anywhere"),
        ("{}:Missing", "has no 'Missing'"),
        ("{}:function", "subclass of torch.nn.Module, not <function"),
        ("{}:nn", "subclass of torch.nn.Module, not <module"),
    ],
)
def test_external_refuses_what_is_no_network(module, said, package):
    with pytest.raises(UsageError, match=said):
        models.create("external", module=module.format(package))


def test_external_needs_a_module():
    with pytest.raises(UsageError, match="module"):
        models.create("external")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"arguments": {"width": 3}}, r"cannot build own.*:Tiny.*'width': 3.*unexpected keyword"),
        ({"arguments": {"classes": 3}}, r"float32 logits \(N, 5\).*\(2, 3\)"),
        ({"arguments": {"channels": 1}}, r"cannot take 2 images of shape \(3, 12, 12\).*Runtime"),
        ({"name": "Pair"}, r"it gave a tuple; return the tensor"),
        ({"name": "Double"}, r"it gave torch.float64 \(2, 5\); return `logits.float"),
        ({"class_names": ["a", "b"]}, "2 class_names, the dataset has 5"),
    ],
)
def test_external_refuses_what_does_not_give_logits(params, said, package):
    params = dict(params)
    module = f"{package}:{params.pop('name', 'Tiny')}"
    with pytest.raises(UsageError, match=said):
        models.create("external", module=module, **params).build(SHAPE, CLASSES, seed=0)


def test_only_a_network_that_knows_its_classes_refuses_others(package):
    module = f"{package}:Tiny"
    models.create("small_cnn").check_classes(["a", "b"])
    models.create("external", module=module).check_classes(["a", "b"])
    known = models.create("external", module=module, class_names=["a", "b"])
    known.check_classes(("a", "b"))
    with pytest.raises(UsageError, match="class_names are a, b, the dataset's are b, a"):
        known.check_classes(("b", "a"))


def test_external_refuses_weights_that_are_not_there_or_not_the_ones_meant(package, weights):
    path, _ = weights
    module = f"{package}:Tiny"
    with pytest.raises(UsageError, match=r"cannot read weights '/nowhere/w'.*No such file"):
        models.create("external", module=module, weights="/nowhere/w")
    os.mkfifo(path.with_name("pipe"))  # whoever opens it waits for ever
    with pytest.raises(UsageError, match="are no regular file"):
        models.create("external", module=module, weights=str(path.with_name("pipe")))
    with pytest.raises(UsageError, match=f"have SHA-256 .*weights_sha256 is {'0' * 64}"):
        models.create("external", module=module, weights=str(path), weights_sha256="0" * 64)
    with pytest.raises(UsageError, match="weights_sha256"):
        models.create("external", module=module, weights_sha256="short")
    made = models.create("external", module=module, weights=str(path))
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UsageError, match="have SHA-256"):
        made.build(SHAPE, CLASSES, seed=0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("1.weight"), r"missing: 1\.weight"),
        (lambda w: w.update(more=torch.zeros(1)), "unexpected: more"),
        (
            lambda w: w.update({"4.bias": torch.zeros(9)}),
            r"of another shape: 4\.bias \(9,\) for \(5,\)",
        ),
    ],
)
def test_external_names_the_tensors_that_do_not_fit(change, said, package, weights):
    path, trained = weights
    tensors = dict(trained.state_dict())
    change(tensors)
    path.write_bytes(save(tensors))
    made = models.create("external", module=f"{package}:Tiny", weights=str(path))
    with pytest.raises(UsageError, match=f"does not fit .*:Tiny; {said}"):
        made.build(SHAPE, CLASSES, seed=0)


@pytest.mark.parametrize("wrong", [float("inf"), {1, 2}, torch.tensor(1)])
def test_external_takes_the_arguments_that_it_stores(wrong, package):
    module = f"{package}:Tiny"
    made = models.create("external", module=module, arguments={"a": (1, {2: (3,)})})
    assert made.arguments == {"a": [1, {"2": [3]}]}
    assert models.registry.from_config(made.config()) == made
    with pytest.raises(UsageError, match=r"arguments = .*must be json"):
        models.create("external", module=module, arguments={"a": wrong})


@pytest.mark.parametrize(
    ("prefix", "by"),
    [
        ("module.", "DataParallel"),
        ("_orig_mod.", "torch.compile"),
        ("_orig_mod.module.", "DataParallel and torch.compile"),
        ("module._orig_mod.", "DataParallel and torch.compile"),
    ],
)
def test_external_names_a_wrappers_prefix_and_the_lines_that_strip_it(prefix, by, package, weights):
    path, trained = weights
    path.write_bytes(save({f"{prefix}{k}": v for k, v in trained.state_dict().items()}))
    made = models.create("external", module=f"{package}:Tiny", weights=str(path))
    with pytest.raises(UsageError, match=f"begins with '{prefix}', which {by} puts") as refused:
        made.build(SHAPE, CLASSES, seed=0)
    run_lines_of(refused)
    mended = models.create("external", module=f"{package}:Tiny", weights=str(path))
    assert same(mended.build(SHAPE, CLASSES, seed=0), trained)


def test_a_prefix_is_one_only_where_it_hides_what_is_wanted():
    assert prefix(["module.a", "module.b"], ["a", "b", "c"]) == "module."
    assert prefix(["module.a", "b"], ["a", "b"]) == ""
    assert prefix(["module.a"], ["module.a", "a"]) == ""
    assert prefix(["module.x"], ["a"]) == ""
    assert prefix([], ["a"]) == ""


def run_lines_of(refused):
    """Run the Python that a message gives in its last three lines."""
    lines = str(refused.value).splitlines()[-3:]
    exec("\n".join(line.strip() for line in lines), {})


@pytest.mark.parametrize("zipped", [True, False])
def test_external_loads_no_pickle_and_gives_the_lines_that_convert_it(
    zipped, package, weights, tmp_path
):
    _, trained = weights
    path = tmp_path / "own.weights.pt"
    torch.save(trained.state_dict(), path, _use_new_zipfile_serialization=zipped)
    made = models.create("external", module=f"{package}:Tiny", weights=str(path))
    with pytest.raises(
        UsageError, match=r"not a safetensors file but one of torch\.save"
    ) as refused:
        made.build(SHAPE, CLASSES, seed=0)
    run_lines_of(refused)
    converted = str(tmp_path / "own.weights.safetensors")
    mended = models.create("external", module=f"{package}:Tiny", weights=converted)
    assert same(mended.build(SHAPE, CLASSES, seed=0), trained)


def test_external_says_what_is_no_file_of_weights(package, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_text("nothing")
    made = models.create("external", module=f"{package}:Tiny", weights=str(path))
    with pytest.raises(UsageError, match=r"not a safetensors file .*; save the state dict with"):
        made.build(SHAPE, CLASSES, seed=0)


def test_every_built_in_network_declares_a_layer_with_a_height_and_a_width(name, architecture):
    made = architecture.build(SHAPE, CLASSES, seed=0).eval()
    network, cam = models.declared(nn.Sequential(made))
    assert network is (made.network if architecture.preprocessing else made)
    assert cam == architecture.cam_layer
    assert "declared_cam" not in " ".join(made.state_dict())
    if name == "external":
        assert cam is None
        return
    given = []
    models.layer_of(network, cam.layer, name).register_forward_hook(
        lambda *called: given.append(called[2].shape)
    )
    made(torch.rand(2, *SHAPE))
    side = {"resnet18": 2}.get(name, 6)
    assert given == [(2, given[0][1], side, side)]


def test_external_declares_a_layer_for_class_activation_maps(package):
    plain = models.create("external", module=f"{package}:Tiny")
    assert "cam" not in plain.config()
    cam = {"layer": "1", "reshape": "tokens", "skip": 1}
    made = models.create("external", module=f"{package}:Tiny", cam=cam)
    assert made.config() == {**plain.config(), "cam": cam}
    assert models.registry.from_config(made.config()) == made
    assert eval(repr(made), {"models": models}) == made
    assert models.declared(made.build(SHAPE, CLASSES, seed=0))[1] == models.CamLayer(**cam)
    with pytest.raises(
        UsageError, match=r"Tiny, cam: .* no layer '9'; its last ones are 0, 1, 2, 3, 4$"
    ):
        models.create("external", module=f"{package}:Tiny", cam={"layer": "9"}).build(
            SHAPE, CLASSES, seed=0
        )
    with pytest.raises(UsageError, match="skip is 1, and only tokens can be skipped"):
        models.create("external", module=f"{package}:Tiny", cam={"layer": "1", "skip": 1})
    with pytest.raises(UsageError, match=r"cam\.reshape = 'patches'"):
        models.create(
            "external", module=f"{package}:Tiny", cam={"layer": "1", "reshape": "patches"}
        )

"""A residual network of 18 layers for small colour images."""

from __future__ import annotations

from collections import OrderedDict

from pydantic import Field
from torch import Tensor, nn

from engine.models import Architecture, CamLayer, register


@register
class ResNet18(Architecture):
    """3x3 convolution, four stages of two basic blocks, global average, logits.

    He, Zhang, Ren & Sun (2016), ResNet-18 with the stem of their CIFAR networks: no stride and no
    pooling before the stages. Stages have 1, 2, 4 and 8 times `width` channels; all but the first
    halve the image. Where a block changes the shape, its shortcut is a 1x1 convolution. Initial
    weights as in He et al. (2015), by fan-out.

    Attributes:
        width: channels of the first stage; 64 is ResNet-18.
    """

    width: int = Field(64, ge=1)

    @property
    def cam_layer(self) -> CamLayer:
        """The last stage, whose mean over all places the logits are linear in."""
        return CamLayer(layer="stage4")

    def network(self, shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Return a fresh network; see `Architecture.network`."""
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=nn.Conv2d(shape[0], self.width, 3, padding=1, bias=False),
            norm=nn.BatchNorm2d(self.width),
            relu=nn.ReLU(),
        )
        given = self.width
        for stage in range(4):
            made = self.width * 2**stage
            layers[f"stage{stage + 1}"] = nn.Sequential(
                BasicBlock(given, made, stride=1 if stage == 0 else 2),
                BasicBlock(made, made, stride=1),
            )
            given = made
        layers["average"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["logits"] = nn.Linear(given, classes)
        network = nn.Sequential(layers)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        return network


class BasicBlock(nn.Module):
    """relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)), each ReLU a module of its own."""

    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, made, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(made)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(made, made, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(made)
        self.shortcut: nn.Module = nn.Identity()
        if given != made or stride != 1:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(given, made, 1, stride=stride, bias=False),
                    norm=nn.BatchNorm2d(made),
                )
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, made, H / stride, W / stride) for x (N, given, H, W)."""
        inner = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
        summed: Tensor = self.relu2(inner + self.shortcut(x))
        return summed

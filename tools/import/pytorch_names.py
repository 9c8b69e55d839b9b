# SPDX-License-Identifier: Apache-2.0
"""From the tensor names of known PyTorch checkpoints to those of configs/deeplab."""
import re

from refusal import Refusal

DROPPED = re.compile(r"(^|\.)(num_batches_tracked|aux_classifier\..*)$")

# torchvision's names are the configs' own.
TORCHVISION = []

# kazuto1011's deeplab-pytorch, as converted from the Caffe release; MSC wraps the network as `base`
KAZUTO = [
    (r"^base\.", ""),
    (r"^layer1\.conv1\.conv\.", "backbone.conv1."),
    (r"^layer1\.conv1\.bn\.", "backbone.bn1."),
    (r"^(layer[2-5])\.block(\d+)\.", lambda m: f"backbone.{m[1]}.{int(m[2]) - 1}."),
]

FAMILIES = {"deeplabv2_resnet101": KAZUTO, "deeplabv2_resnet101_msc": KAZUTO}


def renamed(tensors, model):
    """`tensors` under the config's names, without auxiliary heads, counters and the wrapper of data parallel training."""
    result = {}
    for name, tensor in tensors.items():
        name = re.sub(r"^module\.", "", name)
        if DROPPED.search(name):
            continue
        for pattern, replacement in FAMILIES.get(model, TORCHVISION):
            name = re.sub(pattern, replacement, name)
        if name in result:
            raise Refusal(f"two of its tensors are '{name}' of the config")
        result[name] = tensor
    return result

# SPDX-License-Identifier: Apache-2.0
"""From the layers of DeepLab's Caffe releases on VGG-16 to the tensors of their configs in configs/deeplab."""
import re

from refusal import Refusal

# fc8 is named after the data set: fc8_voc12
BACKBONE = [(r"conv(\d)_(\d)", r"backbone.conv\1_\2.conv")]
LARGE_FOV = [*BACKBONE, (r"(fc[67])", r"head.\1.conv"), (r"fc8(_[A-Za-z0-9]+)?", "head.fc8")]
ASPP = [*BACKBONE, (r"(fc[67])_([1-4])", r"aspp.\2.\1.conv"), (r"fc8(_[A-Za-z0-9]+)?_([1-4])", r"aspp.\2.fc8")]

FAMILIES = {"deeplabv1_largefov_vgg16": LARGE_FOV, "deeplabv2_vgg16_aspp_s": ASPP, "deeplabv2_vgg16_aspp_l": ASPP}


def renamed(weights, config):
    """Arrays by the config's names. `weights`: the Blobs of each layer."""
    if config not in FAMILIES:
        raise Refusal(f"--config {config}: its layers in Caffe have no known names; accepted are {', '.join(FAMILIES)}, "
                      "and for others the prototxt in place of --config")
    result = {}
    for layer, blobs in weights.items():
        name = next((match.expand(new) for old, new in FAMILIES[config] if (match := re.fullmatch(old, layer))), None)
        if name is None:
            raise Refusal(f"layer '{layer[:80]}' is none of {config}")
        if len(blobs) != 2:
            raise Refusal(f"layer '{layer}' has {len(blobs)} blobs; accepted are a weight and a bias")
        weight, bias = blobs
        if len(weight.dims) != 4:
            raise Refusal(f"the weight of layer '{layer}' has shape {list(weight.dims)}; accepted are four dimensions")
        result[name + ".weight"], result[name + ".bias"] = weight.data.reshape(weight.dims), bias.data
    return result

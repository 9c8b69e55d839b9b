# SPDX-License-Identifier: Apache-2.0
"""From the variables of TensorFlow's deeplab zoo to the tensors of its networks in configs/deeplab."""
import re

from refusal import Refusal

# A variable's last word: (tensor, how its axes are turned)
LAST = {"weights": ("weight", (3, 2, 0, 1)), "depthwise_weights": ("weight", (2, 3, 0, 1)), "biases": ("bias", None),
        "gamma": ("weight", None), "beta": ("bias", None), "moving_mean": ("running_mean", None), "moving_variance": ("running_var", None)}
MOBILENET_V2_UNITS = (1, 2, 3, 4, 3, 3, 1)      # of each stage


def mobilenet_v2_unit(match):
    """expanded_conv, expanded_conv_1 ... in stages."""
    unit, stage = int(match[1] or 0), 0
    while stage < len(MOBILENET_V2_UNITS) - 1 and unit >= MOBILENET_V2_UNITS[stage]:
        unit, stage = unit - MOBILENET_V2_UNITS[stage], stage + 1
    return f"backbone.stages.{stage}.{unit}.{match[2]}"


# Each: a layer's variable scope, the node of the config; `.conv` and `.bn`, or other ends, are added to what names no node.
MOBILENET_V2 = [
    (r"MobilenetV2/Conv", "backbone.stem"),
    (r"MobilenetV2/expanded_conv(?:_(\d+))?/(expand|depthwise|project)", mobilenet_v2_unit),
]
XCEPTION = [
    (r"xception_\d+/entry_flow/conv1_([12])", r"backbone.conv\1"),
    (r"xception_\d+/entry_flow/block(\d)/unit_1/xception_module/(.+)", r"backbone.entry\1.\2"),
    (r"xception_\d+/middle_flow/block1/unit_(\d+)/xception_module/(.+)", lambda m: f"backbone.flow.middle.{int(m[1]) - 1}.{m[2]}"),
    (r"xception_\d+/exit_flow/block([12])/unit_1/xception_module/(.+)", r"backbone.flow.exit\1.\2"),
]
IMAGE_POOL_HEAD = [(r"image_pooling", "head.pool"), (r"aspp0", "head.aspp0"), (r"concat_projection", "head.project"),
                   (r"logits/semantic", "head.logits")]
PLUS_HEAD = [
    (r"image_pooling", "aspp.image_pooling"), (r"aspp0", "aspp.aspp0"), (r"aspp([123])_(depthwise|pointwise)", r"aspp.aspp\1.\2"),
    (r"concat_projection", "aspp.project"), (r"decoder/feature_projection0", "decoder.low"),
    (r"decoder/decoder_conv([01])_(depthwise|pointwise)", r"decoder.conv\1.\2"), (r"logits/semantic", "decoder.logits"),
]
FAMILIES = {
    "deeplabv3_mobilenet_v2": MOBILENET_V2 + IMAGE_POOL_HEAD, "deeplabv3plus_mobilenet_v2": MOBILENET_V2 + PLUS_HEAD,
    "deeplabv3plus_xception41": XCEPTION + PLUS_HEAD, "deeplabv3plus_xception65": XCEPTION + PLUS_HEAD,
    "deeplabv3plus_xception71": XCEPTION + PLUS_HEAD,
}


def parts(node, config):
    """(convolution, batch norm) of the config behind a layer's node."""
    separable = re.fullmatch(r"(backbone\..+)\.separable_conv([123])_(depthwise|pointwise)", node)
    if separable:
        node = f"{separable[1]}.sep{separable[2]}.{separable[3]}"
        return node, node + "_bn"
    if node.endswith(".logits"):
        return node, None
    if config == "deeplabv3_mobilenet_v2" and node.startswith("head."):
        return node + ".0", node + ".1"
    return node + ".conv", node + ".bn"


def renamed(arrays, config):
    """Arrays by the config's names, of those by the graph's. What is no variable of a layer is left out."""
    if config not in FAMILIES:
        raise Refusal(f"--config {config}: its layers in TensorFlow have no known names; accepted are {', '.join(FAMILIES)}")
    result = {}
    for name, array in arrays.items():
        scope, _, last = name.rpartition("/")
        if last not in LAST:
            continue
        norm = scope.endswith("/BatchNorm")
        layer = scope[:-len("/BatchNorm")] if norm else scope
        node = next((match.expand(new) if isinstance(new, str) else new(match) for old, new in FAMILIES[config]
                     if (match := re.fullmatch(old, layer))), None)
        target = parts(node, config)[norm] if node is not None else None
        if target is None:
            raise Refusal(f"constant '{name}' is no variable of {config}")
        tensor, axes = LAST[last]
        if axes is not None and array.ndim != 4 or axes is None and array.ndim != 1:
            raise Refusal(f"constant '{name}' has shape {list(array.shape)}")
        if axes is not None:
            array = array.transpose(axes)
            array = array.reshape(-1, 1, *array.shape[2:]) if last == "depthwise_weights" else array
        result[f"{target}.{tensor}"] = array
    if not result:
        raise Refusal(f"holds no variable of {config}")
    return result

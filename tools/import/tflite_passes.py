# SPDX-License-Identifier: Apache-2.0
"""Rewrites a TensorFlow Lite graph into fewer and larger steps before it is translated; changes the Model given."""
import numpy as np

import tflite_schema as schema
from refusal import Refusal

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
RESHAPES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
CASTS = ("QUANTIZE", "DEQUANTIZE")


def forward(model, renamed):
    """Lets every reader of a tensor read another in its place."""
    def final(tensor):
        while tensor in renamed:
            tensor = renamed[tensor]
        return tensor
    for op in model.operators:
        op.inputs = [final(t) for t in op.inputs]
    model.output = final(model.output)


def is_identity(model, op):
    if not op.inputs or op.inputs[0] < 0:
        return False
    source, result = model.tensors[op.inputs[0]], model.tensors[op.outputs[0]]
    if op.kind in CASTS:
        return True
    return op.kind in RESHAPES + ("RESIZE_BILINEAR",) and source.shape == result.shape and len(source.shape) == 4


def drop_identities(model):
    """Quantising and dequantising (all is computed in float), reshapes and resizes that change nothing."""
    dropped = [op for op in model.operators if is_identity(model, op)]
    model.operators = [op for op in model.operators if not is_identity(model, op)]
    forward(model, {op.outputs[0]: op.inputs[0] for op in dropped})


def strip_tail(model):
    """Leaves the end to the engine: the argmax, the softmax, and the resize of the logits to the input's extent."""
    producers = model.producers()
    tensor = model.output
    while (op := producers.get(tensor)) and op.kind in RESHAPES + ("CAST",):
        tensor = op.inputs[0]
    if op and op.kind == "ARG_MAX":
        require_channels(model, op)
        model.output = op.inputs[0]
    op = producers.get(model.output)
    if op and op.kind == "SOFTMAX" and op.attributes["beta"] == 1:
        model.output = op.inputs[0]
    op = producers.get(model.output)
    if op and op.kind == "RESIZE_BILINEAR" and model.tensors[model.output].extent == model.tensors[model.input].extent:
        model.resize = coordinates(model, op)
        model.output = op.inputs[0]


def require_channels(model, op):
    rank = len(model.tensors[op.inputs[0]].dims)
    axis = model.constant(op.inputs[1]) if len(op.inputs) > 1 else None
    if axis is None or axis.size != 1 or int(axis.item()) not in (-1, rank - 1):
        model.refuse(op, "accepted is the axis of channels")


def coordinates(model, op):
    """The engine's word for how a bilinear resize finds its samples."""
    corners, centers = op.attributes["align_corners"], op.attributes["half_pixel_centers"]
    if corners != centers:
        return "align_corners" if corners else "half_pixel"
    if not corners and model.tensors[op.inputs[0]].extent == (1, 1):
        return "half_pixel"  # one pixel spreads the same way by any rule
    return model.refuse(op, "accepted is one of align_corners and half_pixel_centers, or an input of 1x1")


def name_padding(model):
    """The padding code of convolutions and pools becomes 'same' or 'valid'."""
    for op in model.operators:
        if "padding" in op.attributes:
            code = op.attributes["padding"]
            if not 0 <= code < len(schema.PADDINGS):
                model.refuse(op, f"padding code {code}; accepted are SAME and VALID")
            op.attributes["padding"] = schema.PADDINGS[code]


def kernel_of(model, op):
    dims = model.tensors[op.inputs[1]].dims if len(op.inputs) > 1 and op.inputs[1] >= 0 else ()
    if len(dims) != 4:
        model.refuse(op, f"its weights have {len(dims)} dimensions, not 4")
    return dims[1:3]


def integers(model, op, position, shape):
    """A constant operand of whole numbers, as a list of lists."""
    values = model.constant(op.inputs[position]) if len(op.inputs) > position else None
    if values is None or values.shape != shape or not (np.abs(values) < 65536).all():
        model.refuse(op, f"operand {position} must be a constant of shape {list(shape)}")
    return values.astype(int).tolist()


def fold_atrous(model):
    """SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND: the older way to write one convolution with a dilation.

    In each of the r x r phases of the padded image the kernel meets every r-th pixel, so the three are a convolution
    with rate r whose padding is what was put on less what was cut off.
    """
    producers, gone = model.producers(), set()
    for op in model.operators:
        split = producers.get(op.inputs[0]) if op.kind in CONVOLUTIONS and op.inputs else None
        if split is None or split.kind != "SPACE_TO_BATCH_ND":
            continue
        attributes, after = op.attributes, model.consumers(op.outputs[0])
        if len(after) != 1 or after[0].kind != "BATCH_TO_SPACE_ND" or len(split.inputs) < 3:
            model.refuse(op, "accepted is SPACE_TO_BATCH_ND, one convolution, BATCH_TO_SPACE_ND")
        if any(attributes[key] != 1 for key in ("stride_h", "stride_w", "dilation_h", "dilation_w")):
            model.refuse(op, "accepted between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND are stride and dilation 1")
        rates = integers(model, split, 1, (2,))
        if integers(model, after[0], 1, (2,)) != rates:
            model.refuse(after[0], f"its block differs from the {rates} of operator {split.index}")
        added, cut = integers(model, split, 2, (2, 2)), integers(model, after[0], 2, (2, 2))
        around, same = [], []
        for axis, kernel in enumerate(kernel_of(model, op)):
            inner = kernel - 1 if attributes["padding"] == "same" else 0
            total = rates[axis] * (kernel - 1)
            around.append([added[axis][0] + rates[axis] * (inner // 2) - cut[axis][0],
                           added[axis][1] + rates[axis] * (inner - inner // 2) - cut[axis][1]])
            same.append([total // 2, total - total // 2])
        attributes["dilation_h"], attributes["dilation_w"] = rates
        attributes["padding"] = "same" if around == same else [around[0][0], around[1][0], around[0][1], around[1][1]]
        if min(map(min, around)) < 0:
            model.refuse(op, f"would need the paddings {around}; accepted is 0 or more")
        op.inputs[0], op.outputs = split.inputs[0], after[0].outputs
        gone.add(after[0].index)
    model.operators = [op for op in model.operators if op.index not in gone]


def pad_edges(model, op):
    """[top, left, bottom, right] of a PAD, and its value."""
    edges = integers(model, op, 1, (4, 2))
    if any(edges[0] + edges[3]) or min(map(min, edges)) < 0:
        model.refuse(op, "accepted is padding of height and width, 0 or more")
    value = model.constant(op.inputs[2]) if len(op.inputs) > 2 else np.zeros(1)
    if value is None or value.size != 1:
        model.refuse(op, "its value must be one constant")
    return [edges[1][0], edges[2][0], edges[1][1], edges[2][1]], float(value.item())


def fold_pads(model):
    """A PAD with zeros before a VALID convolution is the padding of that convolution."""
    producers = model.producers()
    for op in model.operators:
        pad = producers.get(op.inputs[0]) if op.kind in CONVOLUTIONS and op.inputs else None
        if pad and pad.kind in ("PAD", "PADV2") and op.attributes["padding"] == "valid":
            edges, value = pad_edges(model, pad)
            if value == 0:
                op.attributes["padding"], op.inputs[0] = edges, pad.inputs[0]


def prune(model):
    """Only what the output needs."""
    needed, kept = {model.output}, []
    for op in reversed(model.operators):
        if needed.intersection(op.outputs):
            needed.update(op.inputs)
            kept.append(op)
    model.operators = kept[::-1]


def simplify(model):
    """All of the above but name_padding, in their order."""
    drop_identities(model)
    strip_tail(model)
    prune(model)
    fold_atrous(model)
    fold_pads(model)
    prune(model)
    if not model.operators:
        raise Refusal("the model computes nothing from its input")

# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's operators in plain NumPy and double precision, values [n, h, w, c]."""
import numpy as np

ACTIVATIONS = {"none": lambda x: x, "relu": lambda x: np.maximum(x, 0), "relu6": lambda x: np.clip(x, 0, 6),
               "relu_n1_to_1": lambda x: np.clip(x, -1, 1)}


def windows(x, kernel, stride, dilation, padding, fill):
    """[kh * kw, n, oh, ow, c]: what each tap of the kernel meets at each output pixel."""
    begin, extent = [], []
    padded = x
    for axis in (0, 1):
        size, reach = x.shape[axis + 1], dilation[axis] * (kernel[axis] - 1) + 1
        out = -(-size // stride[axis]) if padding == "same" else (size - reach) // stride[axis] + 1
        total = max(0, (out - 1) * stride[axis] + reach - size) if padding == "same" else 0
        begin.append(total // 2)
        extent.append(out)
        around = [(0, 0)] * 4
        around[axis + 1] = (total // 2, total - total // 2)
        padded = np.pad(padded, around, constant_values=fill)
    taps = []
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            rows = ky * dilation[0] + stride[0] * np.arange(extent[0])
            columns = kx * dilation[1] + stride[1] * np.arange(extent[1])
            taps.append(padded[:, rows][:, :, columns])
    return np.stack(taps)


def conv2d(x, weight, bias, stride=(1, 1), dilation=(1, 1), padding="same"):
    """weight [out, kh, kw, in / groups]"""
    out, kh, kw, each = weight.shape
    groups = x.shape[3] // each
    taps = windows(x, (kh, kw), stride, dilation, padding, 0.0)
    split = taps.reshape(*taps.shape[:4], groups, each)
    kernel = weight.reshape(groups, out // groups, kh * kw, each)
    return np.einsum("tnhwgi,goti->nhwgo", split, kernel).reshape(*taps.shape[1:4], out) + bias


def depthwise(x, weight, bias, stride=(1, 1), dilation=(1, 1), padding="same"):
    """weight [1, kh, kw, channels * multiplier]"""
    _, kh, kw, out = weight.shape
    taps = windows(x, (kh, kw), stride, dilation, padding, 0.0)
    kernel = weight.reshape(kh * kw, x.shape[3], -1)
    return np.einsum("tnhwc,tcm->nhwcm", taps, kernel).reshape(*taps.shape[1:4], out) + bias


def max_pool(x, kernel, stride, padding):
    return windows(x, kernel, stride, (1, 1), padding, -np.inf).max(0)


def average_pool(x, kernel, stride, padding):
    """Of the pixels within the image."""
    return np.nanmean(windows(x, kernel, stride, (1, 1), padding, np.nan), 0)


def resize(x, height, width, rule):
    for axis, out in ((1, height), (2, width)):
        size = x.shape[axis]
        if rule == "align_corners":
            at = np.arange(out) * ((size - 1) / (out - 1) if out > 1 else 0)
        else:
            at = (np.arange(out) + 0.5) * size / out - 0.5
        at = np.clip(at, 0, size - 1)
        low = np.floor(at).astype(int)
        share = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        x = x.take(low, axis) * (1 - share) + x.take(np.minimum(low + 1, size - 1), axis) * share
    return x


def space_to_batch(x, block, paddings):
    x = np.pad(x, ((0, 0), *paddings, (0, 0)))
    n, h, w, c = x.shape
    x = x.reshape(n, h // block[0], block[0], w // block[1], block[1], c)
    return x.transpose(2, 4, 0, 1, 3, 5).reshape(-1, h // block[0], w // block[1], c)


def batch_to_space(x, block, crops):
    n, h, w, c = x.shape
    x = x.reshape(block[0], block[1], -1, h, w, c).transpose(2, 3, 0, 4, 1, 5)
    x = x.reshape(-1, h * block[0], w * block[1], c)
    (top, bottom), (left, right) = crops
    return x[:, top:x.shape[1] - bottom, left:x.shape[2] - right]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)

# SPDX-License-Identifier: Apache-2.0
"""Caffe's layers in plain NumPy and double precision, values [c, h, w]."""
import numpy as np


def convolution(x, weight, bias=0, pad=(0, 0), stride=(1, 1), rate=(1, 1), group=1):
    """weight [out, in / group, kh, kw]"""
    out, each, kh, kw = weight.shape
    x = np.pad(x, ((0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    h, w = ((x.shape[i + 1] - rate[i] * (k - 1) - 1) // stride[i] + 1 for i, k in enumerate((kh, kw)))
    x = x.reshape(group, each, *x.shape[1:])
    kernel = weight.reshape(group, out // group, each, kh, kw)
    result = np.zeros((group, out // group, h, w))
    for ky in range(kh):
        for kx in range(kw):
            top, left = ky * rate[0], kx * rate[1]
            tap = x[:, :, top:top + (h - 1) * stride[0] + 1:stride[0], left:left + (w - 1) * stride[1] + 1:stride[1]]
            result += np.einsum("goi,gihw->gohw", kernel[..., ky, kx], tap)
    return result.reshape(out, h, w) + np.reshape(bias, (-1, 1, 1))


def pool(x, kind, kernel, stride=(1, 1), pad=(0, 0), ceil=True):
    """PoolingLayer: windows cut at the image for a maximum; the mean's area reaches into the padding, not beyond it."""
    sizes = []
    for i in (0, 1):
        room, around = x.shape[i + 1] + 2 * pad[i] - kernel[i], np.ceil if ceil else np.floor
        count = int(around(room / stride[i])) + 1
        if any(pad) and (count - 1) * stride[i] >= x.shape[i + 1] + pad[i]:
            count -= 1
        sizes.append(count)
    result = np.zeros((x.shape[0], *sizes))
    for py in range(sizes[0]):
        for px in range(sizes[1]):
            begin = [p * stride[i] - pad[i] for i, p in enumerate((py, px))]
            end = [min(begin[i] + kernel[i], x.shape[i + 1] + pad[i]) for i in (0, 1)]
            area = (end[0] - begin[0]) * (end[1] - begin[1])
            window = x[:, max(begin[0], 0):end[0], max(begin[1], 0):end[1]]
            result[:, py, px] = window.max((1, 2)) if kind == "MAX" else window.sum((1, 2)) / area
    return result


def batch_norm(x, mean, variance, factor, eps=1e-5):
    """The blobs as they are stored."""
    scale = 0 if factor[0] == 0 else 1 / factor[0]
    mean, variance = (np.reshape(v * scale, (-1, 1, 1)) for v in (mean, variance))
    return (x - mean) / np.sqrt(variance + eps)


def scale(x, weight, bias=0):
    return x * np.reshape(weight, (-1, 1, 1)) + np.reshape(bias, (-1, 1, 1))


def interp(x, height, width):
    """caffe_cpu_interp2, corners aligned"""
    for axis, out in ((1, height), (2, width)):
        size = x.shape[axis]
        ratio = (size - 1) / (out - 1) if out > 1 else 0
        at = ratio * np.arange(out)
        low = np.floor(at + 1e-12).astype(int)
        share = np.reshape(at - low, [-1 if i == axis else 1 for i in range(3)])
        x = x.take(low, axis) * (1 - share) + x.take(np.minimum(low + 1, size - 1), axis) * share
    return x


def lrn(x, size=5, alpha=1.0, beta=0.75, k=1.0):
    squares = np.pad(x * x, ((size // 2, size // 2), (0, 0), (0, 0)))
    total = sum(squares[i:i + x.shape[0]] for i in range(size))
    return x / (k + alpha / size * total) ** beta


def inner_product(x, weight, bias=0):
    return (weight @ x.reshape(-1) + bias).reshape(-1, 1, 1)


def relu(x, slope=0.0):
    return np.where(x > 0, x, slope * x)


def softmax(x):
    e = np.exp(x - x.max(0))
    return e / e.sum(0)

# SPDX-License-Identifier: Apache-2.0
"""Toy networks for the tests of the Caffe importer: layer by layer, and narrow ones in the shape of DeepLab's releases."""
from caffe_files import Word
from toy_caffe import ToyCaffe


def convolutions(toy):
    x = toy.conv("data", 6, 3, pad=1, stride=2)
    x = toy.conv(x, 8, (3, 1), rate=2, bias=False, fields={"kernel_h": 3, "kernel_w": 1, "hole": 2})
    x = toy.conv(x, 8, 3, pad=(4, 2), rate=(2, 1), group=2, fields={
        "kernel_size": 3, "pad": [4, 2], "dilation": [2, 1], "group": 2})
    x = toy.conv(x, 8, 2, group=8, pad=1, stride=(2, 1), fields={
        "kernel_size": 2, "pad_h": 1, "pad_w": 1, "stride_h": 2, "stride_w": 1, "group": 8})
    return toy.conv(x, 4)


def pools(toy):
    """Even and odd room, with and without padding, where a last window would begin behind the image, both roundings."""
    x = toy.conv("data", 5, 2)
    x = toy.pool(x, "MAX", 3, 2, 1)
    x = toy.pool(x, "AVE", 3, 1, 1)
    both = {"kernel_h": 2, "kernel_w": 3, "stride": 2, "pad_h": 1, "pad_w": 0}
    x = toy.pool(x, "AVE", (2, 3), 2, (1, 0), fields=both)
    x = toy.pool(x, "AVE", 3, 2, 2)
    x = toy.pool(x, "MAX", 2, 2, ceil=False, fields={"kernel_size": 2, "stride": 2, "round_mode": Word("FLOOR")})
    return toy.pool(x, "MAX", 2, 2)


def global_pools(toy):
    x = toy.conv("data", 4, 3)
    sides = toy.value[x].shape[1:]
    means = [toy.interp(toy.pool(x, kind, sides, fields={"global_pooling": True}), *sides) for kind in ("AVE", "MAX")]
    return toy.eltwise("SUM", x, *means)


def norms(toy):
    """Statistics with a factor, of 0 and of 1; merged or not; in place or not; a scale alone."""
    x = toy.scale(toy.batch_norm(toy.conv("data", 6, 3, bias=False)))
    x = toy.relu(toy.batch_norm(x, factor=0, eps=0.25, top=None))
    x = toy.scale(toy.batch_norm(toy.conv(x, 6), factor=1), bias=False)
    x = toy.scale(toy.conv(x, 6, bias=False), top=None)
    y = toy.batch_norm(x, top=None)
    return toy.eltwise("SUM", toy.scale(y, bias=False, top=None), y)   # a BatchNorm that two layers read


def element_by_element(toy):
    a, b, c = (toy.conv("data", 4, k, pad=k // 2) for k in (1, 3, 5))
    x = toy.eltwise("MAX", toy.eltwise("SUM", a, b, c), toy.eltwise("PROD", a, b), a)
    x = toy.eltwise("SUM", x, a, eltwise_param={"operation": 1, "coeff": [1, 1.0]})
    return toy.concatenated(x, b, toy.concatenated(c))


def activations(toy):
    x = toy.relu(toy.conv("data", 7), 0.1)
    a, b = toy.split(x)
    a = toy.simple("Sigmoid", toy.dropout(a))
    b = toy.simple("TanH", toy.local_norm(b, size=3, alpha=0.5, beta=0.6, k=2.0))
    x = toy.concatenated(a, b, toy.simple("Softmax", toy.conv(x, 5), softmax_param={"axis": 1}))
    return toy.conv(toy.local_norm(x), 4)


def resized(toy):
    """By each of the rules; a size that another value has, and one that none has."""
    x = toy.conv("data", 4, 3)
    small = toy.interp(x, shrink=3)
    y = toy.interp(toy.interp(toy.interp(small, zoom=2), shrink=2, zoom=3), 9, 14)
    y = toy.interp(y, 1, 1)
    return toy.eltwise("SUM", toy.interp(y, *toy.value[x].shape[1:]), x, toy.interp(small, *toy.value[x].shape[1:]))


def dense(toy):
    x = toy.pool(toy.conv("data", 5, 3, stride=3), "MAX", 3, 3)
    x = toy.relu(toy.inner_product(x, 9))
    return toy.inner_product(toy.inner_product(x, 6, bias=False, transpose=True), 4)


LAYERS = (convolutions, pools, global_pools, norms, element_by_element, activations, resized, dense)

SEG_DATA = """# the image, its label, and how large it is
layers { name: 'data' type: IMAGE_SEG_DATA top: "data" top: "label" top: "data_dim"
  image_data_param < source: "list.txt" batch_size: 1; label_type: NONE >
  transform_param { mean_value: 104.008 mean_value: 116.669, mean_value: 122.675 crop_size: 513 mirror: false }
  include: { phase: TEST } }
"""


def largefov(pixels):
    """DeepLab v1's VGG-16 with a wide field of view, in the old form: (toy, scores at the image's size)."""
    toy, x = ToyCaffe(pixels, SEG_DATA, 8, v1=True), "data"
    for stage, (count, out) in enumerate(((2, 3), (2, 4), (3, 5), (3, 6), (3, 6)), 1):
        rate = 2 if stage == 5 else 1
        for i in range(1, count + 1):
            x = toy.relu(toy.conv(x, out, 3, pad=rate, rate=rate, name=f"conv{stage}_{i}"), name=f"relu{stage}_{i}")
        x = toy.pool(x, "MAX", 3, 2 if stage < 4 else 1, 1)
    x = toy.pool(x, "AVE", 3, 1, 1)
    x = toy.dropout(toy.relu(toy.conv(x, 8, 3, pad=12, rate=12, name="fc6")))
    x = toy.dropout(toy.relu(toy.conv(x, 8, name="fc7")))
    scores = toy.interp(toy.conv(x, 5, name="fc8_voc12"), zoom=8)
    toy.layer("MatWrite", [scores], top="", mat_write_param={"prefix": "fc8/"}, include={"phase": Word("TEST")})
    crf = toy.layer("DenseCRF", [scores, "data_dim", "data"], name="crf", dense_crf_param={"max_iter": 10, "pos_w": 3})
    toy.layer("MatWrite", [crf], top="", mat_write_param={"prefix": "crf/"})
    return toy, scores


def residual(toy, x, out, stride, rate, name, suffix, blobs):
    """A bottleneck as in DeepLab v2; blobs of a name are made once and shared by all scales."""
    def unit(x, out, branch, relu, kernel=1, stride=1, rate=1):
        stem = f"{name}_{branch}"
        pad = rate if kernel == 3 else 0
        x = toy.shared_conv(blobs, x, out, kernel, pad, stride, rate, stem, suffix)
        return toy.relu(x) if relu else x
    width = out // 4
    short = unit(x, out, "branch1", False, stride=stride) if toy.value[x].shape[0] != out else x
    deep = unit(unit(x, width, "branch2a", True, stride=stride), width, "branch2b", True, 3, rate=rate)
    return toy.relu(toy.eltwise("SUM", short, unit(deep, out, "branch2c", False), name=f"{name}{suffix}"))


def multi_scale(pixels):
    """DeepLab v2's ResNet with three scales: (toy, the greatest scores at the image's size)."""
    toy = ToyCaffe(pixels, 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 321 '
                   'dim: 321 } } }\nlayer { name: "loss_data" type: "Data" top: "label" include { phase: TRAIN } }\n', 32)
    blobs, scores = {}, []
    images = {"": "data", "_res075": toy.interp("data", shrink=4, zoom=3), "_res05": toy.interp("data", shrink=2)}
    for suffix, x in images.items():
        x = toy.relu(toy.shared_conv(blobs, x, 4, 7, 3, 2, 1, "conv1", suffix))
        x = toy.pool(x, "MAX", 3, 2, 1)
        for name, out, stride, rate in (("res2a", 8, 1, 1), ("res2b", 8, 1, 1), ("res3a", 12, 2, 1), ("res4a", 16, 1, 2),
                                        ("res5a", 20, 1, 4)):
            x = residual(toy, x, out, stride, rate, name, suffix, blobs)
        branches = []
        for i, rate in enumerate((6, 12, 18, 24)):
            stem = f"fc1_voc12_c{i}"
            made = blobs.setdefault(stem, [toy.weights(5, 20, 3, 3), toy.vector(5)])
            branches.append(toy.conv(x, 5, 3, pad=rate, rate=rate, blobs=made, name=stem + suffix, share=(f"{stem}_0", f"{stem}_1")))
        scores.append(toy.eltwise("SUM", *branches))
    scores = [scores[0], toy.interp(scores[1], shrink=3, zoom=4), toy.interp(scores[2], zoom=2)]
    whole = toy.interp(toy.eltwise("MAX", *scores, name="fc_fusion"), zoom=8)
    toy.layer("SegAccuracy", [whole, "label"], name="accuracy", seg_accuracy_param={"ignore_label": 255})
    toy.layer("SoftmaxWithLoss", [whole, "label"], name="loss", include={"phase": Word("TRAIN")})
    return toy, whole

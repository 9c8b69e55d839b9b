# SPDX-License-Identifier: Apache-2.0
"""Small Caffe networks, computed in double precision while they are put together."""
import numpy as np

import caffe_files as files
import caffe_reference as caffe
from caffe_files import Word

MEAN = (104.008, 116.669, 122.675)
V1 = {"Convolution": "CONVOLUTION", "ReLU": "RELU", "Pooling": "POOLING", "Dropout": "DROPOUT", "Interp": "INTERP",
      "DenseCRF": "DENSE_CRF", "MatWrite": "MAT_WRITE", "ImageSegData": "IMAGE_SEG_DATA"}


def twice(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


class ToyCaffe:
    """Each method adds a layer and returns its top; `value` has what Caffe must compute for it."""

    def __init__(self, pixels, head="", multiple=None, v1=False, seed=3):
        """`pixels`: u8 [h, w, 3], RGB. `head`: the prototxt's beginning. `multiple`: padded with the mean to n * it + 1."""
        self.random, self.v1 = np.random.default_rng(seed), v1
        image = pixels[:, :, ::-1].transpose(2, 0, 1) - np.reshape(MEAN, (3, 1, 1))
        self.extent = image.shape[1:]
        if multiple:
            image = np.pad(image, ((0, 0), *((0, -(side - 1) % multiple) for side in self.extent)))
        self.value = {"data": image}
        self.text, self.blobs = head or f'input: "data"\ninput_dim: [1, 3, {image.shape[1]}, {image.shape[2]}]\n', []
        self.count = 0

    def layer(self, kind, bottoms, value=None, blobs=(), top=None, name=None, share=(), **parameters):
        """`share`: names of shared blobs. `top` is a new one unless it is given, "in place" for the bottom's."""
        self.count += 1
        name = name or f"{kind.lower()}{self.count}"
        top = {"in place": bottoms[0] if bottoms else None, None: name}.get(top, top)
        fields = {"name": name, "type": Word(V1[kind]) if self.v1 else kind, "bottom": list(bottoms), "top": [top] if top else []}
        if share:
            fields["param"] = [{"name": shared, "lr_mult": 1} for shared in share]
        self.text += files.text({"layers" if self.v1 else "layer": {**fields, **parameters}})
        if blobs:
            self.blobs.append((name, [np.asarray(b, np.float32) for b in blobs]))
        if value is not None:
            self.value[top] = value
        return top

    def weights(self, *shape):
        return self.random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)

    def vector(self, count, low=-0.5, high=0.5):
        return self.random.uniform(low, high, count).astype(np.float32)

    def conv(self, x, out, kernel=1, pad=0, stride=1, rate=1, group=1, bias=True, fields=None, blobs=None, **layer):
        """`fields`: how the prototxt says it, where not in the usual way; `blobs`: others' that are shared."""
        inputs = self.value[x].shape[0]
        made = blobs or [self.weights(out, inputs // group, *twice(kernel))] + [self.vector(out)] * bias
        if x == "data" and not blobs:
            made[0] /= 64   # of the pixels' range
        value = caffe.convolution(self.value[x], made[0].astype(float), made[1].astype(float) if bias else 0, twice(pad),
                                  twice(stride), twice(rate), group)
        usual = {"kernel_size": kernel, **({"pad": pad} if pad else {}), **({"stride": stride} if stride != 1 else {}),
                 **({"hole" if self.v1 else "dilation": rate} if rate != 1 else {}), **({"group": group} if group != 1 else {})}
        said = {"num_output": out, **(fields or usual), **({} if bias else {"bias_term": False}),
                "weight_filler": {"type": "xavier"}}
        return self.layer("Convolution", [x], value, made, convolution_param=said, **layer)

    def relu(self, x, slope=0.0, **layer):
        said = {"relu_param": {"negative_slope": slope}} if slope else {}
        return self.layer("ReLU", [x], caffe.relu(self.value[x], slope), top="in place", **said, **layer)

    def pool(self, x, kind, kernel, stride=1, pad=0, ceil=True, fields=None):
        value = caffe.pool(self.value[x], kind, twice(kernel), twice(stride), twice(pad), ceil)
        usual = {"kernel_size": kernel, "stride": stride, "pad": pad}
        return self.layer("Pooling", [x], value, pooling_param={"pool": Word(kind), **(fields or usual)})

    def norm_blobs(self, channels, factor):
        return [self.vector(channels) * factor, self.vector(channels, 0.3, 2) * (factor or 1), np.array([factor], np.float32)]

    def batch_norm(self, x, factor=999.98, eps=None, blobs=None, top="in place", **layer):
        blobs = blobs or self.norm_blobs(self.value[x].shape[0], factor)
        value = caffe.batch_norm(self.value[x], *(b.astype(float) for b in blobs), 1e-5 if eps is None else eps)
        said = {"use_global_stats": True, **({} if eps is None else {"eps": eps})}
        return self.layer("BatchNorm", [x], value, blobs, top, batch_norm_param=said, **layer)

    def scale(self, x, bias=True, blobs=None, top="in place", **layer):
        channels = self.value[x].shape[0]
        blobs = blobs or [self.vector(channels, 0.5, 1.5)] + [self.vector(channels)] * bias
        value = caffe.scale(self.value[x], *(b.astype(float) for b in blobs))
        return self.layer("Scale", [x], value, blobs, top, **({"scale_param": {"bias_term": True}} if bias else {}), **layer)

    def eltwise(self, kind, *xs, **layer):
        values = [self.value[x] for x in xs]
        value = {"SUM": sum(values), "PROD": np.prod(values, 0), "MAX": np.max(values, 0)}[kind]
        said = {} if kind == "SUM" and len(xs) == 2 else {"eltwise_param": {"operation": Word(kind)}}
        return self.layer("Eltwise", xs, value, **said, **layer)

    def interp(self, x, height=None, width=None, shrink=None, zoom=None):
        sides = self.value[x].shape[1:]
        size = (height, width) if height else tuple((n - 1) // (shrink or 1) * (zoom or 1) + 1 for n in sides)
        fields = {"height": height, "width": width, "shrink_factor": shrink, "zoom_factor": zoom}
        said = {**{name: value for name, value in fields.items() if value}, "pad_beg": 0, "pad_end": 0}
        return self.layer("Interp", [x], caffe.interp(self.value[x], *size), interp_param=said)

    def shared_conv(self, blobs, x, out, kernel, pad, stride, rate, stem, suffix):
        """Convolution, BatchNorm and Scale as DeepLab v2 has them. `blobs`: of all stems so far; `suffix`: of the scale."""
        inputs = self.value[x].shape[0]
        if stem not in blobs:
            weight = self.weights(out, inputs, kernel, kernel) / (64 if inputs == 3 else 1)
            blobs[stem] = [weight], self.norm_blobs(out, 999.98), [self.vector(out, 0.5, 1.5), self.vector(out)]
        weight, statistics, factors = blobs[stem]
        x = self.conv(x, out, kernel, pad, stride, rate, bias=False, blobs=weight, name=stem + suffix, share=[f"{stem}_0"])
        x = self.batch_norm(x, blobs=statistics, name=f"bn_{stem}{suffix}", share=[f"bn_{stem}_{i}" for i in range(3)])
        return self.scale(x, blobs=factors, name=f"scale_{stem}{suffix}", share=[f"scale_{stem}_{i}" for i in range(2)])

    def concatenated(self, *xs):
        return self.layer("Concat", xs, np.concatenate([self.value[x] for x in xs]), concat_param={"axis": 1})

    def simple(self, kind, x, **parameters):
        compute = {"Sigmoid": lambda v: 1 / (1 + np.exp(-v)), "TanH": np.tanh, "Softmax": caffe.softmax}[kind]
        return self.layer(kind, [x], compute(self.value[x]), **parameters)

    def dropout(self, x):
        return self.layer("Dropout", [x], self.value[x], top="in place", dropout_param={"dropout_ratio": 0.5})

    def split(self, x):
        """Two tops of one value, and a third that is silenced."""
        tops = [f"{x}_split_{i}" for i in range(3)]
        self.text += files.text({"layer": {"name": f"{x}_split", "type": "Split", "bottom": x, "top": tops}})
        self.text += files.text({"layer": {"name": f"{x}_silence", "type": "Silence", "bottom": tops[2]}})
        self.value.update({top: self.value[x] for top in tops})
        return tops[:2]

    def local_norm(self, x, **given):
        said = {{"size": "local_size"}.get(name, name): value for name, value in given.items()}
        return self.layer("LRN", [x], caffe.lrn(self.value[x], **given), **({"lrn_param": said} if said else {}))

    def inner_product(self, x, out, bias=True, transpose=False):
        blobs = [self.weights(out, self.value[x].size)] + [self.vector(out)] * bias
        value = caffe.inner_product(self.value[x], blobs[0].astype(float), blobs[1].astype(float) if bias else 0)
        said = {"num_output": out, **({} if bias else {"bias_term": False}), **({"transpose": True} if transpose else {})}
        stored = [blobs[0].T] + blobs[1:] if transpose else blobs
        return self.layer("InnerProduct", [x], value, stored, inner_product_param=said)

    def whole(self, x):
        """Scores at the input's size."""
        return self.interp(x, *self.value["data"].shape[1:])

    def expected(self, x):
        """[h, w, c] of the picture."""
        return self.value[x].transpose(1, 2, 0)[:self.extent[0], :self.extent[1]]

    def write(self, folder, styles=("packed",)):
        """The paths of the two files."""
        paths = folder / "deploy.prototxt", folder / "toy.caffemodel"
        paths[0].write_text(self.text)
        paths[1].write_bytes(files.caffemodel(self.blobs, styles, self.v1))
        return paths

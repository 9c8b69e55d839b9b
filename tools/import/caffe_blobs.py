# SPDX-License-Identifier: Apache-2.0
"""The blobs of a network's layers, with those that layers share, and what Caffe makes of a BatchNorm's."""
import numpy as np


class Blobs:
    """`weights`: from caffe_weights; `layers`: all that need blobs."""

    def __init__(self, layers, weights):
        self.weights, self.shared = weights, {}
        by_name = {layer.name: layer for layer in layers}
        for name, blobs in weights.items():     # of those that share, the last in the file counts, as in Caffe
            names = by_name[name].shared if name in by_name else []
            self.shared.update({shared: blob for shared, blob in zip(names, blobs) if shared})
        self.taken = {}

    def take(self, layer, shapes):
        """(arrays of these shapes in double precision, the Blobs they come from)"""
        if self.taken.setdefault(layer.name, layer) is not layer:
            layer.refuse("a layer with weights has that name already")
        own = self.weights.get(layer.name, [])
        if own and len(own) != len(shapes):
            layer.refuse(f"has {len(own)} blobs in the .caffemodel; accepted are {len(shapes)}")
        blobs, arrays = [], []
        for i, shape in enumerate(shapes):
            name = layer.shared[i] if i < len(layer.shared) else ""
            blob = self.shared.get(name) if name else own[i] if own else None
            if blob is None:
                layer.refuse("the .caffemodel has no blobs for it" + (
                    "; its name holds a placeholder for the scripts that run Caffe, write what it stands for" if "${" in layer.name
                    else ""))
            # older files give every shape four dimensions, ones in front
            if (1,) * (len(blob.dims) - len(shape)) + shape != blob.dims:
                layer.refuse(f"blob {i} is {list(blob.dims)}, not {list(shape)}")
            blobs.append(blob)
            arrays.append(blob.data.reshape(shape).astype(np.float64))
        return arrays, blobs


def normalisation(layer, mean, variance, factor, eps):
    """(mean, variance): BatchNorm keeps both as sums that the third blob divides; where that is 0 they count as 0."""
    scale = 0.0 if factor[0] == 0 else 1 / factor[0]
    mean, variance = mean * scale, variance * scale
    if not (variance + eps > 0).all():
        layer.refuse("a variance that is not above 0 with its eps")
    return mean, variance


def unit_statistics(channels, eps=1e-5):
    """Mean and variance with which a batch norm does not normalise. `eps`: the config format's default."""
    return {"running_mean": np.zeros(channels), "running_var": np.full(channels, 1 - eps)}

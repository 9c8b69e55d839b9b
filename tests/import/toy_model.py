# SPDX-License-Identifier: Apache-2.0
"""Small TensorFlow Lite models, computed in double precision while they are put together. Needs flatbuffers."""
import flatbuffers
import numpy as np

import tensorflow_reference as tf

TYPES = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4}
FUSED = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
CODES = {"ADD": 0, "AVERAGE_POOL_2D": 1, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6,
         "LOGISTIC": 14, "MAX_POOL_2D": 17, "MUL": 18, "RELU": 19, "RELU6": 21, "RESHAPE": 22, "RESIZE_BILINEAR": 23,
         "SOFTMAX": 25, "PAD": 34, "BATCH_TO_SPACE_ND": 37, "SPACE_TO_BATCH_ND": 38, "MEAN": 40, "SUB": 41, "SPLIT": 49,
         "ARG_MAX": 56}

# Of the operators that use what their first version did not have: dilation, half pixels, half precision.
VERSIONS = {CODES["DEPTHWISE_CONV_2D"]: 2, CODES["RESIZE_BILINEAR"]: 3, CODES["DEQUANTIZE"]: 3}


class ToyModel:
    """Each method adds an operator and returns its output's index; `value` has what a runtime must compute."""

    def __init__(self, pixels, seed=0):
        self.random = np.random.default_rng(seed)
        self.tensors, self.operators, self.value = [], [], []
        self.input = self.tensor(pixels[None] / 127.5 - 1, name="net/input")

    def tensor(self, value, constant=None, name="", dtype="float32"):
        value = np.asarray(value)
        self.tensors.append((name, value.shape, TYPES[dtype], constant))
        self.value.append(value.astype(np.float64))
        return len(self.tensors) - 1

    def constant(self, value, dtype="float32", name=""):
        value = np.asarray(value, dtype)
        return self.tensor(value, value.tobytes(), name, dtype)

    def op(self, kind, inputs, value, options=None, name="", dtype="float32"):
        """`options`: (code of the table, [(field, type, value)])"""
        output = self.tensor(value, name=f"net/{name or kind.lower() + str(len(self.operators))}", dtype=dtype)
        self.operators.append((CODES[kind], inputs, [output], options))
        return output

    def shape(self, x):
        return self.value[x].shape

    def weights(self, *shape):
        return self.constant(self.random.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape))

    def conv(self, x, out, kernel=(1, 1), stride=(1, 1), dilation=(1, 1), padding="same", act="none", groups=1,
             multiplier=0, bias=True, name=""):
        """A depthwise one where there is a `multiplier`."""
        channels = self.shape(x)[3]
        w = self.weights(*((1, *kernel, channels * multiplier) if multiplier else (out, *kernel, channels // groups)))
        b = self.constant(self.random.normal(0, 0.3, self.value[w].shape[3 if multiplier else 0])) if bias else None
        kind, compute = ("DEPTHWISE_CONV_2D", tf.depthwise) if multiplier else ("CONV_2D", tf.conv2d)
        value = compute(self.value[x], self.value[w], self.value[b] if bias else 0, stride, dilation, padding)
        table = [("int8", ("same", "valid").index(padding)), ("int32", stride[1]), ("int32", stride[0])]
        table += [("int32", multiplier)] if multiplier else []
        table += [("int8", FUSED[act]), ("int32", dilation[1]), ("int32", dilation[0])]
        options = (2 if multiplier else 1, [(i, *entry) for i, entry in enumerate(table)])
        return self.op(kind, [x, w, b] if bias else [x, w], tf.ACTIVATIONS[act](value), options, name)

    def atrous(self, x, rate, paddings, crops, **convolution):
        """The older encoding: into phases, a convolution, and back."""
        block, around = self.constant([rate, rate], "int32"), self.constant(paddings, "int32")
        phases = tf.space_to_batch(self.value[x], (rate, rate), paddings)
        split = self.op("SPACE_TO_BATCH_ND", [x, block, around], phases)
        y = self.conv(split, **convolution)
        cut = self.constant(crops, "int32")
        return self.op("BATCH_TO_SPACE_ND", [y, block, cut], tf.batch_to_space(self.value[y], (rate, rate), crops))

    def pool(self, x, kind, kernel, stride, padding="same"):
        compute = tf.max_pool if kind == "MAX_POOL_2D" else tf.average_pool
        table = [("int8", ("same", "valid").index(padding)), ("int32", stride[1]), ("int32", stride[0]),
                 ("int32", kernel[1]), ("int32", kernel[0])]
        return self.op(kind, [x], compute(self.value[x], kernel, stride, padding),
                       (5, [(i, *entry) for i, entry in enumerate(table)]))

    def binary(self, kind, x, y, act="none", name=""):
        compute = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply}[kind]
        table = {"ADD": 11, "SUB": 28, "MUL": 21}[kind]
        value = tf.ACTIVATIONS[act](compute(self.value[x], self.value[y]))
        return self.op(kind, [x, y], value, (table, [(0, "int8", FUSED[act])]), name)

    def resize(self, x, height, width, rule="align_corners"):
        options = (15, [(2, "bool", rule == "align_corners"), (3, "bool", rule == "half_pixel")])
        return self.op("RESIZE_BILINEAR", [x, self.constant([height, width], "int32")],
                       tf.resize(self.value[x], height, width, rule), options)

    def pad(self, x, around):
        return self.op("PAD", [x, self.constant([[0, 0], *around, [0, 0]], "int32")],
                       np.pad(self.value[x], ((0, 0), *around, (0, 0))))

    def concat(self, *xs):
        value = np.concatenate([self.value[x] for x in xs], 3)
        return self.op("CONCATENATION", list(xs), value, (10, [(0, "int32", 3)]))

    def mean(self, x):
        value = self.value[x].mean((1, 2))
        return self.op("MEAN", [x, self.constant([1, 2], "int32")], value, (27, [(0, "bool", False)]))

    def reshape(self, x, shape):
        return self.op("RESHAPE", [x, self.constant(shape, "int32")], self.value[x].reshape(shape))

    def softmax(self, x):
        return self.op("SOFTMAX", [x], tf.softmax(self.value[x]), (9, [(0, "float32", 1.0)]))

    def argmax(self, x):
        return self.op("ARG_MAX", [x, self.constant(3, "int32")], self.value[x].argmax(3), (40, []), dtype="int64")

    def unary(self, kind, x):
        compute = {"RELU": tf.ACTIVATIONS["relu"], "RELU6": tf.ACTIVATIONS["relu6"],
                   "LOGISTIC": lambda v: 1 / (1 + np.exp(-v))}[kind]
        return self.op(kind, [x], compute(self.value[x]))

    def half_precision(self, x):
        """A constant in float16 behind a DEQUANTIZE, as converters keep weights small."""
        stored = self.value[x].astype(np.float16)
        return self.op("DEQUANTIZE", [self.constant(stored, "float16")], stored)

    def bytes(self, output):
        return Packer().model(self, output)


class Packer:
    """FlatBuffers are written from the leaves up."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1 << 16)

    def table(self, fields):
        """`fields`: (number, type, value), type being a NumPy name or 'offset'."""
        b = self.builder
        slots = {"int8": b.PrependInt8Slot, "uint8": b.PrependUint8Slot, "int32": b.PrependInt32Slot,
                 "uint32": b.PrependUint32Slot, "bool": b.PrependBoolSlot, "float32": b.PrependFloat32Slot,
                 "offset": b.PrependUOffsetTRelativeSlot}
        b.StartObject(32)
        for number, kind, value in fields:
            slots[kind](number, value, 0)
        return b.EndObject()

    def vector(self, values, dtype):
        return self.builder.CreateNumpyVector(np.asarray(values, dtype))

    def data(self, content):
        """Bytes at a multiple of 16, as the format asks for."""
        b = self.builder
        b.StartVector(1, len(content), 16)
        b.head -= len(content)
        b.Bytes[b.head:b.head + len(content)] = content
        return self.end_vector(len(content))

    def offsets(self, values):
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependUOffsetTRelative(value)
        return self.end_vector(len(values))

    def end_vector(self, count):
        try:
            return self.builder.EndVector()
        except TypeError:   # flatbuffers before version 2
            return self.builder.EndVector(count)

    def tensor(self, name, shape, code, buffer):
        text, dims = self.builder.CreateString(name), self.vector(shape, np.int32)
        return self.table([(0, "offset", dims), (1, "int8", code), (2, "uint32", buffer), (3, "offset", text)])

    def operator(self, position, inputs, outputs, options):
        fields = [(0, "uint32", position), (1, "offset", self.vector(inputs, np.int32)),
                  (2, "offset", self.vector(outputs, np.int32))]
        if options:
            fields += [(3, "uint8", options[0]), (4, "offset", self.table(options[1]))]
        return self.table(fields)

    def model(self, toy, output):
        buffers, tensors = [self.table([])], []
        for name, shape, code, constant in toy.tensors:
            at = 0
            if constant is not None:
                at = len(buffers)
                buffers.append(self.table([(0, "offset", self.data(constant))]))
            tensors.append(self.tensor(name, shape, code, at))
        codes = sorted({code for code, *_ in toy.operators})
        operators = [self.operator(codes.index(code), *rest) for code, *rest in toy.operators]
        graph = self.table([(0, "offset", self.offsets(tensors)), (1, "offset", self.vector([toy.input], np.int32)),
                            (2, "offset", self.vector([output], np.int32)), (3, "offset", self.offsets(operators))])
        kinds = [self.table([(0, "int8", code), (2, "int32", VERSIONS.get(code, 1)), (3, "int32", code)])
                 for code in codes]
        root = [(0, "uint32", 3), (1, "offset", self.offsets(kinds)), (2, "offset", self.offsets([graph])),
                (4, "offset", self.offsets(buffers))]
        self.builder.Finish(self.table(root), file_identifier=b"TFL3")
        return bytes(self.builder.Output())

# SPDX-License-Identifier: Apache-2.0
"""Networks in the shape and with the names of TensorFlow's deeplab zoo, built without TensorFlow."""
import numpy as np

from toy_tensorflow import Extents, ToyGraph, Type

# (channels, stride) of each unit
MOBILENET_V2 = [(16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1), (96, 1), (96, 1), (96, 1),
                (160, 2), (160, 1), (160, 1), (320, 1)]


class Zoo(ToyGraph):
    """A whole frozen graph: what is done to the photo, a network, what is done to labels."""

    def __init__(self, pixels, seed=0):
        """`pixels`: u8 [h, w, 3], the photo as it comes to the network; h and w are the crop."""
        super().__init__(seed)
        self.crop = pixels.shape[:2]
        first, mean = self.const(0), self.node("Reshape", [self.const([127.5] * 3), self.const([1, 1, 3])])
        photo = self.node("Placeholder", (), None, "ImageTensor", dtype=Type("uint8"), shape=Extents([1, -1, -1, 3]))
        x = self.node("Squeeze", [self.node("Cast", [photo], DstT=Type("float32"))], squeeze_dims=[0])
        check = self.node("Identity", [self.node("GreaterEqual", [self.node("Rank", [x]), first])])     # of an assertion
        missing = [self.node("Sub", [self.const(side), self.side(photo, axis)]) for axis, side in enumerate(self.crop, 1)]
        edges = [self.node("Pack", [first, end], axis=0, N=2) for end in (first, *missing, first)]
        edges = self.node("Pack", edges, axis=0, N=4)
        x = self.node("Pad", [self.node("ExpandDims", [self.node("Sub", [x, mean, f"^{check}"]), first]), edges])
        x = self.node("ExpandDims", [self.node("Add", [self.node("Squeeze", [x], squeeze_dims=[0]), mean]), first])
        x = self.node("Mul", [self.const(np.float32(2 / 255).item(), "mul_1/x"), x], None, "mul_1")
        self.image = self.node("Sub", [x, self.const(1.0)], pixels[None] * float(np.float32(2 / 255)) - 1, "sub_7",
                               _output_shapes=[Extents([1, *self.crop, 3])])

    def side(self, x, axis):
        """One extent of a value, as a number."""
        words = [self.node("Shape", [x]), *(self.const([v]) for v in (axis, axis + 1, 1))]
        return self.node("StridedSlice", words, begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=1)

    def layer(self, x, out, scope, kernel=1, stride=1, rate=1, multiplier=0, act="Relu", epsilon=1e-5, fixed=False):
        """Convolution, batch norm, activation. `fixed`: padded by the kernel alone, as Xception does where there is a stride."""
        if rate > 1:
            x = self.atrous(x, out, rate, (kernel, kernel), scope, multiplier)
        else:
            if fixed:
                x = self.pad(x, [[rate, rate]] * 2)
            x = self.conv(x, out, (kernel, kernel), (stride, stride), padding="VALID" if fixed else "SAME", scope=scope,
                          multiplier=multiplier)
        x = self.norm(x, scope, epsilon)
        return self.unary(act, x) if act else x

    def mobilenet_v2(self, output_stride):
        x = self.layer(self.image, 32, "MobilenetV2/Conv", 3, 2, act="Relu6", epsilon=0.001)
        current, rate = 2, 1
        for i, (out, stride) in enumerate(MOBILENET_V2):
            scope = f"MobilenetV2/expanded_conv{f'_{i}' if i else ''}"
            step, unit_rate = (stride, rate) if current * stride <= output_stride else (1, rate)
            wide = self.layer(x, 6 * self.shape(x)[3], scope + "/expand", act="Relu6", epsilon=0.001) if i else x
            deep = self.layer(wide, 0, scope + "/depthwise", 3, step, unit_rate, 1, "Relu6", 0.001)
            thin = self.layer(deep, out, scope + "/project", act=None, epsilon=0.001)
            if stride == 1 and self.shape(x)[3] == out:
                thin = self.node("Add", [thin, x], self.value[thin] + self.value[x], scope + "/add")
            if step == stride:
                current *= stride
            else:
                rate *= stride
            x = self.identity(thin)
        return x

    def separable(self, x, out, scope, stride=1, rate=1, inside=True, epsilon=1e-5, before=False):
        act = "Relu" if inside else None
        x = self.unary("Relu", x) if before else x
        x = self.layer(x, 0, scope + "_depthwise", 3, stride, rate, 1, act, epsilon, fixed=stride > 1)
        return self.layer(x, out, scope + "_pointwise", act=act, epsilon=epsilon)

    def xception_unit(self, x, outs, scope, stride=1, shortcut="conv", inside=False):
        scope, residual, made = scope + "/unit_1/xception_module" if "unit_" not in scope else scope + "/xception_module", x, []
        for i, out in enumerate(outs, 1):
            residual = self.separable(residual, out, f"{scope}/separable_conv{i}", stride if i == 3 else 1, 1, inside, 0.001,
                                      before=not inside)
            made.append(residual)
        if shortcut == "conv":
            x = self.layer(x, outs[-1], scope + "/shortcut", stride=stride, act=None, epsilon=0.001)
        if shortcut:
            residual = self.node("Add", [residual, x], self.value[residual] + self.value[x], scope + "/add")
        return residual, made

    def xception_65(self):
        """At output stride 16. (features, what the decoder takes)"""
        name = "xception_65"
        x = self.layer(self.image, 32, f"{name}/entry_flow/conv1_1", 3, 2, epsilon=0.001, fixed=True)
        x = self.layer(x, 64, f"{name}/entry_flow/conv1_2", 3, epsilon=0.001)
        x, _ = self.xception_unit(x, (128,) * 3, f"{name}/entry_flow/block1", 2)
        x, made = self.xception_unit(x, (256,) * 3, f"{name}/entry_flow/block2", 2)
        x, _ = self.xception_unit(x, (728,) * 3, f"{name}/entry_flow/block3", 2)
        for i in range(1, 17):
            x, _ = self.xception_unit(x, (728,) * 3, f"{name}/middle_flow/block1/unit_{i}", shortcut="sum")
        x, _ = self.xception_unit(x, (728, 1024, 1024), f"{name}/exit_flow/block1")
        return self.xception_exit(x, name), made[1]

    def xception_exit(self, x, name):
        """The last unit has rate 2, for its stride would have been the one too many."""
        scope = f"{name}/exit_flow/block2/unit_1/xception_module/separable_conv"
        for i, out in enumerate((1536, 1536, 2048), 1):
            x = self.separable(x, out, f"{scope}{i}", rate=2, epsilon=0.001)
        return x

    def pyramid(self, x, rates):
        height, width = self.shape(x)[1:3]
        pooled = self.layer(self.pool("AvgPool", x, (height, width), (height, width), "VALID"), 256, "image_pooling")
        branches = [self.resize(pooled, height, width), self.layer(x, 256, "aspp0")]
        branches += [self.separable(x, 256, f"aspp{i}", rate=rate) for i, rate in enumerate(rates, 1)]
        return self.layer(self.concat(*branches), 256, "concat_projection")

    def decoder(self, x, low):
        height, width = self.shape(low)[1:3]
        low = self.layer(low, 48, "decoder/feature_projection0")
        x = self.concat(self.resize(x, height, width), self.resize(low, height, width))
        return self.separable(self.separable(x, 256, "decoder/decoder_conv0"), 256, "decoder/decoder_conv1")

    def end(self, x, classes=21):
        """(labels, the scores at the crop's extent)"""
        logits = self.conv(x, classes, scope="logits/semantic", bias=True)
        logits = self.node("AddN", [logits], self.value[logits], N=1)
        height, width = self.shape(logits)[1:3]
        scores = self.resize(self.resize(logits, height, width), *self.crop, size=self.extent(self.image))
        labels = self.node("Slice", [self.argmax(scores), self.const([0, 0, 0]), self.const([-1, *self.crop])])
        labels = self.node("ExpandDims", [labels, self.const(3)])
        labels = self.node("ResizeNearestNeighbor", [labels, self.extent("ImageTensor")], align_corners=True)
        return self.node("Identity", [self.node("Squeeze", [labels], squeeze_dims=[3])], None, "SemanticPredictions"), scores

# SPDX-License-Identifier: Apache-2.0
"""What this importer knows of caffe.proto and of the layers that DeepLab's releases add to it."""

# The enumerators of a V1LayerParameter's type (`layers { type: CONVOLUTION }`) that are not the later name in capitals.
V1_KINDS = {
    "ARGMAX": "ArgMax", "DENSE_CRF": "DenseCRF", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output",
    "IMAGE_DATA": "ImageData", "IMAGE_SEG_DATA": "ImageSegData", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN",
    "MAT_WRITE": "MatWrite", "MEMORY_DATA": "MemoryData", "RELU": "ReLU", "SEG_ACCURACY": "SegAccuracy",
    "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH", "WINDOW_DATA": "WindowData",
}

# Layers whose first top is the image
SOURCES = ("Input", "Data", "HDF5Data", "ImageData", "ImageSegData", "MemoryData", "WindowData")

# Layers that only look at values: they are dropped, and what nothing else reads is still an output
OBSERVERS = ("Accuracy", "HDF5Output", "MatWrite", "SegAccuracy", "SoftmaxWithLoss")

# Layers that change nothing when the network is used
IDENTITIES = ("Dropout", "Split")

# Layers at the end that the engine does itself
ENDS = ("ArgMax", "DenseCRF", "Softmax")

# The message of a kind's parameters, the fields that are understood, those that mean nothing here
PARAMETERS = {
    "ArgMax": ("argmax_param", "axis out_max_val top_k", ""),
    "BatchNorm": ("batch_norm_param", "use_global_stats eps", "moving_average_fraction"),
    "Concat": ("concat_param", "axis concat_dim", ""),
    "Convolution": ("convolution_param", "num_output kernel_size kernel_h kernel_w pad pad_h pad_w stride stride_h stride_w "
                    "dilation hole hole_h hole_w group bias_term axis", "weight_filler bias_filler engine force_nd_im2col"),
    "Eltwise": ("eltwise_param", "operation coeff", "stable_prod_grad"),
    "InnerProduct": ("inner_product_param", "num_output bias_term axis transpose", "weight_filler bias_filler"),
    "Interp": ("interp_param", "height width zoom_factor shrink_factor pad_beg pad_end", ""),
    "LRN": ("lrn_param", "local_size alpha beta k norm_region", "engine"),
    "Pooling": ("pooling_param", "pool kernel_size kernel_h kernel_w pad pad_h pad_w stride stride_h stride_w global_pooling "
                "ceil_mode round_mode", "engine"),
    "ReLU": ("relu_param", "negative_slope", "engine"),
    "Scale": ("scale_param", "axis num_axes bias_term", "filler bias_filler"),
    "Sigmoid": ("sigmoid_param", "", "engine"),
    "Softmax": ("softmax_param", "axis", "engine"),
    "TanH": ("tanh_param", "", "engine"),
}


def modern(kind):
    """A layer's type as newer files write it: MAT_WRITE is MatWrite."""
    if kind.isupper():
        return V1_KINDS.get(kind, "".join(word.capitalize() for word in kind.split("_")))
    return kind

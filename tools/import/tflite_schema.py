# SPDX-License-Identifier: Apache-2.0
"""What of TensorFlow Lite's file format (schema version 3) the importer knows: codes, types and operators' options."""

IDENTIFIER = b"TFL3"

# Operators by code, up to the last that a segmentation network is likely to hold.
OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION
LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH
CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM
ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR
ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE
RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND
COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
""".split()
CUSTOM = OPERATORS.index("CUSTOM")

# Tensor types by code, as NumPy spells them; None: not accepted where data or arithmetic is meant.
TYPES = ["f4", "f2", "i4", "u1", "i8", None, None, "i2", None, "i1"]

PADDINGS = ["same", "valid"]

# Fused activations by code, those that the runtime computes: None, or operator and keys of a config's node.
ACTIVATIONS = [None, ("relu", {}), ("clip", {"min": -1, "max": 1}), ("relu6", {})]

# Operator: (code of its options table, {attribute: (field, struct code, default)})
OPTIONS = {
    "CONV_2D": (1, {"padding": (0, "b", 0), "stride_w": (1, "i", 0), "stride_h": (2, "i", 0), "activation": (3, "b", 0),
                    "dilation_w": (4, "i", 1), "dilation_h": (5, "i", 1)}),
    "DEPTHWISE_CONV_2D": (2, {"padding": (0, "b", 0), "stride_w": (1, "i", 0), "stride_h": (2, "i", 0),
                              "activation": (4, "b", 0), "dilation_w": (5, "i", 1), "dilation_h": (6, "i", 1)}),
    "AVERAGE_POOL_2D": (5, {"padding": (0, "b", 0), "stride_w": (1, "i", 0), "stride_h": (2, "i", 0),
                            "kernel_w": (3, "i", 0), "kernel_h": (4, "i", 0), "activation": (5, "b", 0)}),
    "SOFTMAX": (9, {"beta": (0, "f", 0.0)}),
    "CONCATENATION": (10, {"axis": (0, "i", 0), "activation": (1, "b", 0)}),
    "ADD": (11, {"activation": (0, "b", 0)}),
    "RESIZE_BILINEAR": (15, {"align_corners": (2, "?", False), "half_pixel_centers": (3, "?", False)}),
    "MUL": (21, {"activation": (0, "b", 0)}),
    "SUB": (28, {"activation": (0, "b", 0)}),
    "DIV": (29, {"activation": (0, "b", 0)}),
    "LEAKY_RELU": (75, {"alpha": (0, "f", 0.0)}),
}
OPTIONS["MAX_POOL_2D"] = OPTIONS["AVERAGE_POOL_2D"]

# Operators that vanish on the way: folded into their neighbours, or without effect in floating point.
FOLDED = ["BATCH_TO_SPACE_ND", "CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RESHAPE", "SPACE_TO_BATCH_ND",
          "SQUEEZE"]

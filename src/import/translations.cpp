// SPDX-License-Identifier: Apache-2.0
#include "import/translations.h"

namespace atrous {

const std::unordered_map<std::string_view, Translation>& translations() {
  static const std::unordered_map<std::string_view, Translation> kTable = {
      {"Add", translate_binary},
      {"ArgMax", translate_argmax},
      {"AveragePool", translate_pool},
      {"BatchNormalization", translate_batch_norm},
      {"Cast", translate_cast},
      {"Clip", translate_clip},
      {"Concat", translate_concat},
      {"Conv", translate_conv},
      {"ConvTranspose", translate_conv_transpose},
      {"Div", translate_binary},
      {"Dropout", translate_identity},
      {"Expand", translate_expand},
      {"Flatten", translate_reshape},
      {"Gelu", translate_gelu},
      {"Gemm", translate_gemm},
      {"GlobalAveragePool", translate_global_pool},
      {"GlobalMaxPool", translate_global_pool},
      {"HardSigmoid", translate_hard_sigmoid},
      {"HardSwish", translate_activation},
      {"Identity", translate_identity},
      {"LRN", translate_lrn},
      {"LeakyRelu", translate_leaky_relu},
      {"LogSoftmax", translate_softmax},
      {"MatMul", translate_matmul},
      {"Max", translate_binary},
      {"MaxPool", translate_pool},
      {"Min", translate_binary},
      {"Mul", translate_binary},
      {"Pad", translate_pad},
      {"ReduceMax", translate_reduce},
      {"ReduceMean", translate_reduce},
      {"Relu", translate_activation},
      {"Reshape", translate_reshape},
      {"Resize", translate_resize},
      {"Sigmoid", translate_activation},
      {"Slice", translate_slice},
      {"Softmax", translate_softmax},
      {"Split", translate_split},
      {"Squeeze", translate_reshape},
      {"Sub", translate_binary},
      {"Sum", translate_binary},
      {"Tanh", translate_activation},
      {"Transpose", translate_transpose},
      {"Unsqueeze", translate_reshape},
      {"Upsample", translate_resize},
  };
  return kTable;
}

}  // namespace atrous

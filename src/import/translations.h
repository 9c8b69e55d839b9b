// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "import/translator.h"

/// One function an ONNX operator, or a few that differ in little.
namespace atrous {

// translate_conv.cpp
void translate_conv(NodeContext& c);
void translate_conv_transpose(NodeContext& c);  ///< only to say what would be accepted
void translate_gemm(NodeContext& c);
void translate_matmul(NodeContext& c);
// translate_norm.cpp
void translate_batch_norm(NodeContext& c);
void translate_lrn(NodeContext& c);
void translate_softmax(NodeContext& c);
void translate_argmax(NodeContext& c);
// translate_pool.cpp
void translate_pool(NodeContext& c);
void translate_global_pool(NodeContext& c);
void translate_reduce(NodeContext& c);
// translate_elementwise.cpp
void translate_binary(NodeContext& c);
void translate_activation(NodeContext& c);
void translate_leaky_relu(NodeContext& c);
void translate_gelu(NodeContext& c);
void translate_hard_sigmoid(NodeContext& c);
void translate_clip(NodeContext& c);
void translate_cast(NodeContext& c);
// translate_layout.cpp
void translate_identity(NodeContext& c);
void translate_reshape(NodeContext& c);
void translate_transpose(NodeContext& c);
void translate_expand(NodeContext& c);
// translate_parts.cpp
void translate_concat(NodeContext& c);
void translate_slice(NodeContext& c);
void translate_split(NodeContext& c);
void translate_pad(NodeContext& c);
// translate_resize.cpp
void translate_resize(NodeContext& c);

/// Kernel, stride, dilation and padding of a window operator, checked; `kernel` is [h, w].
struct Window {
  std::int64_t kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1;
  bool same = false;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  void add_to(Keys& keys, bool is_conv) const;
};
Window window_of(const NodeContext& c, const Dims& kernel);

}  // namespace atrous

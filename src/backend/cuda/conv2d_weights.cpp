// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/conv2d_weights.h"

#include <fmt/format.h>

#include "backend/cuda/conv2d_packing.h"
#include "backend/cuda/cuda_backend.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// The node's weight laid out by `pack`, and its bias.
ConvConstants upload_once(const NodeDesc& node, PrepareContext& context, std::string_view layout,
                          std::vector<std::byte> (*pack)(const ConvWeights&, DType)) {
  const DType dtype = node.inputs[0].dtype;
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
  ConvConstants constants;
  constants.weight =
      context.weights.get_or_make(fmt::format("{}|{}|{}", node.name, layout, to_string(dtype)), [&] {
        const std::vector<float> values = node.constant("weight")->read_f32();
        const ConvWeights weights{values, static_cast<std::size_t>(p.oc),
                                  static_cast<std::size_t>(p.kh) * p.kw};
        const std::vector<std::byte> packed = pack(weights, dtype);
        return upload_to_device(packed.data(), packed.size());
      });
  if (const Constant* bias = node.constant("bias"))
    constants.bias = context.weights.get_or_make(fmt::format("{}|bias", node.name), [&] {
      const std::vector<float> values = bias->read_f32();
      return upload_to_device(values.data(), values.size() * sizeof(float));
    });
  return constants;
}

}  // namespace

ConvConstants channel_major_constants(const NodeDesc& node, PrepareContext& context) {
  return upload_once(node, context, "channel_major", pack_channel_major);
}

ConvConstants dense_constants(const NodeDesc& node, PrepareContext& context) {
  return upload_once(node, context, "dense", pack_dense);
}

ConvConstants tap_major_constants(const NodeDesc& node, PrepareContext& context) {
  return upload_once(node, context, "tap_major", pack_tap_major);
}

}  // namespace atrous

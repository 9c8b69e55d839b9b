// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "backend/backend.h"

namespace atrous {

/// A convolution's constants on the device: the weight in the type of the node's input, the bias [oc] in f32
/// or null.
struct ConvConstants {
  std::shared_ptr<DeviceMemory> weight, bias;

  const float* bias_data() const { return bias ? reinterpret_cast<const float*>(bias->data()) : nullptr; }
};

/// A conv2d node's constants, uploaded once for all plans; the weight as pack_channel_major(),
/// pack_dense() or pack_tap_major() lays it out.
ConvConstants channel_major_constants(const NodeDesc& node, PrepareContext& context);
ConvConstants dense_constants(const NodeDesc& node, PrepareContext& context);
ConvConstants tap_major_constants(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous

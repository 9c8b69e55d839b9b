// SPDX-License-Identifier: Apache-2.0
#include "ops/cost.h"

namespace atrous {

Cost elementwise_cost(std::span<const Shape> inputs, const Shape& output, double flops_each) {
  auto elements = static_cast<double>(output.elements());
  Cost cost{flops_each * elements, 4 * elements};
  for (const Shape& input : inputs) cost.bytes += 4 * static_cast<double>(input.elements());
  return cost;
}

double constant_bytes(std::span<const ConstantSpec> constants) {
  double bytes = 0;
  for (const ConstantSpec& constant : constants) {
    double elements = 4;
    for (std::int64_t extent : constant.dims) elements *= static_cast<double>(extent);
    bytes += elements;
  }
  return bytes;
}

}  // namespace atrous

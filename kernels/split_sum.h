// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/conv2d_problem.h"
#include "kernels/device.h"

/// Sums of a convolution that several blocks computed in parts: fp32, part after part, each [pixel][channels
/// rounded up to 4].
namespace atrous::cuda {

struct SumParts {
  float* data = nullptr;  ///< null where sums are whole
  std::int64_t pixels = 0;
  int pitch = 0;
  int count = 1;

  ATROUS_HOST_DEVICE float* at(int part, std::int64_t pixel, int channel) const {
    return data + (part * pixels + pixel) * pitch + channel;
  }
};

std::size_t sum_parts_bytes(const Conv2dProblem& problem, int count);
/// Parts in `workspace` (sum_parts_bytes(), 16-byte aligned); whole sums for one part.
SumParts make_sum_parts(const Conv2dProblem& problem, int count, void* workspace);

/// Adds the parts in order and finishes the sums: bias, residual, activation.
void add_sum_parts(const SumParts& parts, const Conv2dProblem& problem, const Conv2dAddresses& at,
                   StreamHandle stream);

}  // namespace atrous::cuda

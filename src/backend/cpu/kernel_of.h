// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"
#include "backend/function_kernel.h"
#include "core/parallel.h"

namespace atrous {

inline const float* input_of(const KernelArgs& args, std::size_t i = 0) {
  return static_cast<const float*>(args.inputs[i]);
}
inline float* output_of(const KernelArgs& args) { return static_cast<float*>(args.output); }

/// One row of `pixels` pixels, `channels` each, between pitches (all in elements).
void copy_pixels(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch,
                 std::int64_t pixels, std::int64_t channels);

/// Same, for all pixels of a tensor, in parallel.
void copy_tensor(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch,
                 const Shape& shape);

}  // namespace atrous

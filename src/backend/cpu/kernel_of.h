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

/// One row of `pixels` pixels, `channels` each, between pitches (all in elements of `dtype`).
void copy_pixels(const void* from, std::int64_t from_pitch, void* to, std::int64_t to_pitch,
                 std::int64_t pixels, std::int64_t channels, DType dtype = DType::f32);

/// Same, for all pixels of a tensor, in parallel.
void copy_tensor(const void* from, std::int64_t from_pitch, void* to, std::int64_t to_pitch,
                 const Shape& shape, DType dtype = DType::f32);

}  // namespace atrous

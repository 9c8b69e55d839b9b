// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "backend/cuda/runtime.h"
#include "core/types.h"
#include "ops/params.h"

/// Template morphing; equations in ops/template_morph.cpp.
namespace atrous::cuda {

/// Descriptors of one node, f32, f16 or bf16 alike.
struct MorphTensors {
  TensorDesc coefficients, boxes, out;
};

/// Addresses on the device. `templates`: f32 [sum of p.templates, mh, mw]; `first`: where each label's begin,
/// K
/// + 1 values; `workspace`: template_morph_workspace() bytes at a multiple of 16.
struct MorphAddresses {
  const void *coefficients, *boxes;
  const float* templates;
  const int* first;
  void *workspace, *out;
};

std::size_t template_morph_workspace(const TemplateMorphParams& p, const MorphTensors& tensors);

/// Each tensor below 2^31 elements, gaps included; at most 254 labels.
void template_morph(const TemplateMorphParams& p, const MorphTensors& tensors, const MorphAddresses& at,
                    StreamHandle stream);

}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "image/preprocess.h"
#include "image/template_sheet.h"
#include "pipeline/model.h"

namespace atrous {

/// The masks, boxes and names of a model's first template_morph, from its two inputs for one photo:
/// `coefficients` [sum of templates] and `boxes` [5 K]. m_k = clamp(D_k alpha_k, 0, 1).
TemplateMasks template_masks(const Model& model, std::span<const float> coefficients,
                             std::span<const float> boxes, const Geometry& geometry);

}  // namespace atrous

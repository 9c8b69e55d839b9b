// SPDX-License-Identifier: Apache-2.0
#include "pipeline/template_values.h"

#include <algorithm>

#include "core/error.h"

namespace atrous {

TemplateMasks template_masks(const Model& model, std::span<const float> coefficients,
                             std::span<const float> boxes, const Geometry& geometry) {
  const Node* node = model.network()->graph().first(OpKind::template_morph);
  if (node == nullptr)
    fail(ErrorCode::unsupported, "model '{}' has no template_morph whose templates could be shown",
         model.config().name);
  const auto& p = std::get<TemplateMorphParams>(node->params);
  TemplateMasks result{p.mh, p.mw, {}, {boxes.begin(), boxes.end()}, p.names, 0, 0};
  for (std::size_t k = result.names.size(); k < p.templates.size(); ++k)
    result.names.push_back(std::to_string(k + 1));
  result.map_width = static_cast<double>(geometry.width) * geometry.photo_width / geometry.scaled_width;
  result.map_height = static_cast<double>(geometry.height) * geometry.photo_height / geometry.scaled_height;
  const std::vector<float> dictionary = node->constants.front().read_f32();
  const auto pixels = static_cast<std::size_t>(p.mh) * static_cast<std::size_t>(p.mw);
  const float *values = dictionary.data(), *alpha = coefficients.data();
  for (int count : p.templates) {
    std::vector<float> mask(pixels);
    for (int t = 0; t < count; ++t, ++alpha)
      for (std::size_t i = 0; i < pixels; ++i) mask[i] += *alpha * *values++;
    for (float value : mask) result.masks.push_back(std::clamp(value, 0.0F, 1.0F));
  }
  return result;
}

}  // namespace atrous

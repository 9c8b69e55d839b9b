// SPDX-License-Identifier: Apache-2.0
#include "refine/scores.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "core/softmax.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "refine/scores.cpp"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// after foreach_target
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace atrous::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// U of `count` probabilities, in their place. What is not finite stays so.
void take_energies(float* values, std::int64_t count) {
  const hn::ScalableTag<float> tag;
  const auto energy = [](auto d, const float* from) {
    const auto p = hn::LoadU(d, from);
    const auto finite = hn::Lt(hn::Abs(p), hn::Set(d, std::numeric_limits<float>::infinity()));
    return hn::Neg(hn::IfThenElse(finite, hn::Log(d, hn::Max(p, hn::Set(d, 1e-5F))), p));
  };
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(energy(tag, values + i), tag, values + i);
  for (const hn::CappedTag<float, 1> one; i < count; ++i)
    hn::StoreU(energy(one, values + i), one, values + i);
}

}  // namespace atrous::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace atrous {

HWY_EXPORT(take_energies);

ScoreMap softmax_of(ScoreMap scores, float sign) {
  parallel_blocks(static_cast<std::int64_t>(scores.pixels()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* pixel = scores.pixel(static_cast<std::size_t>(i));
      for (int c = 0; c < scores.classes; ++c) pixel[c] *= sign;
      softmax(pixel, pixel, scores.classes);
    }
  });
  return scores;
}

ScoreMap unary_from_probabilities(ScoreMap probabilities) {
  parallel_blocks(std::ssize(probabilities.values), [&](std::int64_t begin, std::int64_t end) {
    HWY_DYNAMIC_DISPATCH(take_energies)(probabilities.values.data() + begin, end - begin);
  });
  return probabilities;
}

ScoreMap unary_from_logits(ScoreMap logits) {
  return unary_from_probabilities(softmax_of(std::move(logits), 1));
}

LabelMap argmax(const ScoreMap& scores) {
  LabelMap labels{scores.width, scores.height, std::vector<std::uint8_t>(scores.pixels())};
  parallel_blocks(std::ssize(labels.ids), [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const float* pixel = scores.pixel(i);
      labels.ids[i] = static_cast<std::uint8_t>(std::max_element(pixel, pixel + scores.classes) - pixel);
    }
  });
  return labels;
}

}  // namespace atrous
#endif

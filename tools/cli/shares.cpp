// SPDX-License-Identifier: Apache-2.0
#include "cli/shares.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace atrous::cli {

std::string shares_text(std::span<const std::int64_t> pixels, const LabelSet& labels) {
  pixels = pixels.first(std::min(pixels.size(), labels.classes.size()));
  std::vector<std::size_t> order(pixels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return pixels[a] > pixels[b]; });
  const auto total = static_cast<double>(std::accumulate(pixels.begin(), pixels.end(), std::int64_t{0}));
  std::string text;
  for (std::size_t id : order)
    if (pixels[id] > 0)
      text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", labels.classes[id].name,
                          100 * static_cast<double>(pixels[id]) / total);
  return text;
}

}  // namespace atrous::cli

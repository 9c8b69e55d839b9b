// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "refine/superpixel.h"

namespace atrous {

/// Pixels [begin, end) of one row with one id, as long as can be.
struct PixelRun {
  std::int64_t begin, end;
  std::int32_t id;
};

/// In order; they cover the rows without gaps.
std::vector<PixelRun> find_runs(const std::vector<std::int32_t>& ids, int width);

/// The runs of each superpixel, in order.
class RunsOfSuperpixels {
 public:
  explicit RunsOfSuperpixels(const Superpixels& superpixels);
  std::span<const PixelRun> operator[](std::int64_t id) const {
    const auto i = static_cast<std::size_t>(id);
    return std::span(runs_).subspan(first_[i], first_[i + 1] - first_[i]);
  }

 private:
  std::vector<PixelRun> runs_;
  std::vector<std::size_t> first_;  ///< superpixels + 1
};

}  // namespace atrous

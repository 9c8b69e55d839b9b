// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/pixel_runs.h"
#include "refine/superpixel.h"

namespace atrous {

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

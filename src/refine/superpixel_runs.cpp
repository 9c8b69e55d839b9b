// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel_runs.h"

#include <numeric>

namespace atrous {

RunsOfSuperpixels::RunsOfSuperpixels(const Superpixels& superpixels)
    : first_(static_cast<std::size_t>(superpixels.count) + 1, 0) {
  const std::vector<PixelRun> runs = find_runs(superpixels.ids, superpixels.width);
  for (const PixelRun& run : runs) ++first_[static_cast<std::size_t>(run.id) + 1];
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  std::vector<std::size_t> next(first_.begin(), first_.end() - 1);
  runs_.resize(runs.size());
  for (const PixelRun& run : runs) runs_[next[static_cast<std::size_t>(run.id)]++] = run;
}

}  // namespace atrous

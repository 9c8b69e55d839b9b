// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel_runs.h"

#include <numeric>

namespace atrous {

std::vector<PixelRun> find_runs(const std::vector<std::int32_t>& ids, int width) {
  std::vector<PixelRun> runs;
  const auto pixels = static_cast<std::int64_t>(ids.size());
  for (std::int64_t row = 0; row < pixels; row += width)
    for (std::int64_t begin = row, end = row; begin < row + width; begin = end) {
      const std::int32_t id = ids[static_cast<std::size_t>(begin)];
      while (end < row + width && ids[static_cast<std::size_t>(end)] == id) ++end;
      runs.push_back({begin, end, id});
    }
  return runs;
}

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

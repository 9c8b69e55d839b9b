// SPDX-License-Identifier: Apache-2.0
#include "refine/superpixel.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "core/error.h"
#include "core/parallel.h"
#include "core/pixel_runs.h"
#include "refine/slic.h"
#include "refine/superpixel_runs.h"

namespace atrous {
namespace {

/// For each component (by its first run) that is smaller than `smallest` the one before it that it shares the
/// longest border with; for others, and where there is none, itself.
std::vector<std::size_t> find_hosts(const std::vector<PixelRun>& runs, int width,
                                    const std::vector<std::size_t>& first, std::int64_t smallest) {
  std::vector<std::int64_t> sizes(runs.size(), 0);
  for (std::size_t i = 0; i < runs.size(); ++i) sizes[first[i]] += runs[i].end - runs[i].begin;
  struct Border {
    std::size_t component, before;
    std::int64_t length;
  };
  std::vector<Border> borders;
  for_each_touching(runs, width, [&](std::size_t i, std::size_t j, std::int64_t length) {
    const auto [before, component] = std::minmax(first[i], first[j]);
    if (before != component && sizes[component] < smallest) borders.push_back({component, before, length});
  });
  std::sort(borders.begin(), borders.end(), [](const Border& a, const Border& b) {
    return std::pair(a.component, a.before) < std::pair(b.component, b.before);
  });
  std::vector<std::size_t> hosts(runs.size());
  std::iota(hosts.begin(), hosts.end(), std::size_t{0});
  std::int64_t longest = 0, length = 0;
  for (std::size_t i = 0; i < borders.size(); ++i) {
    const auto& [component, before, part] = borders[i];
    if (i == 0 || component != borders[i - 1].component)
      longest = length = 0;
    else if (before != borders[i - 1].before)
      length = 0;
    length += part;
    if (length > longest) longest = length, hosts[component] = before;
  }
  return hosts;
}

/// Renumbers connected components; those smaller than `smallest` join another.
Superpixels enforce_connectivity(std::vector<std::int32_t> ids, int width, int height,
                                 std::int64_t smallest) {
  const std::vector<PixelRun> runs = find_runs(ids, width);
  const std::vector<std::size_t> first = find_components(runs, width);
  const std::vector<std::size_t> hosts = find_hosts(runs, width, first, smallest);
  std::vector<std::int32_t> renumbered(runs.size());
  Superpixels result{width, height, 0, std::move(ids)};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::size_t source = first[i] != i ? first[i] : hosts[i];
    renumbered[i] = source != i ? renumbered[source] : result.count++;
    std::fill(result.ids.begin() + runs[i].begin, result.ids.begin() + runs[i].end, renumbered[i]);
  }
  return result;
}

/// Every pixel of the runs gets the mean of their scores. `sum` (zeros) and `mean` have room for the classes.
ATROUS_VECTORISE void take_mean(float* scores, std::int64_t classes, std::span<const PixelRun> runs,
                                double* sum, float* mean) {
  std::int64_t pixels = 0;
  for (const PixelRun& run : runs) {
    std::fill_n(mean, classes, 0.0F);
    for (std::int64_t i = run.begin; i < run.end; ++i)
#pragma omp simd
      for (std::int64_t c = 0; c < classes; ++c) mean[c] += scores[i * classes + c];
    for (std::int64_t c = 0; c < classes; ++c) sum[c] += static_cast<double>(mean[c]);
    pixels += run.end - run.begin;
  }
  for (std::int64_t c = 0; c < classes; ++c)
    mean[c] = static_cast<float>(sum[c] / static_cast<double>(pixels));
  for (const PixelRun& run : runs)
    for (std::int64_t i = run.begin; i < run.end; ++i)
#pragma omp simd
      for (std::int64_t c = 0; c < classes; ++c) scores[i * classes + c] = mean[c];
}

}  // namespace

Superpixels slic(const ImageView& image, const SlicParams& params) {
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  if (params.superpixels < 1 || params.superpixels > pixels)
    fail(ErrorCode::invalid_argument, "superpixels: {} do not fit an image of {}x{}", params.superpixels,
         image.width, image.height);
  if (!(params.compactness > 0) || params.iterations < 1)
    fail(ErrorCode::invalid_argument, "superpixels: compactness and iterations must be above 0");
  return enforce_connectivity(slic_clusters(image, params), image.width, image.height,
                              pixels / params.superpixels / 4);
}

ScoreMap smooth_over_superpixels(ScoreMap scores, const Superpixels& s) {
  if (scores.width != s.width || scores.height != s.height)
    fail(ErrorCode::invalid_argument, "superpixels: {}x{} scores on a {}x{} partition", scores.width,
         scores.height, s.width, s.height);
  const RunsOfSuperpixels runs(s);
  parallel_for(s.count, [&](std::int64_t id) {
    std::vector<double> sum(static_cast<std::size_t>(scores.classes), 0);
    std::vector<float> mean(static_cast<std::size_t>(scores.classes));
    take_mean(scores.values.data(), scores.classes, runs[id], sum.data(), mean.data());
  });
  return scores;
}

}  // namespace atrous

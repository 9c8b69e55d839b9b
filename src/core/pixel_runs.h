// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace atrous {

/// Pixels [begin, end) of one row with one id, as long as can be; pixels are counted row by row.
struct PixelRun {
  std::int64_t begin, end;
  std::int32_t id;
};

/// In order; they cover the rows, `width` ids each, without gaps.
template <typename Id>
std::vector<PixelRun> find_runs(const std::vector<Id>& ids, int width) {
  std::vector<PixelRun> runs;
  const auto pixels = static_cast<std::int64_t>(ids.size());
  for (std::int64_t row = 0; row < pixels; row += width)
    for (std::int64_t begin = row, end = row; begin < row + width; begin = end) {
      const Id id = ids[static_cast<std::size_t>(begin)];
      while (end < row + width && ids[static_cast<std::size_t>(end)] == id) ++end;
      runs.push_back({begin, end, id});
    }
  return runs;
}

/// f(i, j, length) for every two runs j < i that touch, and along how many pixels: on one row or on two.
template <typename F>
void for_each_touching(const std::vector<PixelRun>& runs, int width, const F& f) {
  std::size_t above = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].begin % width > 0) f(i, i - 1, std::int64_t{1});
    const std::int64_t begin = runs[i].begin - width, end = runs[i].end - width;  // one row up
    while (runs[above].end <= begin) ++above;
    for (std::size_t j = above; runs[j].begin < end; ++j)
      f(i, j, std::min(end, runs[j].end) - std::max(begin, runs[j].begin));
  }
}

/// For each run the first run of its 4-connected component.
inline std::vector<std::size_t> find_components(const std::vector<PixelRun>& runs, int width) {
  std::vector<std::size_t> first(runs.size());
  std::iota(first.begin(), first.end(), std::size_t{0});
  auto root = [&](std::size_t i) {
    while (first[i] != i) i = first[i] = first[first[i]];
    return i;
  };
  for_each_touching(runs, width, [&](std::size_t i, std::size_t j, std::int64_t) {
    if (runs[i].id != runs[j].id) return;
    const std::size_t a = root(i), b = root(j);
    first[std::max(a, b)] = std::min(a, b);
  });
  for (std::size_t i = 0; i < runs.size(); ++i) first[i] = root(i);
  return first;
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "quantise/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace atrous {
namespace {

using Counts = std::span<const std::int64_t>;

/// Sum of p log(p / q) over the first `kept` bins, up to a constant factor: p are the counts with all that
/// lies above added to the last kept bin, q those of the kept bins spread evenly over `levels` steps, each
/// step's over its bins that are not empty.
double divergence(Counts counts, std::size_t kept, std::size_t levels) {
  double above = 0, within = 0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    (i < kept ? within : above) += static_cast<double>(counts[i]);
  if (within == 0) return std::numeric_limits<double>::infinity();
  double result = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t begin = level * kept / levels, end = (level + 1) * kept / levels;
    double sum = 0, occupied = 0;
    for (std::size_t i = begin; i < end; ++i)
      if (counts[i] > 0) sum += static_cast<double>(counts[i]), ++occupied;
    for (std::size_t i = begin; i < end; ++i) {
      const double p = static_cast<double>(counts[i]) + (i + 1 == kept ? above : 0);
      if (p == 0) continue;
      const double q = counts[i] > 0 ? sum / occupied : 1e-4;  // only outliers fall into it
      result += p / (within + above) * std::log(p / (within + above) / (q / within));
    }
  }
  return result;
}

}  // namespace

bool MagnitudeHistogram::add(std::span<const float> values) {
  float low = 0, high = 0;
  bool finite = true;
  for (float value : values) {
    finite &= std::isfinite(value);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!finite) return false;
  lowest_ = std::min(lowest_, low), highest_ = std::max(highest_, high);
  const double largest = std::max(-static_cast<double>(low), static_cast<double>(high));
  if (largest == 0) return true;
  if (limit_ == 0) limit_ = std::exp2(std::ceil(std::log2(largest)));
  for (; limit_ < largest; limit_ *= 2) {
    for (std::size_t i = 0; i < kBins / 2; ++i) counts_[i] = counts_[2 * i] + counts_[2 * i + 1];
    std::fill(counts_.begin() + kBins / 2, counts_.end(), 0);
  }
  const double bins = 1 / bin_width();
  for (float value : values)
    if (value != 0)
      ++counts_[std::min(static_cast<std::size_t>(std::abs(static_cast<double>(value)) * bins), kBins - 1)];
  return true;
}

std::optional<ValueRange> MagnitudeHistogram::range(const CalibrationOptions& options) const {
  if (limit_ == 0) return std::nullopt;
  const double threshold = options.method == Calibration::entropy
                               ? threshold_by_entropy()
                               : threshold_by_percentile(options.percentile);
  const auto cut = [&](float value) { return static_cast<float>(std::min<double>(value, threshold)); };
  return ValueRange{-cut(-lowest_), cut(highest_)};
}

double MagnitudeHistogram::threshold_by_percentile(double percentile) const {
  double total = 0, below = 0;
  for (std::int64_t count : counts_) total += static_cast<double>(count);
  std::size_t bin = 0;
  while (bin < kBins && (below < total * percentile / 100 || below == 0))
    below += static_cast<double>(counts_[bin++]);
  return static_cast<double>(bin) * bin_width();
}

double MagnitudeHistogram::threshold_by_entropy() const {
  const std::size_t levels = lowest_ < 0 ? 128 : 256;
  std::size_t used = kBins;
  while (used > levels && counts_[used - 1] == 0) --used;
  double least = std::numeric_limits<double>::infinity();
  std::size_t best = used;
  for (std::size_t kept = levels; kept <= used; ++kept) {
    const double divergent = divergence(counts_, kept, levels);
    if (divergent < least) least = divergent, best = kept;
  }
  return static_cast<double>(best) * bin_width();
}

}  // namespace atrous

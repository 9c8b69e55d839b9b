// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/types.h"

namespace atrous {

/// Where the range of a value ends that 8 bits must hold.
enum class Calibration : std::uint8_t {
  percentile,  ///< at a percentile of the magnitudes
  entropy      ///< where the histogram of what 8 bits hold diverges least from that of all (Kullback-Leibler)
};

struct CalibrationOptions {
  Calibration method = Calibration::percentile;
  double percentile = 99.99;  ///< of the values that are not 0; 100 keeps the largest
};

/// Magnitudes of the values a node makes, over all calibration images, in bins whose width doubles as larger
/// ones come. Zeros are left out: 8 bits hold them exactly.
class MagnitudeHistogram {
 public:
  static constexpr std::size_t kBins = 2048;

  /// False where a value is NaN or infinite; nothing is added then.
  bool add(std::span<const float> values);
  /// [0, T] where no value was below 0, else [-T, T], cut to what occurred; none where all values were 0.
  std::optional<ValueRange> range(const CalibrationOptions& options) const;

 private:
  double threshold_by_percentile(double percentile) const;
  double threshold_by_entropy() const;
  double bin_width() const { return limit_ / static_cast<double>(kBins); }

  std::array<std::int64_t, kBins> counts_{};
  double limit_ = 0;  ///< where the last bin ends; a power of two; 0 before there is any value
  float lowest_ = 0, highest_ = 0;
};

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "config/labels.h"
#include "core/image.h"

namespace atrous::cli {

/// Pixels of each of `classes` ids; 255 counts nowhere.
std::vector<std::int64_t> count_pixels(const LabelMap& labels, int classes);

/// "background 71.3 %, dress 15.2 %, skin 6.1 %": the classes found, the largest first.
std::string shares_text(std::span<const std::int64_t> pixels, const LabelSet& labels);

}  // namespace atrous::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "config/labels.h"
#include "core/image.h"

namespace atrous {

/// The photo with its classes over it (class 0, the background, stays as it is), thin outlines between
/// classes, and a legend of the classes present with their share of the pixels, on a band at the right.
Image overlay(const ImageView& photo, const LabelMap& labels, const LabelSet& set);

/// The same without the legend, scaled down so that no side is longer than `longest`.
Image thumbnail(const ImageView& photo, const LabelMap& labels, const LabelSet& set, int longest);

/// Every pixel in its class's colour.
Image color_map(const LabelMap& labels, const LabelSet& set);

}  // namespace atrous

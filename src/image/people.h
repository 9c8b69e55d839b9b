// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "core/image.h"

namespace atrous {

/// The people OpenCV's own detector sees (histograms of oriented gradients under a linear SVM: Dalal and
/// Triggs 2005), the surest first; none where it is sure of nobody. The photo is looked at with 384 pixels on
/// its long side, so a person takes at least about a quarter of it; upright ones only. Boxes may reach past
/// the photo. The same photo gives the same boxes.
std::vector<PhotoBox> detect_people(const ImageView& photo);

}  // namespace atrous

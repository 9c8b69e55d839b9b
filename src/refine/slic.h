// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "refine/superpixel.h"

namespace atrous {

/// The k-means of slic() alone: the centre of each pixel, row by row, fragments not yet joined. The
/// parameters must fit the image.
std::vector<std::int32_t> slic_clusters(const ImageView& image, const SlicParams& params);

}  // namespace atrous

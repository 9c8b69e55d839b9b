// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "core/image.h"

namespace atrous {

/// The images that the last frame's result was made from, to find what of the next frame is the same.
class LastFrame {
 public:
  /// Are there images, of the extents of these?
  bool is_like(std::span<const ImageView> images) const;
  /// Does that part of image `index` hold the same bytes as of the last frame, which is_like it?
  bool is_same(std::size_t index, const ImageView& image, const Crop& part) const;
  void remember(std::span<const ImageView> images);

 private:
  std::vector<Image> images_;
};

}  // namespace atrous

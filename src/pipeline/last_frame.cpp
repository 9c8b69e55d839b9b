// SPDX-License-Identifier: Apache-2.0
#include "pipeline/last_frame.h"

#include <algorithm>
#include <cstring>

namespace atrous {

bool LastFrame::is_like(std::span<const ImageView> images) const {
  return !images_.empty() && std::equal(images_.begin(), images_.end(), images.begin(), images.end(),
                                        [](const Image& a, const ImageView& b) {
                                          return a.width == b.width && a.height == b.height;
                                        });
}

bool LastFrame::is_same(std::size_t index, const ImageView& image, const Crop& part) const {
  const ImageView before = cut(images_[index].view(), part), now = cut(image, part);
  const auto bytes = static_cast<std::size_t>(part.width) * 3;
  for (int y = 0; y < part.height; ++y)
    if (std::memcmp(before.row(y), now.row(y), bytes) != 0) return false;
  return true;
}

void LastFrame::remember(std::span<const ImageView> images) {
  images_.resize(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    const ImageView& image = images[i];
    const auto bytes = static_cast<std::size_t>(image.width) * 3;
    images_[i].width = image.width, images_[i].height = image.height;
    images_[i].rgb.resize(bytes * static_cast<std::size_t>(image.height));
    for (int y = 0; y < image.height; ++y)
      std::memcpy(images_[i].rgb.data() + static_cast<std::size_t>(y) * bytes, image.row(y), bytes);
  }
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
// A photo's whole way, through a network of one convolution: decoded, scaled, brought back to its size,
// written.
#include "core/files.h"
#include "fuzz/large_image.h"
#include "fuzz/one_convolution.h"
#include "fuzz/targets.h"

namespace atrous {

void fuzz::image(const fs::path& file) {
  static Segmenter segmenter(one_convolution(), one_thread());
  const std::vector<std::byte> bytes = read_file(file);
  if (is_large_image(bytes)) return;
  const Image photo = decode_image(bytes, file.string());
  encode_mask(segmenter.run(photo.view()).labels, segmenter.model().labels());
}

}  // namespace atrous

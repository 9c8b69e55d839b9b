// SPDX-License-Identifier: Apache-2.0
// A photo's whole way, through a network of one convolution: decoded, scaled, brought back to its size,
// written.
#include "core/files.h"
#include "fuzz/large_image.h"
#include "fuzz/targets.h"
#include "pipeline/segmenter.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

Segmenter one_convolution() {
  const test::TempFolder folder;
  const fs::path config =
      folder.write("model.yaml",
                   "labels: 3\nweights: none.safetensors\ninput: {policy: fit, size: 16}\n"
                   "network: [{name: a, op: conv2d, out: 3}]\n");
  ModelOptions model;
  model.device = "cpu";
  model.random_weights = true;
  SegmentOptions options;
  options.threads = 1;
  return Segmenter(Model::open(config.string(), model), options);
}

}  // namespace

void fuzz::image(const fs::path& file) {
  static Segmenter segmenter = one_convolution();
  const std::vector<std::byte> bytes = read_file(file);
  if (is_large_image(bytes)) return;
  const Image photo = decode_image(bytes, file.string());
  encode_mask(segmenter.run(photo.view()).labels, segmenter.model().labels());
}

}  // namespace atrous

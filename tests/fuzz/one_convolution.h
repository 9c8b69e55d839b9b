// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "pipeline/segmenter.h"
#include "support/temp_folder.h"

namespace atrous::fuzz {

/// A network of one convolution with random weights; three classes.
inline std::shared_ptr<const Model> one_convolution() {
  const test::TempFolder folder;
  const auto config = folder.write("model.yaml",
                                   "labels: 3\nweights: none.safetensors\ninput: {policy: fit, size: 16}\n"
                                   "network: [{name: a, op: conv2d, out: 3}]\n");
  ModelOptions options;
  options.device = "cpu";
  options.random_weights = true;
  return Model::open(config.string(), options);
}

inline SegmentOptions one_thread() {
  SegmentOptions options;
  options.threads = 1;
  return options;
}

}  // namespace atrous::fuzz

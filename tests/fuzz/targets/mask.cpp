// SPDX-License-Identifier: Apache-2.0
#include "core/files.h"
#include "fuzz/large_image.h"
#include "fuzz/targets.h"
#include "image/codec.h"

namespace atrous {

void fuzz::mask(const fs::path& file) {
  if (!is_large_image(read_file(file))) load_mask(file);
}

}  // namespace atrous

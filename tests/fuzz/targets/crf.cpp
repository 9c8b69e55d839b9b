// SPDX-License-Identifier: Apache-2.0
#include "core/files.h"
#include "fuzz/targets.h"
#include "refine/crf_params.h"

namespace atrous {

void fuzz::crf(const fs::path& file) {
  const std::vector<std::byte> text = read_file(file);
  parse_crf({reinterpret_cast<const char*>(text.data()), text.size()});
}

}  // namespace atrous

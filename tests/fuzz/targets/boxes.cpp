// SPDX-License-Identifier: Apache-2.0
#include "pipeline/box_list.h"

#include "fuzz/targets.h"

namespace atrous {

void fuzz::boxes(const fs::path& file) { load_boxes(file); }

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "image/npy.h"

#include "fuzz/targets.h"

namespace atrous {

void fuzz::npy(const fs::path& file) { load_npy(file); }

}  // namespace atrous

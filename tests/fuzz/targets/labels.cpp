// SPDX-License-Identifier: Apache-2.0
#include "config/labels.h"

#include "config/yaml.h"
#include "fuzz/targets.h"

namespace atrous {

void fuzz::labels(const fs::path& file) { parse_labels(load_yaml(file)); }

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "config/modules.h"
#include "config/yaml.h"
#include "fuzz/targets.h"

namespace atrous {

void fuzz::network(const fs::path& file) {
  expand_network(load_yaml(file), "", Value::map({}), BlockLibrary());
}

}  // namespace atrous

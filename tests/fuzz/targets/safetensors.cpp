// SPDX-License-Identifier: Apache-2.0
#include "config/safetensors.h"

#include "fuzz/targets.h"

namespace atrous {

void fuzz::safetensors(const fs::path& file) {
  const SafetensorsFile opened(file);
  for (const auto& [name, tensor] : opened.tensors()) Constant{name, tensor, {}}.read_f32();
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "fuzz/targets.h"
#include "import/onnx_import.h"

namespace atrous {

void fuzz::onnx(const fs::path& file) { import_onnx(file).check(file.parent_path()); }

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "core/image.h"
#include "core/types.h"

namespace atrous {

/// Reads NumPy's format: [classes, height, width], float32 or float16, C order. The header is not trusted.
/// Throws Error{not_found | bad_file}.
ScoreMap load_npy(const std::filesystem::path& file);

/// [classes, height, width] in NumPy's format, version 1.0, as `dtype`: f16 or f32.
std::vector<std::byte> encode_npy(const ScoreMap& scores, DType dtype = DType::f16);

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "config/model_config.h"
#include "core/tensor_ref.h"

namespace atrous {

/// The tensors of all weights files of a model; where they are not there, `random` ones if these are wanted.
/// Throws Error{bad_config} where the model names no file, Error{not_found} that names a missing one,
/// Error{bad_file} that names both files where two hold the same tensor, and what SafetensorsFile throws.
std::unique_ptr<WeightSource> open_weights(const ModelConfig& config, bool random);

}  // namespace atrous

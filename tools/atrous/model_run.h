// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/model_config.h"
#include "graph/executor.h"

namespace atrous::cli {

/// "HxW", or the config's own size where `text` is empty, as an input of `batch` images. Throws Error.
Shape parse_size(const std::string& text, const InputSpec& input, int batch);

/// One run on a repeatable pattern; milliseconds of the run alone.
double run_on_noise(Executor& executor, const Shape& input);

}  // namespace atrous::cli

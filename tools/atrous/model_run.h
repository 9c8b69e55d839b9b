// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "graph/executor.h"
#include "pipeline/model.h"

namespace atrous::cli {

/// "cpu (oneDNN 2.6.3, AVX2, 2 threads; no GPU: ...)" or "cuda:0 (...), cuda:1 (...)".
std::string describe_devices(const std::vector<std::shared_ptr<const Model>>& models);

/// "HxW", or the config's own size where `text` is empty, as an input of `batch` images. Throws Error.
Shape parse_size(const std::string& text, const InputSpec& input, int batch);

/// One run on a repeatable pattern; milliseconds of the run alone.
double run_on_noise(Executor& executor, const Shape& input);

}  // namespace atrous::cli

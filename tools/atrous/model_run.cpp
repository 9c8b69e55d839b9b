// SPDX-License-Identifier: Apache-2.0
#include "model_run.h"

#include "core/stopwatch.h"
#include "graph/builder.h"
#include "options.h"

namespace atrous::cli {

std::string describe_devices(const std::vector<std::shared_ptr<const Model>>& models) {
  std::string text;
  for (const auto& model : models)
    text += fmt::format("{}{} ({}{})", text.empty() ? "" : ", ", to_string(model->backend().device()),
                        model->backend().describe(),
                        model->device_note().empty() ? "" : "; no GPU: " + model->device_note());
  return text;
}

Shape parse_size(const std::string& text, const InputSpec& input, int batch) {
  Shape shape = nominal_input(input);
  shape.n = batch;
  if (text.empty()) return shape;
  const auto [height, width] = parse_extent(text);
  shape.h = height, shape.w = width;
  return shape;
}

double run_on_noise(Executor& executor, const Shape& input) {
  executor.prepare(input);
  std::vector<float> values(static_cast<std::size_t>(input.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7919 % 255) / 127.5F - 1;
  executor.write_input(values);
  Stopwatch watch;
  executor.run();
  executor.stream().synchronise();
  return watch.lap();
}

}  // namespace atrous::cli

// SPDX-License-Identifier: Apache-2.0
#include "model_run.h"

#include "core/error.h"
#include "core/stopwatch.h"
#include "core/value.h"
#include "graph/builder.h"

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
  const std::size_t x = text.find('x');
  const auto height = parse_integer(std::string_view(text).substr(0, x));
  const auto width = x == std::string::npos ? height : parse_integer(std::string_view(text).substr(x + 1));
  if (!height || !width || *height < 1 || *width < 1 || *height > 65536 || *width > 65536)
    fail(ErrorCode::invalid_argument, "--size: '{}' is no HxW", text);
  shape.h = *height, shape.w = *width;
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

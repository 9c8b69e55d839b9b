// SPDX-License-Identifier: Apache-2.0
// What a model's network makes of a picture, before softmax and argmax, for the tests of the importers.
// Usage: network_scores MODEL.yaml HEIGHT WIDTH PIXELS SCORES
// PIXELS: u8 [height, width, 3], RGB, no header. SCORES is written: f32 [height, width, classes], the logits
// brought to the picture's size as the config says.
#include <fmt/format.h>

#include "core/error.h"
#include "core/files.h"
#include "image/preprocess.h"
#include "pipeline/model.h"

namespace {

void run(const char* model_file, int height, int width, const char* pixels_file, const char* scores_file) {
  using namespace atrous;
  const auto model = Model::open(model_file, {.device = "cpu"});
  const std::vector<std::byte> pixels = read_file(pixels_file);
  if (pixels.size() != static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * 3)
    fail(ErrorCode::invalid_argument, "{}: is not {}x{} pixels", pixels_file, width, height);
  const ImageView photo{reinterpret_cast<const std::uint8_t*>(pixels.data()), width, height,
                        std::int64_t{width} * 3};
  const Geometry geometry = plan_geometry(model->config().input, width, height);
  Executor executor(model->network());
  executor.prepare({1, geometry.height, geometry.width, 3});
  Image memory;
  executor.stream().normalise(scale_photo(photo, geometry, memory), pixel_table(model->config().input), false,
                              executor.input().desc, executor.input().data);
  executor.run();
  const TensorView output = executor.output();
  const Shape& shape = output.desc.shape;
  const LogitsView logits{output.data,      shape.w, shape.h, output.desc.pitch, static_cast<int>(shape.c),
                          output.desc.dtype};
  std::vector<float> scores(static_cast<std::size_t>(height * width * shape.c));
  if (!executor.stream().upsample_scores(
          logits, sample_logits(geometry, shape.w, shape.h, model->config().align_corners, false), false,
          scores.data()))
    fail(ErrorCode::internal, "{}: scores are not finite", model_file);
  write_file(scores_file, std::as_bytes(std::span(scores)));
}

}  // namespace

int main(int count, char** words) {
  if (count != 6) return 2;
  try {
    run(words[1], std::atoi(words[2]), std::atoi(words[3]), words[4], words[5]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "network_scores: {}\n", error.what());
    return 1;
  }
  return 0;
}

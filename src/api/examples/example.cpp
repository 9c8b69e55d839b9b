// SPDX-License-Identifier: Apache-2.0
// example PHOTO MASK.png: segments a photo, refined by the dense CRF, and says how much of it each class
// covers.
#include <atrous.hpp>
#include <cstdio>

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  const atrous::Model model;
  atrous_session_options options{};
  options.crf = "deeplab-v2-resnet";
  options.probabilities = 1;
  const atrous::Result result = atrous::Session(model, options).segment(argv[1]);
  result.write_mask(argv[2]);

  const std::vector<float> probabilities = result.probabilities(model.classes());
  const std::size_t pixels =
      static_cast<std::size_t>(result.width()) * static_cast<std::size_t>(result.height());
  for (int id = 0; id < model.classes(); ++id) {
    double sum = 0;
    for (std::size_t i = 0; i < pixels; ++i) sum += probabilities[static_cast<std::size_t>(id) * pixels + i];
    std::printf("%-12s %5.1f %%\n", model.class_name(id).c_str(), 100 * sum / static_cast<double>(pixels));
  }
} catch (const atrous::Exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

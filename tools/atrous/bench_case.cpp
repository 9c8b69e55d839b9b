// SPDX-License-Identifier: Apache-2.0
#include "bench_case.h"

#include <array>
#include <filesystem>
#include <map>
#include <memory>

#include "core/error.h"
#include "core/parallel.h"
#include "core/stopwatch.h"
#include "core/value.h"
#include "graph/executor.h"
#include "image/codec.h"
#include "image/npy.h"
#include "model_run.h"
#include "refine/dense_crf.h"
#include "refine/scores.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace {

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) c == separator ? void(parts.emplace_back()) : void(parts.back() += c);
  return parts;
}

[[noreturn]] void complain(const std::string& text) {
  fail(ErrorCode::invalid_argument, "--case: '{}' is not understood (see bench --help)", text);
}

/// "n1h65w65c512" as letters and numbers; letters may be two long ("oc256").
std::map<std::string, int> read_numbers(const std::string& part, const std::string& text) {
  std::map<std::string, int> numbers;
  for (std::size_t i = 0; i < part.size();) {
    std::string key, digits;
    while (i < part.size() && std::isalpha(static_cast<unsigned char>(part[i])) != 0) key += part[i++];
    while (i < part.size() && std::isdigit(static_cast<unsigned char>(part[i])) != 0) digits += part[i++];
    const auto value = parse_integer(digits);
    if (key.empty() || !value || *value < 1 || *value > 65536) complain(text);
    numbers[key] = static_cast<int>(*value);
  }
  return numbers;
}

std::vector<int> read_extent(const std::string& part, std::size_t count, const std::string& text) {
  std::vector<int> extent;
  for (const std::string& number : split_at(part, 'x'))
    extent.push_back(static_cast<int>(parse_integer(number).value_or(0)));
  if (extent.size() != count) complain(text);
  for (int e : extent)
    if (e < 1 || e > 16384) complain(text);
  return extent;
}

/// Smooth shapes with some noise, so that the lattice sees what a photo would show it.
Image synthetic_photo(int width, int height) {
  Image image{width, height, {}};
  std::uint32_t state = 1;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) {
        state = state * 1664525U + 1013904223U;
        const int shape = (x * 5 / width + y * 4 / height * 3 + c * 2) % 7;
        image.rgb.push_back(
            static_cast<std::uint8_t>(20 + shape * 30 + x * 20 / width + static_cast<int>(state >> 29U)));
      }
  return image;
}

BenchCase conv_case(const std::vector<std::string>& parts, const std::string& text, int threads) {
  if (parts.size() < 3 || parts.size() > 4) complain(text);
  std::map<std::string, int> in = read_numbers(parts[1], text), op = read_numbers(parts[2], text);
  auto get = [](const std::map<std::string, int>& numbers, const std::string& key, int fallback) {
    const auto found = numbers.find(key);
    return found == numbers.end() ? fallback : found->second;
  };
  Conv2dParams p;
  p.oc = get(op, "oc", 1), p.kh = p.kw = get(op, "k", 1), p.sh = p.sw = get(op, "s", 1),
  p.dh = p.dw = get(op, "d", 1);
  const int pad = p.dh * (p.kh - 1) / 2;
  p.padding = {false, pad, pad, pad, pad};
  if (parts.size() == 4) p.groups = get(read_numbers(parts[3], text), "g", 1);
  const Shape input{get(in, "n", 1), get(in, "h", 1), get(in, "w", 1), get(in, "c", 1)};
  Node source, conv;
  source.name = "input", source.params = InputParams{};
  conv.name = "conv", conv.params = p, conv.inputs = {0};
  const RandomWeights random(1);
  for (const ConstantSpec& spec : schema_of(conv.params).constants(conv.params, std::span(&input, 1)))
    conv.constants.push_back({spec.name, *random.find(spec.name, spec.dims), {}});
  const Graph graph({source, conv}, {1});
  auto executor =
      std::make_shared<Executor>(std::make_shared<Network>(graph, input, make_backend({})), threads);
  executor->prepare(input);
  return {[executor, input] { return run_on_noise(*executor, input); },
          executor->plan().steps.front().cost.flops};
}

bool is_file(const std::string& part) { return std::filesystem::is_regular_file(part); }

/// crf:WxHxC[:PARAMS] or crf:PHOTO:SCORES.npy[:PARAMS]
BenchCase crf_case(const std::vector<std::string>& parts, const std::string& text) {
  if (parts.size() < 2) complain(text);
  const bool files = is_file(parts[1]);
  const std::size_t further = files ? 3 : 2;
  if (parts.size() < further || parts.size() > further + 1) complain(text);
  const CrfParams params = parse_crf(parts.size() > further ? parts[further] : "");
  auto image = std::make_shared<Image>();
  auto unary = std::make_shared<ScoreMap>();
  if (files) {
    *image = load_image(parts[1]);
    *unary = unary_from_probabilities(load_npy(parts[2]));
  } else {
    const std::vector<int> extent = read_extent(parts[1], 3, text);
    *image = synthetic_photo(extent[0], extent[1]);
    *unary = {extent[0], extent[1], extent[2], {}};
    for (std::size_t i = 0; i < unary->pixels() * static_cast<std::size_t>(extent[2]); ++i)
      unary->values.push_back(static_cast<float>(i * 7919 % 1000) / 250);
  }
  auto stages = std::make_shared<NamedTimes>();
  auto run = [=] {
    CrfTimes times;
    ScoreMap energies = *unary;
    Stopwatch watch;
    dense_crf(std::move(energies), image->view(), params, &times);
    const double total = watch.lap();
    *stages = {{"build", times.build}, {"filter", times.filter}, {"update", times.update}};
    return total;
  };
  return {run, 0, stages};
}

/// slic:WxH[:N[:ITERATIONS]] or slic:PHOTO[:N[:ITERATIONS]]
BenchCase slic_case(const std::vector<std::string>& parts, const std::string& text) {
  if (parts.size() < 2) complain(text);
  SlicParams params;
  const auto count = parts.size() > 2 ? parse_integer(parts[2]) : params.superpixels;
  const auto iterations = parts.size() > 3 ? parse_integer(parts[3]) : params.iterations;
  if (!count || !iterations || *iterations < 1 || *iterations > 1000) complain(text);
  params.superpixels = static_cast<int>(*count), params.iterations = static_cast<int>(*iterations);
  auto image = std::make_shared<Image>();
  if (is_file(parts[1])) {
    *image = load_image(parts[1]);
  } else {
    const std::vector<int> extent = read_extent(parts[1], 2, text);
    *image = synthetic_photo(extent[0], extent[1]);
  }
  return {[image, params] {
    Stopwatch watch;
    slic(image->view(), params);
    return watch.lap();
  }};
}

}  // namespace

BenchCase make_bench_case(const std::string& text, int threads) {
  const std::vector<std::string> parts = split_at(text, ':');
  if (parts[0] == "conv2d") return conv_case(parts, text, threads);
  if (parts[0] == "crf") return crf_case(parts, text);
  if (parts[0] == "slic") return slic_case(parts, text);
  complain(text);
}

}  // namespace atrous::cli

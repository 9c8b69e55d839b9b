// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_case.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "cli/arguments.h"
#include "core/error.h"
#include "core/tensor_ref.h"
#include "graph/builder.h"
#include "refine/dense_crf.h"
#include "refine/superpixel.h"

namespace atrous::cli {
namespace {

[[noreturn]] void complain(const std::string& text, const std::string& reason) {
  fail(ErrorCode::invalid_argument, "case '{}': {}", text, reason);
}

std::vector<std::string> split(const std::string& text, char separator, std::size_t most) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t end; parts.size() + 1 < most && (end = text.find(separator, start)) != text.npos;
       start = end + 1)
    parts.push_back(text.substr(start, end - start));
  parts.push_back(text.substr(start));
  return parts;
}

/// "n1h65w65c512" -> {n: 1, h: 65, ...}; only the letters of `allowed` count.
std::map<std::string, std::int64_t> parse_letters(const std::string& text, const std::string& part,
                                                  const std::vector<std::string>& allowed) {
  std::map<std::string, std::int64_t> result;
  std::size_t i = 0;
  while (i < part.size()) {
    const std::size_t letters = i;
    while (i < part.size() && std::isalpha(static_cast<unsigned char>(part[i])) != 0) ++i;
    const std::size_t digits = i;
    while (i < part.size() && std::isdigit(static_cast<unsigned char>(part[i])) != 0) ++i;
    const std::string key = part.substr(letters, digits - letters);
    const auto value = parse_integer(std::string_view(part).substr(digits, i - digits));
    if (!value || *value > 1'000'000 || std::find(allowed.begin(), allowed.end(), key) == allowed.end())
      complain(text, fmt::format("cannot read '{}' of '{}'", part.substr(letters, i - letters + 1), part));
    result[key] = *value;
  }
  return result;
}

Shape parse_shape(const std::string& text, const std::string& part) {
  const auto letters = parse_letters(text, part, {"n", "h", "w", "c"});
  Shape shape;
  for (const auto& [key, value] : letters) {
    std::int64_t& extent = key == "n" ? shape.n : key == "h" ? shape.h : key == "w" ? shape.w : shape.c;
    extent = value;
  }
  if (shape.elements() > (std::int64_t{1} << 31)) complain(text, "the input has more than 2^31 values");
  return shape;
}

using Keys = std::vector<std::pair<std::string, Value>>;

Keys conv2d_keys(const std::string& text, const std::string& part) {
  static const std::map<std::string, std::string> kNames{
      {"oc", "out"}, {"k", "kernel"}, {"s", "stride"}, {"d", "dilation"}, {"g", "groups"}};
  Keys keys;
  for (const auto& [letter, value] : parse_letters(text, part, {"oc", "k", "s", "d", "g"}))
    keys.emplace_back(kNames.at(letter),
                      Value::text(letter == "g" && value == 0 ? "depthwise" : std::to_string(value)));
  return keys;
}

Keys plain_keys(const std::string& text, const std::string& part) {
  Keys keys;
  for (const std::string& word : split_list("--case", part)) {
    const std::size_t equals = word.find('=');
    if (equals == word.npos) complain(text, fmt::format("'{}' is not KEY=VALUE", word));
    keys.emplace_back(word.substr(0, equals), Value::text(word.substr(equals + 1)));
  }
  return keys;
}

BenchCase operator_case(const std::string& text, const std::vector<std::string>& parts) {
  if (parts.size() < 2) complain(text, "the input extent is missing (n1h65w65c512)");
  const Shape input = parse_shape(text, parts[1]);
  NodeSpec node;
  node.name = node.weights = "case";
  node.op = parts[0];
  node.inputs = {"input"};
  if (parts.size() > 2)
    node.params = Value::map(node.op == "conv2d" && parts[2].find('=') == std::string::npos
                                 ? conv2d_keys(text, parts[2])
                                 : plain_keys(text, parts[2]));
  else
    node.params = Value::map({});
  try {
    const Graph graph = build_graph({node}, "case", input, RandomWeights(1));
    return {{}, std::make_shared<const Network>(graph, input, make_backend(Device{})), input};
  } catch (const Error& error) {
    complain(text, error.message());
  }
}

/// The numbers of "500x375x21".
std::vector<int> parse_extents(const std::string& text, const std::string& part, std::size_t count) {
  std::vector<int> extents;
  for (const std::string& word : split(part, 'x', count)) {
    const auto value = parse_integer(word);
    if (!value || *value < 1 || *value > 16384)
      complain(text, fmt::format("'{}' needs {} extents between 1 and 16384", part, count));
    extents.push_back(static_cast<int>(*value));
  }
  if (extents.size() != count)
    complain(text, fmt::format("'{}' needs {} extents between 1 and 16384", part, count));
  return extents;
}

/// Soft blobs with noise: neither constant, where a CRF has nothing to do, nor white noise, its worst case.
Image synthetic_photo(int width, int height) {
  Image image{width, height, {}};
  image.rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  std::uint32_t state = 7;
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    const std::size_t pixel = i / 3, x = pixel % static_cast<std::size_t>(width),
                      y = pixel / static_cast<std::size_t>(width);
    state = state * 1664525U + 1013904223U;
    image.rgb[i] = static_cast<std::uint8_t>((x / 40 * 53 + y / 40 * 97 + i % 3 * 31) % 224 + (state >> 27U));
  }
  return image;
}

BenchCase crf_case(const std::string& text, const std::vector<std::string>& parts) {
  const std::vector<int> extents = parse_extents(text, parts.size() > 1 ? parts[1] : "", 3);
  auto photo = std::make_shared<Image>(synthetic_photo(extents[0], extents[1]));
  auto unary = std::make_shared<ScoreMap>();
  *unary = {extents[0], extents[1], extents[2], {}};
  unary->values.resize(unary->pixels() * static_cast<std::size_t>(extents[2]));
  std::uint32_t state = 3;
  for (float& value : unary->values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8U) / 4194304.0F;  // energies in [0, 4)
  }
  const CrfParams params = parse_crf(parts.size() > 2 ? parts[2] : "");
  return {[=](int threads) {
            make_backend(Device{})->set_threads(threads);
            dense_crf(*unary, photo->view(), params);
          },
          nullptr,
          {}};
}

BenchCase slic_case(const std::string& text, const std::vector<std::string>& parts) {
  const std::vector<int> extents = parse_extents(text, parts.size() > 1 ? parts[1] : "", 2);
  auto photo = std::make_shared<Image>(synthetic_photo(extents[0], extents[1]));
  SlicParams params;
  if (parts.size() > 2) params.superpixels = parse_superpixels(parts[2]);
  return {[=](int threads) {
            make_backend(Device{})->set_threads(threads);
            slic(photo->view(), params);
          },
          nullptr,
          {}};
}

}  // namespace

BenchCase parse_case(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':', 3);
  if (parts[0] == "crf") return crf_case(text, parts);
  if (parts[0] == "slic") return slic_case(text, parts);
  return operator_case(text, parts);
}

}  // namespace atrous::cli

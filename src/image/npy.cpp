// SPDX-License-Identifier: Apache-2.0
#include "image/npy.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/half.h"
#include "core/value.h"

namespace atrous {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

[[noreturn]] void complain(const std::filesystem::path& file, const std::string& reason) {
  fail(ErrorCode::bad_file, "{}: {}", file.string(), reason);
}

/// The text after `key` in the header's Python dictionary.
std::string_view after(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(key);
  if (at == header.npos) return {};
  header.remove_prefix(at + key.size());
  while (header.starts_with(' ') || header.starts_with(':')) header.remove_prefix(1);
  return header;
}

std::vector<std::int64_t> parse_shape(std::string_view text) {
  std::vector<std::int64_t> shape;
  if (!text.starts_with('(')) return shape;
  text = text.substr(1, text.find(')') - 1);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) shape.push_back(parse_integer(part).value_or(-1));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return shape;
}

}  // namespace

ScoreMap load_npy(const std::filesystem::path& file) {
  const MappedFile mapped = map_file(file);
  const std::string_view content(reinterpret_cast<const char*>(mapped.data.get()), mapped.size);
  if (content.size() < 12 || !content.starts_with(kMagic)) complain(file, "is no NumPy file");
  const bool long_header = content[6] >= 2;
  std::uint32_t length = 0;
  std::memcpy(&length, content.data() + 8, long_header ? 4 : 2);
  const std::size_t begin = long_header ? 12 : 10;
  if (length > content.size() - begin) complain(file, "is cut short");
  const std::string_view header = content.substr(begin, length), data = content.substr(begin + length);
  const std::string_view type = after(header, "'descr'");
  const bool f32 = type.starts_with("'<f4'"), f16 = type.starts_with("'<f2'");
  if (!f32 && !f16) complain(file, "its values must be float32 or float16");
  if (!after(header, "'fortran_order'").starts_with("False")) complain(file, "must be in C order");
  const std::vector<std::int64_t> shape = parse_shape(after(header, "'shape'"));
  if (shape.size() != 3 || shape[0] < 1 || shape[1] < 1 || shape[2] < 1 || shape[0] > 255 ||
      shape[1] > 65536 || shape[2] > 65536)
    complain(file, "its shape must be [classes, height, width] with 1 to 255 classes");
  const std::int64_t pixels = shape[1] * shape[2], count = pixels * shape[0], size = f32 ? 4 : 2;
  if (static_cast<std::uint64_t>(count * size) != data.size())
    complain(file, fmt::format("has {} bytes of data, its shape needs {}", data.size(), count * size));
  ScoreMap scores{static_cast<int>(shape[2]), static_cast<int>(shape[1]), static_cast<int>(shape[0]), {}};
  scores.values.resize(static_cast<std::size_t>(count));
  for (std::int64_t c = 0; c < shape[0]; ++c)
    for (std::int64_t i = 0; i < pixels; ++i) {
      const char* at = data.data() + (c * pixels + i) * size;
      float value = 0;
      std::uint16_t half = 0;
      if (f32) std::memcpy(&value, at, 4);
      if (f16) std::memcpy(&half, at, 2), value = half_to_float(half);
      scores.values[static_cast<std::size_t>(i * shape[0] + c)] = value;
    }
  return scores;
}

std::vector<std::byte> encode_npy(const ScoreMap& scores, DType dtype) {
  const std::size_t size = size_of(dtype);
  std::string header = fmt::format("{{'descr': '<f{}', 'fortran_order': False, 'shape': ({}, {}, {}), }}",
                                   size, scores.classes, scores.height, scores.width);
  header.resize((header.size() + 10 + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  std::string start(kMagic);
  start += {1, 0, static_cast<char>(header.size() & 255U), static_cast<char>(header.size() >> 8U)};
  start += header;
  std::vector<std::byte> file(start.size() + scores.values.size() * size);
  std::memcpy(file.data(), start.data(), start.size());
  std::byte* to = file.data() + start.size();
  for (int c = 0; c < scores.classes; ++c)
    for (std::size_t i = 0; i < scores.pixels(); ++i, to += size) {
      const float value = scores.pixel(i)[c];
      const std::uint16_t half = float_to_half(value);
      std::memcpy(to, dtype == DType::f16 ? static_cast<const void*>(&half) : &value, size);
    }
  return file;
}

}  // namespace atrous

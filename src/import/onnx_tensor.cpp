// SPDX-License-Identifier: Apache-2.0
#include "import/onnx_tensor.h"

#include <algorithm>
#include <cstring>

#include "core/convert.h"
#include "core/error.h"
#include "core/value.h"
#include "import/wire.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

/// A type of ONNX's tensors, and how one element lies in raw bytes.
struct Type {
  std::int64_t code;
  std::string_view name;
  std::int64_t size;
  bool real, sign;
};
constexpr Type kTypes[] = {
    {1, "float", 4, true, true},    {2, "uint8", 1, false, false},   {3, "int8", 1, false, true},
    {4, "uint16", 2, false, false}, {5, "int16", 2, false, true},    {6, "int32", 4, false, true},
    {7, "int64", 8, false, true},   {9, "bool", 1, false, false},    {10, "float16", 2, true, true},
    {11, "double", 8, true, true},  {12, "uint32", 4, false, false}, {13, "uint64", 8, false, false},
    {16, "bfloat16", 2, true, true}};

std::int64_t whole_at(const std::byte* data, const Type& type) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, data, static_cast<std::size_t>(type.size));
  const auto unused = static_cast<unsigned>(64 - 8 * type.size);
  return type.sign ? static_cast<std::int64_t>(bits << unused) >> unused : static_cast<std::int64_t>(bits);
}

/// `count` elements that lie in memory as `type` says. f32 is not copied.
Array from_bytes(const Dims& dims, const Type& type, const std::shared_ptr<const std::byte>& data) {
  const auto count = static_cast<std::size_t>(checked_count(dims));
  if (type.code == 1) return Array::reals(TensorRef{"", dims, DType::f32, data});
  if (!type.real) {
    std::vector<std::int64_t> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = whole_at(data.get() + i * static_cast<std::size_t>(type.size), type);
    return Array::wholes(dims, std::move(values));
  }
  std::vector<float> values(count);
  if (type.code == 11) {
    for (std::size_t i = 0; i < count; ++i) {
      double value = 0;
      std::memcpy(&value, data.get() + i * sizeof value, sizeof value);
      values[i] = static_cast<float>(value);
    }
  } else {
    to_f32(data.get(), type.code == 10 ? DType::f16 : DType::bf16, static_cast<std::int64_t>(count),
           values.data());
  }
  return Array::reals(dims, std::move(values));
}

/// Appends the bytes of one number, or of packed ones, each `size` long in the result.
void append(std::vector<std::byte>& bytes, const WireField& field, std::size_t size, bool varints) {
  auto put = [&](std::uint64_t value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), begin, begin + size);
  };
  if (!field.is_bytes) return put(field.value);
  if (!varints) return void(bytes.insert(bytes.end(), field.bytes.begin(), field.bytes.end()));
  for (WireReader packed(field.bytes); !packed.at_end();) put(packed.varint());
}

}  // namespace

struct OnnxTensors::Content {
  std::string name;
  Dims dims;
  std::int64_t type = 0, location = 0;
  bool has_raw = false;
  std::span<const std::byte> raw;
  std::vector<std::byte> listed;  ///< of float_data and its like, as they would lie in raw bytes
  std::map<std::string, std::string> external;
};

OnnxTensors::OnnxTensors(const fs::path& model, MappedFile mapped)
    : folder_(model.parent_path()), model_(std::move(mapped)), bytes_(model_.size) {}

std::shared_ptr<const std::byte> OnnxTensors::external(const Content& content, std::int64_t size) {
  auto entry = [&](const char* key) {
    const auto found = content.external.find(key);
    return found == content.external.end() ? std::string() : found->second;
  };
  const fs::path location = entry("location"), file = folder_ / location;
  std::error_code status;
  const fs::path home = fs::weakly_canonical(folder_.empty() ? fs::path(".") : folder_, status),
                 real = fs::weakly_canonical(file, status), relative = real.lexically_relative(home);
  if (location.empty() || location.is_absolute() || relative.empty() || *relative.begin() == "..")
    fail(ErrorCode::bad_file, "tensor '{}' lies in '{}', which is not in the model's folder", content.name,
         location.string());
  if (!fs::is_regular_file(real, status))
    fail(ErrorCode::not_found, "tensor '{}' lies in '{}', and there is no such file", content.name,
         location.string());
  auto [mapped, is_new] = files_.try_emplace(real);
  if (is_new) bytes_ += (mapped->second = map_file(real)).size;
  const auto offset = parse_integer(content.external.contains("offset") ? entry("offset") : "0"),
             length =
                 parse_integer(content.external.contains("length") ? entry("length") : std::to_string(size));
  const auto end = static_cast<std::int64_t>(mapped->second.size);
  if (!offset || !length || *offset < 0 || *offset > end || size > end - *offset || *length != size)
    fail(ErrorCode::bad_file, "tensor '{}' of {} bytes is not in the {} bytes of '{}'", content.name, size,
         end, location.string());
  return {mapped->second.data, mapped->second.data.get() + *offset};
}

OnnxTensors::Named OnnxTensors::read(std::span<const std::byte> message) {
  Content content;
  WireField field;
  for (WireReader reader(message); reader.next(field);) switch (field.number) {
      case 1: {
        std::vector<std::byte> extents;
        append(extents, field, 8, true);
        for (std::size_t i = 0; i < extents.size(); i += 8)
          content.dims.push_back(whole_at(extents.data() + i, kTypes[6]));
        break;
      }
      case 2:
        content.type = field.integer();
        break;
      case 4:
        append(content.listed, field, 4, false);
        break;
      case 5: {  // every type of at most 32 bits, a number an element
        const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                        [&](const Type& t) { return t.code == content.type; });
        append(content.listed, field, type == std::end(kTypes) ? 4 : static_cast<std::size_t>(type->size),
               true);
        break;
      }
      case 7:
      case 11:
        append(content.listed, field, content.type == 12 ? 4 : 8, true);
        break;
      case 8:
        content.name = field.text();
        break;
      case 9:
        content.raw = field.message(), content.has_raw = true;
        break;
      case 10:
        append(content.listed, field, 8, false);
        break;
      case 13: {
        std::string key, value;
        WireField part;
        for (WireReader entry(field.message()); entry.next(part);)
          (part.number == 1 ? key : value) = part.text();
        content.external[key] = value;
        break;
      }
      case 14:
        content.location = field.integer();
        break;
      default:
        break;
    }
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const Type& t) { return t.code == content.type; });
  if (type == std::end(kTypes))
    fail(ErrorCode::unsupported, "tensor '{}' is of type {}; accepted are numbers of 8 to 64 bits",
         content.name, content.type);
  const std::int64_t size = checked_count(content.dims) * type->size;
  if (content.location == 1) {
    const std::shared_ptr<const std::byte> data = external(content, size);
    return {std::move(content.name), from_bytes(content.dims, *type, data)};
  }
  const auto given = static_cast<std::int64_t>(content.has_raw ? content.raw.size() : content.listed.size());
  if (given != size)
    fail(ErrorCode::bad_file, "tensor '{}' of {} has {} bytes in place of {}", content.name,
         dims_to_string(content.dims), given, size);
  if (content.has_raw)
    return {std::move(content.name), from_bytes(content.dims, *type, {model_.data, content.raw.data()})};
  auto owner = std::make_shared<std::vector<std::byte>>(std::move(content.listed));
  return {std::move(content.name), from_bytes(content.dims, *type, {owner, owner->data()})};
}

}  // namespace atrous

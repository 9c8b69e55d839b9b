// SPDX-License-Identifier: Apache-2.0
#include "config/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/checked.h"
#include "core/error.h"
#include "core/files.h"

namespace atrous {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t kMostHeader = 32U << 20U;
constexpr std::size_t kMostTensors = 100'000;

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "F32";
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::s8:
      return "I8";
    default:
      fail(ErrorCode::internal, "safetensors: {} is not a type of weights", to_string(dtype));
  }
}

std::optional<DType> dtype_named(const std::string& name) {
  if (name == "F32") return DType::f32;
  if (name == "F16") return DType::f16;
  if (name == "BF16") return DType::bf16;
  if (name == "I8") return DType::s8;
  return std::nullopt;
}

/// Reads the header of one file; every complaint names the file.
class HeaderReader {
 public:
  HeaderReader(std::string file, MappedFile mapped) : file_(std::move(file)), mapped_(std::move(mapped)) {}

  std::map<std::string, TensorRef, std::less<>> read() {
    std::uint64_t length = 0;
    if (mapped_.size < sizeof length) complain("too short to be a safetensors file");
    std::memcpy(&length, mapped_.data.get(), sizeof length);
    if (length > mapped_.size - sizeof length || length > kMostHeader)
      complain(fmt::format("claims a header of {} bytes, the file has {}", length, mapped_.size));
    payload_ = sizeof length + static_cast<std::size_t>(length);
    const auto* text = reinterpret_cast<const char*>(mapped_.data.get()) + sizeof length;
    const Json header = parse(text, text + length);
    std::map<std::string, TensorRef, std::less<>> tensors;
    for (const auto& [name, entry] : header.items())
      if (name != "__metadata__") tensors.emplace(name, read_tensor(name, entry));
    check_overlaps();
    return tensors;
  }

 private:
  [[noreturn]] void complain(const std::string& reason) const {
    fail(ErrorCode::bad_file, "{}: {}", file_, reason);
  }
  [[noreturn]] void complain(const std::string& tensor, const std::string& reason) const {
    complain("tensor '" + tensor.substr(0, 200) + "' " + reason);
  }

  Json parse(const char* begin, const char* end) const {
    bool too_much = false;
    std::size_t keys = 0;
    const auto limit = [&](int depth, Json::parse_event_t event, Json&) {
      if (event == Json::parse_event_t::key && depth == 1) ++keys;
      too_much = too_much || depth > 4 || keys > kMostTensors;
      return !too_much;
    };
    Json header = Json::parse(begin, end, limit, false);
    if (too_much || !header.is_object()) complain("its header is not a safetensors header");
    if (header.size() != keys) complain("its header names a tensor twice");
    return header;
  }

  TensorRef read_tensor(const std::string& name, const Json& entry) {
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
        !entry.contains("data_offsets") || !entry["dtype"].is_string() || !entry["shape"].is_array() ||
        !entry["data_offsets"].is_array())
      complain(name, "has no dtype, shape and data_offsets");
    const std::optional<DType> dtype = dtype_named(entry["dtype"].get<std::string>());
    if (!dtype)
      complain(name, "is of type " + entry["dtype"].get<std::string>().substr(0, 20) +
                         "; F32, F16, BF16 and I8 can be read");
    TensorRef tensor{name, {}, *dtype, nullptr};
    std::optional<std::int64_t> bytes = static_cast<std::int64_t>(size_of(*dtype));
    for (const Json& extent : entry["shape"]) {
      if (!extent.is_number_unsigned() || extent.get<std::uint64_t>() > (std::uint64_t{1} << 40U))
        complain(name, "has a shape that is no list of sizes");
      tensor.dims.push_back(extent.get<std::int64_t>());
      bytes = checked_mul(*bytes, tensor.dims.back());
      if (!bytes) complain(name, "has a shape whose product overflows");
    }
    const Json& offsets = entry["data_offsets"];
    if (offsets.size() != 2 || !offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned())
      complain(name, "has data_offsets that are no [begin, end]");
    const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > mapped_.size - payload_)
      complain(name, fmt::format("lies at [{}, {}), outside the {} bytes of data", begin, end,
                                 mapped_.size - payload_));
    if (end - begin != static_cast<std::uint64_t>(*bytes))
      complain(name,
               fmt::format("is {} of {} bytes but has {}", dims_to_string(tensor.dims), *bytes, end - begin));
    ranges_.push_back({begin, end, name});
    tensor.data = std::shared_ptr<const std::byte>(mapped_.data, mapped_.data.get() + payload_ + begin);
    tensor.is_mapped = true;
    return tensor;
  }

  void check_overlaps() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
      return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    for (std::size_t i = 1; i < ranges_.size(); ++i)
      if (ranges_[i].begin < ranges_[i - 1].end)
        complain(ranges_[i].name, "overlaps tensor '" + ranges_[i - 1].name + "'");
  }

  struct Range {
    std::uint64_t begin, end;
    std::string name;
  };
  std::string file_;
  MappedFile mapped_;
  std::size_t payload_ = 0;
  std::vector<Range> ranges_;
};

}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file)
    : file_(file.string()), tensors_(HeaderReader(file.string(), map_file(file)).read()) {}

std::optional<TensorRef> SafetensorsFile::find(std::string_view name,
                                               const std::vector<std::int64_t>&) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? std::nullopt : std::optional(found->second);
}

void write_safetensors(const std::filesystem::path& file, std::span<const TensorRef> tensors) {
  Json header = Json::object();
  std::size_t offset = 0;
  for (const TensorRef& tensor : tensors) {
    const std::size_t bytes = static_cast<std::size_t>(tensor.elements()) * size_of(tensor.dtype);
    header[tensor.name] = {
        {"dtype", name_of(tensor.dtype)}, {"shape", tensor.dims}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::vector<std::byte> content;
  content.reserve(sizeof length + text.size() + offset);
  auto append = [&](const void* data, std::size_t bytes) {
    const auto* begin = static_cast<const std::byte*>(data);
    content.insert(content.end(), begin, begin + bytes);
  };
  append(&length, sizeof length);
  append(text.data(), text.size());
  for (const TensorRef& tensor : tensors)
    append(tensor.data.get(), static_cast<std::size_t>(tensor.elements()) * size_of(tensor.dtype));
  write_file(file, content);
}

}  // namespace atrous

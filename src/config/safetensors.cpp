// SPDX-License-Identifier: Apache-2.0
#include "config/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

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

/// What a header says of a tensor; members that it lacks, or that are of another type, are none.
struct Entry {
  std::optional<std::string> dtype;
  std::optional<std::vector<std::optional<std::uint64_t>>> shape, offsets;  ///< none: no whole number from 0
};

/// A header event by event. (A document's tree allocates while it is destroyed: without memory that ends the
/// program.)
class HeaderEvents : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add({}); }
  bool boolean(bool) override { return add({}); }
  bool number_integer(std::int64_t) override { return add({}); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double, const std::string&) override { return add({}); }
  bool binary(Json::binary_t&) override { return false; }
  bool string(std::string& text) override {
    if (depth_ == 2 && entry_ != nullptr && member_ == "dtype") entry_->dtype = text;
    return add({});
  }
  bool start_object(std::size_t) override {
    add({});
    return enter();
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override {
    if (depth_ == 2 && entry_ != nullptr && (member_ == "shape" || member_ == "data_offsets"))
      list_ = &(member_ == "shape" ? entry_->shape : entry_->offsets).emplace();
    else
      add({});
    return enter() && depth_ > 1;
  }
  bool end_array() override {
    if (depth_ == 3) list_ = nullptr;
    return leave();
  }
  bool key(std::string& name) override {
    member_ = name;
    if (depth_ != 1) return true;
    entry_ = nullptr;
    twice = !names_.insert(name).second;
    if (name != "__metadata__") entry_ = &entries[name];
    return !twice && names_.size() <= kMostTensors;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override { return false; }

  std::map<std::string, Entry> entries;
  bool twice = false;  ///< it names a tensor twice

 private:
  bool add(std::optional<std::uint64_t> value) {
    if (depth_ == 3 && list_ != nullptr) list_->push_back(value);
    return depth_ > 0;
  }
  bool enter() { return ++depth_ <= 4; }
  bool leave() {
    --depth_;
    return true;
  }

  int depth_ = 0;  ///< of objects and lists around what comes
  std::string member_;
  std::set<std::string> names_;
  Entry* entry_ = nullptr;
  std::vector<std::optional<std::uint64_t>>* list_ = nullptr;
};

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
    HeaderEvents header;
    const bool good = Json::sax_parse(text, text + length, &header);
    if (header.twice) complain("its header names a tensor twice");
    if (!good) complain("its header is not a safetensors header");
    std::map<std::string, TensorRef, std::less<>> tensors;
    for (const auto& [name, entry] : header.entries) tensors.emplace(name, read_tensor(name, entry));
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

  TensorRef read_tensor(const std::string& name, const Entry& entry) {
    if (!entry.dtype || !entry.shape || !entry.offsets)
      complain(name, "has no dtype, shape and data_offsets");
    const std::optional<DType> dtype = dtype_named(*entry.dtype);
    if (!dtype)
      complain(name, "is of type " + entry.dtype->substr(0, 20) + "; F32, F16, BF16 and I8 can be read");
    TensorRef tensor{name, {}, *dtype, nullptr};
    std::optional<std::int64_t> bytes = static_cast<std::int64_t>(size_of(*dtype));
    for (const std::optional<std::uint64_t>& extent : *entry.shape) {
      if (!extent || *extent > (std::uint64_t{1} << 40U))
        complain(name, "has a shape that is no list of sizes");
      tensor.dims.push_back(static_cast<std::int64_t>(*extent));
      bytes = checked_mul(*bytes, tensor.dims.back());
      if (!bytes) complain(name, "has a shape whose product overflows");
    }
    const auto& offsets = *entry.offsets;
    if (offsets.size() != 2 || !offsets[0] || !offsets[1])
      complain(name, "has data_offsets that are no [begin, end]");
    const std::uint64_t begin = *offsets[0], end = *offsets[1];
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

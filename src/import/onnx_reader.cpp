// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "import/onnx_model.h"
#include "import/onnx_tensor.h"
#include "import/wire.h"

namespace atrous {
namespace {

using Message = std::span<const std::byte>;
constexpr std::size_t kMostNodes = 20'000;

/// Reads the messages of one file; the numbers of their fields are those of onnx.proto.
class OnnxReader {
 public:
  OnnxReader(const std::filesystem::path& file, MappedFile mapped)
      : whole_(mapped.data.get(), mapped.size), tensors_(file, std::move(mapped)) {}

  OnnxModel read() {
    WireField field;
    Message graph;
    for (WireReader reader(whole_); reader.next(field);) {
      if (field.number == 7) graph = field.message();
      if (field.number == 8) read_opset(field.message());
    }
    if (graph.empty()) fail(ErrorCode::bad_file, "is no ONNX file: it has no graph");
    read_graph(graph);
    std::erase_if(model_.inputs, [&](const OnnxInput& i) { return model_.initializers.contains(i.name); });
    if (model_.outputs.empty()) fail(ErrorCode::bad_file, "its graph has no output");
    if (model_.opset < 9 || model_.opset > 26)
      fail(ErrorCode::unsupported, "is of opset {}; accepted are 9 to 26 (21 is the latest one tested)",
           model_.opset);
    model_.bytes = tensors_.bytes();
    return std::move(model_);
  }

 private:
  void read_opset(Message message) {
    std::string domain;
    std::int64_t version = 0;
    WireField field;
    for (WireReader reader(message); reader.next(field);) {
      if (field.number == 1) domain = field.text();
      if (field.number == 2) version = field.integer();
    }
    if (domain.empty() || domain == "ai.onnx")
      model_.opset = static_cast<int>(std::clamp<std::int64_t>(version, 0, 1'000'000));
  }

  void read_graph(Message message) {
    WireField field;
    for (WireReader reader(message); reader.next(field);) switch (field.number) {
        case 1:
          if (model_.nodes.size() >= kMostNodes)
            fail(ErrorCode::unsupported, "has more than {} nodes", kMostNodes);
          model_.nodes.push_back(read_node(field.message()));
          break;
        case 5: {
          OnnxTensors::Named tensor = tensors_.read(field.message());
          model_.initializers.insert_or_assign(std::move(tensor.name), std::move(tensor.array));
          break;
        }
        case 11:
          model_.inputs.push_back(read_value(field.message()));
          break;
        case 12:
          model_.outputs.push_back(read_value(field.message()).name);
          break;
        default:
          break;
      }
  }

  OnnxNode read_node(Message message) {
    OnnxNode node;
    WireField field;
    for (WireReader reader(message); reader.next(field);) switch (field.number) {
        case 1:
          node.inputs.push_back(field.text());
          break;
        case 2:
          node.outputs.push_back(field.text());
          break;
        case 3:
          node.name = field.text();
          break;
        case 4:
          node.op = field.text();
          break;
        case 5:
          read_attribute(field.message(), node);
          break;
        case 7:
          node.domain = field.text();
          break;
        default:
          break;
      }
    if (node.domain == "ai.onnx") node.domain.clear();
    return node;
  }

  void read_attribute(Message message, OnnxNode& node) {
    OnnxAttribute attribute;
    std::string name;
    WireField field;
    for (WireReader reader(message); reader.next(field);) switch (field.number) {
        case 1:
          name = field.text();
          break;
        case 2:
          attribute.real = field.real();
          break;
        case 3:
          attribute.integer = field.integer();
          break;
        case 4:
          attribute.text = field.text();
          break;
        case 5:
          attribute.tensor = tensors_.read(field.message()).array;
          break;
        case 7:
          for (const WireField& number : numbers(field, false)) attribute.reals.push_back(number.real());
          break;
        case 8:
          for (const WireField& number : numbers(field, true)) attribute.integers.push_back(number.integer());
          break;
        default:
          break;
      }
    node.attributes.insert_or_assign(std::move(name), std::move(attribute));
  }

  /// The numbers of a repeated field, packed or not.
  static std::vector<WireField> numbers(const WireField& field, bool varints) {
    std::vector<WireField> result;
    if (!field.is_bytes) return {field};
    WireField number;
    if (varints)
      for (WireReader packed(field.bytes); !packed.at_end();) {
        number.value = packed.varint();
        result.push_back(number);
      }
    else
      for (std::size_t at = 0; at + 4 <= field.bytes.size(); at += 4) {
        std::memcpy(&number.value, field.bytes.data() + at, 4);
        result.push_back(number);
      }
    return result;
  }

  OnnxInput read_value(Message message) {
    OnnxInput value;
    WireField field, type, tensor;
    for (WireReader reader(message); reader.next(field);) {
      if (field.number == 1) value.name = field.text();
      if (field.number != 2) continue;
      for (WireReader types(field.message()); types.next(type);)
        if (type.number == 1)
          for (WireReader parts(type.message()); parts.next(tensor);) {
            if (tensor.number == 1) value.is_u8 = tensor.integer() == 2;
            if (tensor.number == 2) read_shape(tensor.message(), value);
          }
    }
    return value;
  }

  static void read_shape(Message message, OnnxInput& value) {
    WireField field, part;
    for (WireReader reader(message); reader.next(field);) {
      if (field.number != 1) continue;
      std::int64_t extent = -1;
      for (WireReader parts(field.message()); parts.next(part);)
        if (part.number == 1) extent = part.integer();
      value.dims.push_back(extent);
    }
  }

  Message whole_;
  OnnxTensors tensors_;
  OnnxModel model_;
};

}  // namespace

const OnnxAttribute* OnnxNode::find(std::string_view attribute) const {
  const auto found = attributes.find(attribute);
  return found == attributes.end() ? nullptr : &found->second;
}

std::int64_t OnnxNode::integer(std::string_view attribute, std::int64_t fallback) const {
  const OnnxAttribute* found = find(attribute);
  return found == nullptr ? fallback : found->integer;
}

float OnnxNode::real(std::string_view attribute, float fallback) const {
  const OnnxAttribute* found = find(attribute);
  return found == nullptr ? fallback : found->real;
}

std::string OnnxNode::text(std::string_view attribute, std::string_view fallback) const {
  const OnnxAttribute* found = find(attribute);
  return found == nullptr ? std::string(fallback) : found->text;
}

Dims OnnxNode::integers(std::string_view attribute) const {
  const OnnxAttribute* found = find(attribute);
  return found == nullptr ? Dims() : found->integers;
}

OnnxModel read_onnx(const std::filesystem::path& file) {
  try {
    return OnnxReader(file, map_file(file)).read();
  } catch (const Error& error) {
    if (error.message().starts_with(file.string() + ": ")) throw;
    throw Error(error.code(), file.string() + ": " + error.message());
  }
}

}  // namespace atrous

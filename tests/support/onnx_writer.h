// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace atrous::test {

/// A protobuf message that grows by fields; the numbers are those of onnx.proto.
class Message {
 public:
  Message& number(unsigned field, std::uint64_t value) {
    varint(field << 3U);
    varint(value);
    return *this;
  }
  Message& text(unsigned field, const std::string& content) {
    varint(field << 3U | 2U);
    varint(content.size());
    bytes_ += content;
    return *this;
  }
  Message& message(unsigned field, const Message& content) { return text(field, content.bytes_); }
  Message& real(unsigned field, float value) {
    varint(field << 3U | 5U);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

/// Puts an ONNX model together; its output has four dimensions. Extents of the input below 1 are open.
class OnnxWriter {
 public:
  using Dims = std::vector<std::int64_t>;

  explicit OnnxWriter(const Dims& input = {1, 3, -1, -1}, int opset = 17) : opset_(opset) {
    graph_.message(11, value("input", input));
  }

  template <typename T>
  OnnxWriter& constant(const std::string& name, const Dims& dims, const std::vector<T>& values) {
    Message tensor = head(name, dims, sizeof(T) == 4 ? 1 : 7);
    tensor.text(9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
    return initializer(tensor);
  }
  OnnxWriter& initializer(const Message& tensor) {
    graph_.message(5, tensor);
    return *this;
  }
  /// Attributes of whole numbers: a list of one is written as one number where `name` ends with '!'.
  OnnxWriter& node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                   const std::vector<std::pair<std::string, Dims>>& attributes = {},
                   const std::vector<std::pair<std::string, std::string>>& texts = {}) {
    Message node;
    for (const std::string& input : inputs) node.text(1, input);
    node.text(2, output).text(3, output).text(4, op);
    for (const auto& [name, values] : attributes) {
      Message attribute;
      const bool single = name.ends_with('!');
      attribute.text(1, single ? name.substr(0, name.size() - 1) : name);
      for (std::int64_t value : values) attribute.number(single ? 3 : 8, static_cast<std::uint64_t>(value));
      node.message(5, attribute.number(20, single ? 2 : 7));
    }
    for (const auto& [name, value] : texts)
      node.message(5, Message().text(1, name).text(4, value).number(20, 3));
    graph_.message(1, node);
    return *this;
  }
  /// The file.
  std::string finish(const std::string& output) {
    graph_.message(12, value(output, {-1, -1, -1, -1}));
    graph_.text(2, "graph");
    return Message()
        .number(1, 8)
        .message(7, graph_)
        .message(8, Message().number(2, static_cast<std::uint64_t>(opset_)))
        .bytes();
  }

  static Message head(const std::string& name, const Dims& dims, int type) {
    Message tensor;
    for (std::int64_t extent : dims) tensor.number(1, static_cast<std::uint64_t>(extent));
    return tensor.number(2, static_cast<std::uint64_t>(type)).text(8, name);
  }

 private:
  static Message value(const std::string& name, const Dims& dims) {
    Message shape;
    for (std::int64_t extent : dims)
      shape.message(1, extent < 1 ? Message() : Message().number(1, static_cast<std::uint64_t>(extent)));
    return Message().text(1, name).message(2, Message().message(1, Message().number(1, 1).message(2, shape)));
  }

  int opset_;
  Message graph_;
};

/// DeepLab's shape in little: strided convolution, batch norm, hardswish spelt out, a pooled branch that is
/// brought to the other's extent by a Shape chain, logits brought to the input's.
inline std::string toy_onnx(int opset = 17) {
  using F = std::vector<float>;
  using I = std::vector<std::int64_t>;
  auto ramp = [](std::size_t count, float step) {
    F values(count);
    for (std::size_t i = 0; i < count; ++i) values[i] = step * static_cast<float>(i % 13) - 6 * step;
    return values;
  };
  OnnxWriter model({1, 3, -1, -1}, opset);
  model.constant<float>("stem.weight", {4, 3, 3, 3}, ramp(108, 0.02F))
      .constant<float>("bn.weight", {4}, {1, 2, 0.5F, 1.5F})
      .constant<float>("bn.bias", {4}, {0.1F, -0.2F, 0.3F, 0})
      .constant<float>("bn.mean", {4}, {0.1F, 0.2F, -0.1F, 0})
      .constant<float>("bn.var", {4}, {1, 0.5F, 2, 0.25F})
      .constant<float>("three", {}, {3})
      .constant<float>("zero", {}, {0})
      .constant<float>("six", {}, {6})
      .constant<float>("head.weight", {2, 8, 1, 1}, ramp(16, 0.1F))
      .constant<std::int64_t>("i0", {1}, {0})
      .constant<std::int64_t>("i2", {1}, {2})
      .constant<std::int64_t>("i4", {1}, {4});
  model
      .node("Conv", {"input", "stem.weight"}, "/m/stem/Conv_0",
            {{"strides", I{2, 2}}, {"pads", I{1, 1, 1, 1}}})
      .node("BatchNormalization", {"/m/stem/Conv_0", "bn.weight", "bn.bias", "bn.mean", "bn.var"}, "bn")
      .node("Add", {"bn", "three"}, "shifted")
      .node("Clip", {"shifted", "zero", "six"}, "gate")
      .node("Mul", {"bn", "gate"}, "product")
      .node("Div", {"product", "six"}, "act")
      .node("GlobalAveragePool", {"act"}, "pool");
  auto resize_like = [&](const std::string& x, const std::string& like, const std::string& name) {
    model.node("Shape", {like}, name + "_s").node("Slice", {name + "_s", "i2", "i4", "i0"}, name + "_hw");
    model.node("Shape", {x}, name + "_t").node("Slice", {name + "_t", "i0", "i2", "i0"}, name + "_nc");
    model.node("Concat", {name + "_nc", name + "_hw"}, name + "_sizes", {{"axis!", I{0}}});
    model.node("Resize", {x, "", "", name + "_sizes"}, name, {},
               {{"mode", "linear"}, {"coordinate_transformation_mode", "pytorch_half_pixel"}});
  };
  resize_like("pool", "act", "spread");
  model.node("Concat", {"act", "spread"}, "both", {{"axis!", I{1}}})
      .node("Conv", {"both", "head.weight"}, "head");
  resize_like("head", "input", "logits");
  return model.node("Softmax", {"logits"}, "probabilities", {{"axis!", I{1}}}).finish("probabilities");
}

}  // namespace atrous::test

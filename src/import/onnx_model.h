// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "import/array.h"

namespace atrous {

/// An attribute holds one of these; what its type is the reader of it knows.
struct OnnxAttribute {
  std::int64_t integer = 0;
  float real = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> reals;
  std::optional<Array> tensor;
};

struct OnnxNode {
  std::string name, op, domain;
  std::vector<std::string> inputs, outputs;  ///< values; "" where an optional one is left out
  std::map<std::string, OnnxAttribute, std::less<>> attributes;

  const OnnxAttribute* find(std::string_view attribute) const;
  std::int64_t integer(std::string_view attribute, std::int64_t fallback) const;
  float real(std::string_view attribute, float fallback) const;
  std::string text(std::string_view attribute, std::string_view fallback) const;
  Dims integers(std::string_view attribute) const;  ///< empty where it is not given
  bool has_input(std::size_t index) const { return index < inputs.size() && !inputs[index].empty(); }
};

/// An input of the graph; an extent below 1 is one that the caller chooses.
struct OnnxInput {
  std::string name;
  Dims dims;
  bool is_u8 = false;
};

/// A model's main graph. Sub-graphs and functions are not read; operators that need them are refused by name.
struct OnnxModel {
  int opset = 0;  ///< of the standard domain
  std::vector<OnnxNode> nodes;
  std::unordered_map<std::string, Array> initializers;
  std::vector<OnnxInput> inputs;     ///< that are no initializers
  std::vector<std::string> outputs;  ///< names of values, at least one
  std::size_t bytes = 0;             ///< of the file and of the data beside it that was mapped
};

/// Reads a model; large tensors stay in its mapped file, or in files of external data, which must lie in the
/// model's folder or below. Throws Error{not_found | io | bad_file | unsupported}: "file: reason".
OnnxModel read_onnx(const std::filesystem::path& file);

}  // namespace atrous

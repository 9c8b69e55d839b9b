// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/tensor_ref.h"
#include "core/value.h"

namespace atrous {

/// What a model's file does not say. Numbers are texts as a config has them ("1/255"); empty means not given.
struct ImportOptions {
  std::string name;    ///< default: the file's stem
  std::string labels;  ///< a label set, a label file (.yaml), or a text file with a name a line
  std::vector<std::string> mean, std;  ///< one or three numbers
  std::string scale;                   ///< default: 1/255, and 1 for a model that takes bytes
  std::string color = "rgb";
  int height = 0, width = 0;  ///< the network's input, to which photos are stretched; 0: as the model says
};

/// Weights in memory, by their names.
class ImportedWeights : public WeightSource {
 public:
  ImportedWeights(std::string file, std::vector<TensorRef> tensors);
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override;
  std::string describe() const override { return file_; }
  const std::vector<TensorRef>& tensors() const { return tensors_; }

 private:
  std::string file_;
  std::vector<TensorRef> tensors_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// A model as a config and weights.
struct ImportedModel {
  std::string name;
  Value config;  ///< the YAML's map; `weights` is NAME.safetensors
  ImportedWeights weights;

  /// Throws Error where the config, read as if it stood in `folder`, and its weights would not be taken.
  void check(const std::filesystem::path& folder) const;
};

/// Imports an ONNX model. Where its input may have any height and width, so may the config's. Throws
/// Error{not_found | io | bad_file | unsupported | invalid_argument}, "file: ..."; what is not supported
/// names the operator, the node and what would be accepted.
ImportedModel import_onnx(const std::filesystem::path& file, const ImportOptions& options = {});

/// Writes FOLDER/NAME.yaml and FOLDER/NAME.safetensors, both whole or neither, and returns the former. Throws
/// Error{io}.
std::filesystem::path write_model(const ImportedModel& model, const std::filesystem::path& folder);

/// A config's text: a line a key, a line a node.
std::string config_text(const Value& config);

}  // namespace atrous

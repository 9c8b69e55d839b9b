// SPDX-License-Identifier: Apache-2.0
#include "config/weights.h"

#include "config/safetensors.h"
#include "core/error.h"

namespace atrous {
namespace {

/// Several files, no tensor in two of them.
class SafetensorsFiles : public WeightSource {
 public:
  explicit SafetensorsFiles(const std::vector<WeightsFile>& files) {
    for (const WeightsFile& file : files) {
      SafetensorsFile opened(file.path);
      for (const auto& [name, tensor] : opened.tensors())
        if (const SafetensorsFile* other = holder_of(name))
          fail(ErrorCode::bad_file, "tensor '{}' is in both {} and {}", name.substr(0, 200),
               other->describe(), opened.describe());
      files_.push_back(std::move(opened));
    }
  }

  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override {
    const SafetensorsFile* file = holder_of(name);
    return file != nullptr ? file->find(name, dims) : std::nullopt;
  }

  std::string describe() const override {
    std::string names;
    for (const SafetensorsFile& file : files_) names += (names.empty() ? "" : ", ") + file.describe();
    return names;
  }

 private:
  const SafetensorsFile* holder_of(std::string_view name) const {
    for (const SafetensorsFile& file : files_)
      if (file.tensors().contains(name)) return &file;
    return nullptr;
  }

  std::vector<SafetensorsFile> files_;
};

}  // namespace

std::unique_ptr<WeightSource> open_weights(const ModelConfig& config, bool random) {
  if (config.has_weights()) return std::make_unique<SafetensorsFiles>(config.weights);
  if (random) return std::make_unique<RandomWeights>(1);
  for (const WeightsFile& file : config.weights)
    if (file.path.empty())
      fail(ErrorCode::not_found,
           "{}: its weights '{}' are neither beside it nor in a models/ folder of the model path",
           config.file.string(), file.name);
  fail(ErrorCode::bad_config, "{}: names no 'weights'", config.file.string());
}

}  // namespace atrous

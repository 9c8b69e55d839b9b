// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "core/tensor_ref.h"

namespace atrous {

/// A safetensors file, memory-mapped; tensors of type F32, F16, BF16 and I8 can be used. The header is not
/// trusted: lengths, shapes and offsets are checked against the file, and no two tensors may overlap. The map
/// lives as long as any tensor.
class SafetensorsFile : public WeightSource {
 public:
  /// Throws Error{not_found | io | bad_file} that names the file and, where there is one, the tensor.
  explicit SafetensorsFile(const std::filesystem::path& file);

  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override;
  std::string describe() const override { return file_; }
  const std::map<std::string, TensorRef, std::less<>>& tensors() const { return tensors_; }

 private:
  std::string file_;
  std::map<std::string, TensorRef, std::less<>> tensors_;
};

/// Writes tensors as a safetensors file through a temporary name. Throws Error{io}.
void write_safetensors(const std::filesystem::path& file, std::span<const TensorRef> tensors);

}  // namespace atrous

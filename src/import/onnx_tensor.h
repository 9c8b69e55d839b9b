// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "core/files.h"
#include "import/array.h"

namespace atrous {

/// Numbers of ONNX's tensors, in the model's file or in files of external data. What is read keeps the files
/// mapped.
class OnnxTensors {
 public:
  OnnxTensors(const std::filesystem::path& model, MappedFile mapped);

  struct Named {
    std::string name;
    Array array;
  };
  /// From a TensorProto. Real numbers become f32; integers and booleans whole numbers. Throws
  /// Error{bad_file | unsupported | not_found | io} without the model's name.
  Named read(std::span<const std::byte> message);
  std::size_t bytes() const { return bytes_; }  ///< of all files mapped

 private:
  struct Content;
  std::shared_ptr<const std::byte> external(const Content& content, std::int64_t size);
  std::filesystem::path folder_;
  MappedFile model_;
  std::map<std::filesystem::path, MappedFile> files_;
  std::size_t bytes_;
};

}  // namespace atrous

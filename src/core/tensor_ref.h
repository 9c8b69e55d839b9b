// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.h"

namespace atrous {

/// A read-only tensor in memory somebody else keeps alive through `data` (a mapped file, a buffer): C order,
/// no gaps.
struct TensorRef {
  std::string name;
  std::vector<std::int64_t> dims;
  DType dtype = DType::f32;
  std::shared_ptr<const std::byte> data;
  bool is_mapped = false;  ///< `data` lies in a mapped file (core/files.h)

  std::int64_t elements() const;
  /// Gives memory back that can be read from a file again; to be called after reading all of it.
  void forget() const;
};

std::string dims_to_string(const std::vector<std::int64_t>& dims);  ///< "[256,2048,3,3]"

/// A weight of a node. Reading converts to f32 and multiplies slice i of the first dimension by scale[i]
/// (scale may be empty): batch-norm folding changes the scale and leaves the mapped file alone.
struct Constant {
  std::string name;  ///< "weight", "bias", ...: which of the operator's ConstantSpecs this is
  TensorRef tensor;
  std::vector<float> scale;

  std::vector<float> read_f32() const;
  void read_f32(float* out) const;  ///< tensor.elements() values
};

/// An owned f32 tensor as a TensorRef.
TensorRef make_tensor_ref(std::string name, std::vector<std::int64_t> dims, std::vector<float> values);

/// Where a graph's weights come from: a safetensors file, or random numbers for benchmarks and tests.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  /// The tensor of that name, or nullopt. `dims` is the shape the operator wants; a file may hold another one
  /// (the caller compares), a random source makes one of that shape.
  virtual std::optional<TensorRef> find(std::string_view name,
                                        const std::vector<std::int64_t>& dims) const = 0;
  virtual std::string describe() const = 0;  ///< for messages: the file's path, or "random weights"
};

/// Repeatable random weights: weights ~ He-scaled, running_var in [0.5, 1.5], dictionaries of templates
/// (three dimensions) in [0, 0.5); the same for the same seed and name.
class RandomWeights : public WeightSource {
 public:
  explicit RandomWeights(std::uint64_t seed) : seed_(seed) {}
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override;
  std::string describe() const override { return "random weights"; }

 private:
  std::uint64_t seed_;
};

}  // namespace atrous

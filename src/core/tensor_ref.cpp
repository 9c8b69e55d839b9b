// SPDX-License-Identifier: Apache-2.0
#include "core/tensor_ref.h"

#include <cmath>
#include <random>

#include "core/convert.h"
#include "core/files.h"

namespace atrous {

std::int64_t TensorRef::elements() const {
  std::int64_t product = 1;
  for (std::int64_t extent : dims) product *= extent;
  return product;
}

void TensorRef::forget() const {
  if (is_mapped) forget_pages(data.get(), static_cast<std::size_t>(elements()) * size_of(dtype));
}

std::string dims_to_string(const std::vector<std::int64_t>& dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(dims[i]);
  return text + "]";
}

void Constant::read_f32(float* out) const {
  const auto count = static_cast<std::size_t>(tensor.elements());
  to_f32(tensor.data.get(), tensor.dtype, tensor.elements(), out);
  tensor.forget();
  if (scale.empty()) return;
  const std::size_t slice = count / scale.size();
  for (std::size_t s = 0; s < scale.size(); ++s)
    for (std::size_t i = 0; i < slice; ++i) out[s * slice + i] *= scale[s];
}

std::vector<float> Constant::read_f32() const {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_f32(values.data());
  return values;
}

TensorRef make_tensor_ref(std::string name, std::vector<std::int64_t> dims, std::vector<float> values) {
  auto owner = std::make_shared<std::vector<float>>(std::move(values));
  std::shared_ptr<const std::byte> data(owner, reinterpret_cast<const std::byte*>(owner->data()));
  return {std::move(name), std::move(dims), DType::f32, std::move(data)};
}

std::optional<TensorRef> RandomWeights::find(std::string_view name,
                                             const std::vector<std::int64_t>& dims) const {
  std::uint64_t hash = seed_ ^ 14695981039346656037ULL;  // FNV-1a: the same on every platform
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  std::mt19937_64 generator(hash);
  std::int64_t count = 1, fan_in = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    count *= dims[i];
    if (i > 0) fan_in *= dims[i];
  }
  float low = -0.1F, high = 0.1F;
  if (name.ends_with("running_var") || (name.ends_with("weight") && dims.size() == 1)) {
    low = 0.5F;
    high = 1.5F;
  } else if (dims.size() == 3) {
    low = 0;
    high = 0.5F;
  } else if (dims.size() > 1) {
    high = std::sqrt(6.0F / static_cast<float>(fan_in));
    low = -high;
  }
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values)
    value = low + (high - low) * (static_cast<float>(generator() >> 40U) / 16777216.0F);
  return make_tensor_ref(std::string(name), dims, std::move(values));
}

}  // namespace atrous

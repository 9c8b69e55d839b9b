// SPDX-License-Identifier: Apache-2.0
#include "import/array.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/checked.h"
#include "core/error.h"

namespace atrous {
namespace {

constexpr std::size_t kMostRank = 32;

float real_at(const TensorRef& tensor, std::int64_t index) {
  float value = 0;
  std::memcpy(&value, tensor.data.get() + index * 4, 4);
  return value;
}

/// Calls `visit` with the position of each element in turn.
template <typename Visit>
void for_each(const Dims& dims, const Dims& strides, std::int64_t at, const Visit& visit) {
  std::array<std::int64_t, kMostRank> index{};
  for (std::int64_t left = checked_count(dims); left > 0; --left) {
    visit(at);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      at += strides[axis];
      if (++index[axis] < dims[axis]) break;
      at -= strides[axis] * dims[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

Array Array::reals(Dims dims, std::vector<float> values) {
  return reals(make_tensor_ref("", std::move(dims), std::move(values)));
}

Array Array::reals(TensorRef tensor) {
  Array array;
  array.tensor_ = std::move(tensor);
  if (array.tensor_.data == nullptr) array.tensor_ = make_tensor_ref("", array.tensor_.dims, {0});
  return array;
}

Array Array::wholes(Dims dims, std::vector<std::int64_t> values) {
  Array array;
  array.tensor_.dims = std::move(dims);
  array.wholes_ = std::move(values);
  return array;
}

double Array::at(std::int64_t index) const {
  return is_whole() ? static_cast<double>(wholes_.at(static_cast<std::size_t>(index)))
                    : real_at(tensor_, index);
}

std::int64_t Array::whole(std::int64_t index) const {
  constexpr double kMost = 9007199254740992.0;
  if (is_whole()) return wholes_.at(static_cast<std::size_t>(index));
  const double value = at(index);
  return std::isnan(value) ? 0 : static_cast<std::int64_t>(std::clamp(value, -kMost, kMost));
}

std::vector<float> Array::read() const {
  if (is_whole()) return {wholes_.begin(), wholes_.end()};
  std::vector<float> values(static_cast<std::size_t>(count()));
  if (!values.empty()) std::memcpy(values.data(), tensor_.data.get(), values.size() * sizeof(float));
  return values;
}

std::vector<std::int64_t> Array::read_wholes() const {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < count(); ++i) values.push_back(whole(i));
  return values;
}

Array Array::reshaped(Dims dims) const {
  Array array = *this;
  array.tensor_.dims = std::move(dims);
  return array;
}

Array Array::strided(Dims dims, const Dims& strides, std::int64_t offset) const {
  if (is_whole()) {
    std::vector<std::int64_t> values;
    for_each(dims, strides, offset, [&](std::int64_t at) { values.push_back(whole(at)); });
    return wholes(std::move(dims), std::move(values));
  }
  std::vector<float> values;
  for_each(dims, strides, offset, [&](std::int64_t at) { values.push_back(real_at(tensor_, at)); });
  return reals(std::move(dims), std::move(values));
}

Array Array::concat(std::span<const Array> parts, std::size_t axis) {
  Dims dims = parts[0].dims();
  dims[axis] = 0;
  for (const Array& part : parts) dims[axis] += part.dims()[axis];
  std::int64_t blocks = 1;
  for (std::size_t i = 0; i < axis; ++i) blocks *= dims[i];
  auto join = [&](auto values, const auto& element) {
    for (std::int64_t block = 0; block < blocks; ++block)
      for (const Array& part : parts)
        for (std::int64_t size = part.count() / blocks, i = block * size; i < (block + 1) * size; ++i)
          values.push_back(element(part, i));
    return values;
  };
  if (parts[0].is_whole())
    return wholes(dims, join(std::vector<std::int64_t>(),
                             [](const Array& part, std::int64_t i) { return part.whole(i); }));
  return reals(dims, join(std::vector<float>(),
                          [](const Array& part, std::int64_t i) { return real_at(part.tensor_, i); }));
}

std::int64_t checked_count(const Dims& dims) {
  std::optional<std::int64_t> size = 1;  // zeros left out, so that strides fit as well
  bool empty = false;
  if (dims.size() > kMostRank) fail(ErrorCode::bad_file, "a tensor of {} dimensions", dims.size());
  for (std::int64_t extent : dims) {
    empty = empty || extent == 0;
    size = extent < 0 ? std::nullopt : checked_mul(*size, std::max<std::int64_t>(extent, 1));
    if (!size || *size > std::int64_t{1} << 40)
      fail(ErrorCode::bad_file, "a tensor of {} is no tensor", dims_to_string(dims));
  }
  return empty ? 0 : *size;
}

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

}  // namespace atrous

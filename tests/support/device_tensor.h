// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "support/reference.h"

namespace atrous::test {

/// How a tensor lies in its memory: `offset` elements into the first pixel; pixels are the channels, rounded
/// up to `multiple`, plus `extra` elements apart.
struct Placement {
  int offset = 0, multiple = 1, extra = 0;
};
inline constexpr Placement kDense{}, kAlignedSlice{16, 16, 32}, kOddSlice{3, 1, 5};

/// A tensor in device memory. All bytes around it (gaps between pixels, guards before and behind) and its
/// content at first are 0xff: NaN in every float type, -1 as an id.
class DeviceTensor {
 public:
  /// `guard` bytes (a multiple of 64) stand before and behind; without them the memory ends with the tensor.
  DeviceTensor(const Backend& backend, Stream& stream, const Shape& shape, DType dtype, Placement placement,
               std::size_t guard);

  const TensorDesc& desc() const { return desc_; }  ///< base_alignment is the address's true one, at most 64
  void* data() { return memory_->data() + start_; }
  void upload(const RefTensor& values);
  void download();  ///< bytes() and the functions below show the memory of that moment
  const std::vector<std::byte>& bytes() const { return bytes_; }
  double at(std::int64_t pixel, std::int64_t channel) const;
  bool surroundings_intact() const;

 private:
  std::size_t position(std::int64_t pixel, std::int64_t channel) const;

  TensorDesc desc_;
  std::size_t start_;  ///< byte of the first element
  std::vector<std::byte> bytes_;
  std::unique_ptr<DeviceMemory> memory_;
  Stream& stream_;
};

}  // namespace atrous::test

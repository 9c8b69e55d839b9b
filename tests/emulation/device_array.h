// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "backend/cuda/runtime.h"

namespace atrous::cuda {

/// Device memory of exactly as many elements as the vector it was made from.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values)
      : size_(values.size()), data_(static_cast<T*>(allocate(values.size() * sizeof(T)))) {
    copy_to_device(data_, values.data(), size_ * sizeof(T), nullptr);
  }
  ~DeviceArray() { release(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> host(size_);
    copy_to_host(host.data(), data_, size_ * sizeof(T), nullptr);
    synchronise(nullptr);
    return host;
  }

 private:
  std::size_t size_;
  T* data_;
};

}  // namespace atrous::cuda

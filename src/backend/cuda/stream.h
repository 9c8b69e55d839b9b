// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cuda/runtime.h"

namespace atrous {

/// A block of memory that only grows; its content is undefined after it did.
class GrowingMemory {
 public:
  using Allocate = void* (*)(std::size_t);
  using Release = void (*)(void*) noexcept;
  GrowingMemory(Allocate allocate, Release release) : allocate_(allocate), release_(release) {}
  GrowingMemory(const GrowingMemory&) = delete;
  GrowingMemory& operator=(const GrowingMemory&) = delete;
  ~GrowingMemory() { release_(data_); }
  void* at_least(std::size_t bytes);

 private:
  Allocate allocate_;
  Release release_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A CUDA stream with pinned memory to cross the bus and device memory for what stands before and after the
/// network. Only 8-bit pixels go up; labels, or scores in half precision where that holds them, come down.
class CudaStream : public Stream {
 public:
  explicit CudaStream(int device);
  ~CudaStream() override;
  cuda::StreamHandle handle() const { return handle_; }
  /// What a library needs to work on this stream: made by its first user, gone before the stream is.
  std::shared_ptr<void>& companion() { return companion_; }

  void upload(void* device, const void* host, std::size_t bytes) override;
  void download(void* host, const void* device, std::size_t bytes) override;
  void synchronise() override;
  std::unique_ptr<Recording> record(const std::function<void()>& enqueue) override;
  void normalise(const ImageView& scaled, const PixelTable& table, bool flip, const TensorDesc& input,
                 void* image) override;
  bool upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels) override;
  bool upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax,
                       float* scores) override;

 private:
  void* staging(std::size_t bytes);
  const std::byte* fetch(const void* device, std::size_t bytes);
  int* cleared_flag(void* memory);

  int device_;
  cuda::StreamHandle handle_;
  std::shared_ptr<void> companion_;
  GrowingMemory pinned_{cuda::allocate_pinned, cuda::release_pinned};
  GrowingMemory scratch_{cuda::allocate, cuda::release};
  bool pinned_in_flight_ = false;  ///< a copy to the device may still read the pinned memory
};

}  // namespace atrous

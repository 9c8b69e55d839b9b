// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/stream.h"

#include <cstring>

#include "backend/cuda/cuda_backend.h"
#include "core/convert.h"
#include "core/error.h"
#include "kernels/photo.h"

namespace atrous {
namespace {

constexpr std::size_t kFlagBytes = 16;  ///< the flag "not finite" stands before what comes down with it

class CudaRecording : public Recording {
 public:
  CudaRecording(cuda::GraphHandle graph, cuda::StreamHandle stream) : graph_(graph), stream_(stream) {}
  CudaRecording(const CudaRecording&) = delete;
  CudaRecording& operator=(const CudaRecording&) = delete;
  ~CudaRecording() override { cuda::destroy_graph(graph_); }
  void replay() const override { cuda::launch_graph(graph_, stream_); }

 private:
  cuda::GraphHandle graph_;
  cuda::StreamHandle stream_;
};

std::size_t photo_pixels(const PhotoSampling& photo) {
  return static_cast<std::size_t>(photo.width) * static_cast<std::size_t>(photo.height);
}

}  // namespace

void* GrowingMemory::at_least(std::size_t bytes) {
  if (bytes > size_) {
    release_(data_);
    data_ = nullptr, size_ = 0;
    data_ = allocate_(bytes);
    size_ = bytes;
  }
  return data_;
}

cuda::StreamHandle stream_of(const KernelArgs& args) {
  return static_cast<CudaStream*>(args.stream)->handle();
}

CudaStream::CudaStream(int device) : device_(device) {
  cuda::set_device(device);
  handle_ = cuda::create_stream();
}

CudaStream::~CudaStream() {
  companion_.reset();
  cuda::destroy_stream(handle_);
}

/// Pinned memory to fill; what was copied from it before has arrived.
void* CudaStream::staging(std::size_t bytes) {
  cuda::set_device(device_);
  if (pinned_in_flight_) synchronise();
  return pinned_.at_least(bytes);
}

void CudaStream::synchronise() {
  cuda::synchronise(handle_);
  pinned_in_flight_ = false;
}

void CudaStream::upload(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  void* pinned = staging(bytes);
  std::memcpy(pinned, host, bytes);
  cuda::copy_to_device(device, pinned, bytes, handle_);
  pinned_in_flight_ = true;
}

/// Device memory in pinned memory, valid until the next transfer.
const std::byte* CudaStream::fetch(const void* device, std::size_t bytes) {
  void* pinned = staging(bytes);
  cuda::copy_to_host(pinned, device, bytes, handle_);
  synchronise();
  return static_cast<const std::byte*>(pinned);
}

void CudaStream::download(void* host, const void* device, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, fetch(device, bytes), bytes);
}

std::unique_ptr<Recording> CudaStream::record(const std::function<void()>& enqueue) {
  cuda::begin_capture(handle_);
  try {
    enqueue();
  } catch (...) {
    try {
      cuda::destroy_graph(cuda::end_capture(handle_));
    } catch (const Error&) {  // the first error says more
    }
    throw;
  }
  return std::make_unique<CudaRecording>(cuda::end_capture(handle_), handle_);
}

void CudaStream::normalise(const ImageView& scaled, const PixelTable& table, bool flip,
                           const TensorDesc& input, void* image) {
  const std::size_t row = std::size_t{3} * static_cast<std::size_t>(scaled.width),
                    bytes = row * static_cast<std::size_t>(scaled.height);
  auto* pinned = static_cast<std::byte*>(staging(bytes));
  for (int y = 0; y < scaled.height; ++y)
    std::memcpy(pinned + static_cast<std::size_t>(y) * row, scaled.row(y), row);
  auto* pixels = static_cast<std::uint8_t*>(scratch_.at_least(bytes));
  cuda::copy_to_device(pixels, pinned, bytes, handle_);
  pinned_in_flight_ = true;
  cuda::normalise({pixels, scaled.width, scaled.height, static_cast<std::ptrdiff_t>(row)}, table, flip, input,
                  image, handle_);
}

int* CudaStream::cleared_flag(void* memory) {
  constexpr int kFinite = 0;
  upload(memory, &kFinite, sizeof kFinite);
  return static_cast<int*>(memory);
}

bool CudaStream::upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels) {
  auto* memory = static_cast<std::byte*>(scratch_.at_least(kFlagBytes + photo_pixels(photo)));
  int* flag = cleared_flag(memory);
  cuda::upsample_labels(logits, photo, reinterpret_cast<std::uint8_t*>(memory + kFlagBytes), flag, handle_);
  const std::byte* down = fetch(memory, kFlagBytes + photo_pixels(photo));
  std::memcpy(labels, down + kFlagBytes, photo_pixels(photo));
  int not_finite = 0;
  std::memcpy(&not_finite, down, sizeof not_finite);
  return not_finite == 0;
}

bool CudaStream::upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax,
                                 float* scores) {
  // a bf16 score may be larger than f16 holds; a probability is not
  const DType dtype =
      logits.dtype == DType::f16 || (logits.dtype == DType::bf16 && softmax) ? DType::f16 : DType::f32;
  const std::size_t count = photo_pixels(photo) * static_cast<std::size_t>(logits.classes),
                    bytes = kFlagBytes + count * size_of(dtype);
  auto* memory = static_cast<std::byte*>(scratch_.at_least(bytes));
  int* flag = cleared_flag(memory);
  cuda::upsample_scores(logits, photo, softmax, dtype, memory + kFlagBytes, flag, handle_);
  const std::byte* down = fetch(memory, bytes);
  to_f32(down + kFlagBytes, dtype, static_cast<std::int64_t>(count), scores);
  int not_finite = 0;
  std::memcpy(&not_finite, down, sizeof not_finite);
  return not_finite == 0;
}

}  // namespace atrous

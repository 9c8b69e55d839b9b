// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/cuda_backend.h"

#include <array>

#include "backend/cuda/cudnn_conv2d.h"
#include "backend/cuda/stream.h"
#include "core/error.h"
#include "core/parallel.h"

namespace atrous {
namespace {

constexpr int kOldestMajor = 7, kOldestMinor = 5;  ///< compute capability

class CudaMemory : public DeviceMemory {
 public:
  explicit CudaMemory(std::size_t bytes) : data_(cuda::allocate(bytes)), size_(bytes) {}
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;
  ~CudaMemory() override { cuda::release(data_); }
  std::byte* data() override { return static_cast<std::byte*>(data_); }
  std::byte* host() override { return nullptr; }
  std::size_t size() const override { return size_; }

 private:
  void* data_;
  std::size_t size_;
};

using List = std::span<const Implementation> (*)();
constexpr std::array<List, static_cast<std::size_t>(OpKind::count)> kLists = {
#define ATROUS_OP(name, Params) cuda_##name,
#include "ops/op_list.inc"
#undef ATROUS_OP
};

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(int index) : index_(index), info_(cuda::device_info(index)) {}
  Device device() const override { return {DeviceKind::cuda, index_}; }
  std::string describe() const override {
    const std::string cudnn = cudnn_version();
    return fmt::format("{}, compute capability {}.{}, CUDA {}, driver {}{}{}", info_.name, info_.major,
                       info_.minor, info_.runtime, info_.driver, cudnn.empty() ? "" : ", cuDNN ", cudnn);
  }
  std::span<const Implementation> implementations(OpKind kind) const override {
    return kLists.at(static_cast<std::size_t>(kind))();
  }
  std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const override {
    cuda::set_device(index_);
    return allocate_device(bytes);
  }
  std::unique_ptr<Stream> make_stream() const override { return std::make_unique<CudaStream>(index_); }
  std::span<const DType> activation_types() const override {
    static constexpr DType kTypes[] = {DType::f16, DType::f32, DType::bf16};
    return kTypes;
  }
  void set_threads(int threads) const override {
    cuda::set_device(index_);
    set_team_size(threads);  // of the refinement on the host
  }
  int default_threads() const override { return available_cores(); }

 private:
  int index_;
  cuda::DeviceInfo info_;
};

}  // namespace

std::unique_ptr<DeviceMemory> allocate_device(std::size_t bytes) {
  return std::make_unique<CudaMemory>(bytes);
}

std::unique_ptr<DeviceMemory> upload_to_device(const void* host, std::size_t bytes) {
  std::unique_ptr<DeviceMemory> memory = allocate_device(bytes);
  cuda::copy_to_device(memory->data(), host, bytes, nullptr);
  cuda::synchronise(nullptr);
  return memory;
}

std::string refuse_cuda_device(int index) {
  const cuda::DeviceInfo info = cuda::device_info(index);
  const bool works = info.major > kOldestMajor || (info.major == kOldestMajor && info.minor >= kOldestMinor);
  return works ? ""
               : fmt::format("{} has compute capability {}.{}, the kernels need {}.{}", info.name, info.major,
                             info.minor, kOldestMajor, kOldestMinor);
}

std::shared_ptr<const Backend> make_cuda_backend(int index) {
  std::string why;
  const int count = cuda::device_count(&why);
  if (count == 0) fail(ErrorCode::unsupported, "device 'cuda:{}': {}", index, why);
  if (index >= count)
    fail(ErrorCode::unsupported, "device 'cuda:{}': there {} only {} CUDA device{}", index,
         count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
  if (const std::string refusal = refuse_cuda_device(index); !refusal.empty())
    fail(ErrorCode::unsupported, "device 'cuda:{}': {}", index, refusal);
  return std::make_shared<CudaBackend>(index);
}

}  // namespace atrous

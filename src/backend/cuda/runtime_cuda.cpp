// SPDX-License-Identifier: Apache-2.0
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <map>
#include <mutex>

#include "backend/cuda/runtime.h"
#include "core/error.h"

namespace atrous::cuda {
namespace {

void check(cudaError_t status, const char* doing, ErrorCode code = ErrorCode::internal) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // an error that is not sticky must not turn up again in the next launch
  fail(code, "{}: {} ({})", doing, cudaGetErrorString(status), cudaGetErrorName(status));
}

/// A function of the driver, which is not linked: programs start where there is none.
template <typename Function>
Function* driver_function(const char* name) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult answer{};
#if CUDART_VERSION >= 12050
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &answer);
#else
  const cudaError_t status = cudaGetDriverEntryPoint(name, &found, cudaEnableDefault, &answer);
#endif
  check(status, "asking the CUDA driver for a function", ErrorCode::unsupported);
  if (found == nullptr)
    fail(ErrorCode::unsupported, "the CUDA driver has no {}: it is older than 12.0", name);
  return reinterpret_cast<Function*>(found);
}

std::string version(int number) { return fmt::format("{}.{}", number / 1000, number % 1000 / 10); }

}  // namespace

int device_count(std::string* why) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    count = 0;
  }
  if (why != nullptr)
    *why = status != cudaSuccess ? cudaGetErrorString(status) : count == 0 ? "no device is visible" : "";
  return count;
}

DeviceInfo device_info(int index) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "asking for a CUDA device's properties",
        ErrorCode::unsupported);
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "asking for the CUDA driver's version");
  check(cudaRuntimeGetVersion(&runtime), "asking for the CUDA runtime's version");
  return {properties.name,           properties.major,
          properties.minor,          properties.multiProcessorCount,
          properties.totalGlobalMem, properties.sharedMemPerBlockOptin,
          version(driver),           version(runtime)};
}

int current_device() {
  int index = 0;
  check(cudaGetDevice(&index), "asking for the current CUDA device", ErrorCode::unsupported);
  return index;
}

DeviceInfo current_device_info() {
  static std::mutex mutex;
  static std::map<int, DeviceInfo> asked;  // the properties of a device do not change, and asking takes long
  const int index = current_device();
  std::lock_guard lock(mutex);
  auto found = asked.find(index);
  if (found == asked.end()) found = asked.emplace(index, device_info(index)).first;
  return found->second;
}

void set_device(int index) { check(cudaSetDevice(index), "choosing a CUDA device", ErrorCode::unsupported); }

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail(ErrorCode::out_of_memory, "allocating {} bytes of device memory: {}", bytes,
         cudaGetErrorString(status));
  }
  check(status, "allocating device memory");
  return memory;
}

void release(void* memory) noexcept { cudaFree(memory); }

void* allocate_pinned(std::size_t bytes) {
  void* memory = nullptr;
  check(cudaMallocHost(&memory, bytes), "allocating pinned host memory", ErrorCode::out_of_memory);
  return memory;
}

void release_pinned(void* memory) noexcept { cudaFreeHost(memory); }

StreamHandle create_stream() {
  StreamHandle stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a CUDA stream");
  return stream;
}

void destroy_stream(StreamHandle stream) noexcept { cudaStreamDestroy(stream); }

void synchronise(StreamHandle stream) { check(cudaStreamSynchronize(stream), "waiting for a CUDA stream"); }

void copy_to_device(void* device, const void* host, std::size_t bytes, StreamHandle stream) {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream), "copying to the device");
}

void copy_to_host(void* host, const void* device, std::size_t bytes, StreamHandle stream) {
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream), "copying from the device");
}

TensorMap make_tensor_map(const TensorMapLayout& layout) {
  static auto* const encode = driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  set_device(current_device());  // the driver's functions want a context, which the runtime's make
  constexpr cuuint64_t kElementBytes = 2;
  cuuint64_t extent[4] = {}, pitch_bytes[4] = {};
  cuuint32_t box[4] = {}, step[4] = {};
  for (int i = 0; i < layout.rank; ++i) {
    extent[i] = static_cast<cuuint64_t>(layout.extent[i]);
    pitch_bytes[i] = static_cast<cuuint64_t>(layout.pitch[i]) * kElementBytes;
    box[i] = static_cast<cuuint32_t>(layout.box[i] * layout.step[i]);
    step[i] = static_cast<cuuint32_t>(layout.step[i]);
  }
  TensorMap map{};
  static_assert(sizeof(CUtensorMap) == sizeof map && alignof(CUtensorMap) <= alignof(TensorMap));
  const CUresult status =
      encode(reinterpret_cast<CUtensorMap*>(&map), CU_TENSOR_MAP_DATA_TYPE_UINT16,
             static_cast<cuuint32_t>(layout.rank), const_cast<void*>(layout.base), extent, pitch_bytes + 1,
             box, step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS)
    fail(ErrorCode::internal,
         "describing a tensor to the copy engine: driver error {} for extents {}, bytes apart {}, a box of "
         "{} by steps "
         "of {}",
         static_cast<int>(status), fmt::join(extent, "x"), fmt::join(pitch_bytes, ", "), fmt::join(box, "x"),
         fmt::join(step, "x"));
  return map;
}

void begin_capture(StreamHandle stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a CUDA graph");
}

GraphHandle end_capture(StreamHandle stream) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "recording a CUDA graph");
  GraphHandle executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "preparing a CUDA graph");
  return executable;
}

void launch_graph(GraphHandle graph, StreamHandle stream) {
  check(cudaGraphLaunch(graph, stream), "launching a CUDA graph");
}

void destroy_graph(GraphHandle graph) noexcept { cudaGraphExecDestroy(graph); }

}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct CUstream_st;
struct CUgraphExec_st;

/// What the backend needs of the CUDA runtime, and all of it. runtime_cuda.cpp is the real one; tests link
/// another one whose device is the CPU (tests/support/emulation). Functions throw Error with the runtime's
/// own words.
namespace atrous::cuda {

using StreamHandle = CUstream_st*;    ///< cudaStream_t
using GraphHandle = CUgraphExec_st*;  ///< cudaGraphExec_t

struct DeviceInfo {
  std::string name;          ///< "NVIDIA H100 80GB HBM3"
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  std::size_t memory = 0;         ///< bytes
  std::size_t shared_memory = 0;  ///< bytes a block can opt in to
  std::string driver, runtime;    ///< versions, "13.0"
};

/// Devices that work now; 0 with the reason in `why` (no driver, an old driver, none visible) where there are
/// none.
int device_count(std::string* why = nullptr);
DeviceInfo device_info(int index);
void set_device(int index);        ///< for the calling thread
int current_device();              ///< of the calling thread
DeviceInfo current_device_info();  ///< of the calling thread's device; cheap enough to ask for each node

void* allocate(std::size_t bytes);  ///< throws Error{out_of_memory}
void release(void* memory) noexcept;
void* allocate_pinned(std::size_t bytes);  ///< host memory that copies need not stage
void release_pinned(void* memory) noexcept;

StreamHandle create_stream();
void destroy_stream(StreamHandle stream) noexcept;
void synchronise(StreamHandle stream);  ///< throws what a kernel before it did wrong
/// In stream order; asynchronous where `host` is pinned.
void copy_to_device(void* device, const void* host, std::size_t bytes, StreamHandle stream);
void copy_to_host(void* host, const void* device, std::size_t bytes, StreamHandle stream);

/// A tensor of 2-byte elements on the device as the bulk copy engine of compute capability 9.0 sees it. One
/// copy takes a box of it to shared memory; elements outside the tensor are zeros. The first axis is
/// contiguous and a box has 64 elements of it: rows of 128 bytes, one after another, whose 16-byte chunk c
/// lies at c ^ (address / 128 % 8).
struct TensorMapLayout {
  const void* base = nullptr;  ///< 16-byte aligned
  int rank = 0;                ///< 2 to 4
  std::int64_t extent[4] = {};
  std::int64_t pitch[4] = {};  ///< elements from one to the next, multiples of 8; the first is 1
  int box[4] = {};             ///< elements of a box along each axis, at most 256 / step
  int step[4] = {1, 1, 1, 1};  ///< elements from one of the box to the next, at most 8; the first is 1
};
/// The same, ready for the engine; CUtensorMap.
struct alignas(128) TensorMap {
  std::byte opaque[128];
};
TensorMap make_tensor_map(const TensorMapLayout& layout);

void begin_capture(StreamHandle stream);
GraphHandle end_capture(StreamHandle stream);
void launch_graph(GraphHandle graph, StreamHandle stream);
void destroy_graph(GraphHandle graph) noexcept;

}  // namespace atrous::cuda

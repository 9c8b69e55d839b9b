// SPDX-License-Identifier: Apache-2.0
// src/backend/cuda/runtime.h on the CPU: a launch or copy is done when its call returns, unless its stream is
// capturing.
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "backend/cuda/runtime.h"
#include "core/error.h"
#include "support/emulation/execution.h"
#include "support/emulation/memory_check.h"

using Work = std::vector<std::function<void()>>;

struct CUstream_st {
  bool capturing = false;
  Work captured;
};
struct CUgraphExec_st {
  Work work;
};

namespace atrous::cuda {
namespace {

/// Streams that this thread is capturing; a real device refuses to allocate meanwhile.
thread_local int captures = 0;

void refuse_in_capture(const char* doing) {
  if (captures > 0) fail(ErrorCode::internal, "{}: not permitted while a stream is capturing", doing);
}

void put(StreamHandle stream, std::function<void()> work) {
  if (stream != nullptr && stream->capturing)
    stream->captured.push_back(std::move(work));
  else
    work();
}

}  // namespace

namespace emulation {

void enqueue(StreamHandle stream, const LaunchConfig& config, std::function<void()> thread) {
  check_launch(config);
  put(stream, [config, thread = std::move(thread)] { run_grid(config, thread); });
}

}  // namespace emulation

int device_count(std::string* why) {
  if (why != nullptr) why->clear();
  return 1;
}

DeviceInfo device_info(int index) {
  set_device(index);
  const auto [major, minor] = emulation::capability();
  return {"emulated device",
          major,
          minor,
          4,
          std::size_t{1} << 32U,
          emulation::shared_memory_limit(),
          "0.0",
          "0.0"};
}

int current_device() { return 0; }

DeviceInfo current_device_info() { return device_info(0); }

void set_device(int index) {
  if (index != 0)
    fail(ErrorCode::unsupported, "choosing CUDA device {}: only the emulated device 0 exists", index);
}

void* allocate(std::size_t bytes) {
  refuse_in_capture("allocating device memory");
  return emulation::acquire(bytes, true);
}
void release(void* memory) noexcept { emulation::give_back(memory, true); }
void* allocate_pinned(std::size_t bytes) {
  refuse_in_capture("allocating pinned memory");
  return emulation::acquire(bytes, false);
}
void release_pinned(void* memory) noexcept { emulation::give_back(memory, false); }

StreamHandle create_stream() { return new CUstream_st; }
void destroy_stream(StreamHandle stream) noexcept { delete stream; }

void synchronise(StreamHandle stream) {
  if (stream != nullptr && stream->capturing)
    fail(ErrorCode::internal, "waiting for a stream: not permitted while it is capturing");
  emulation::check_guards();
}

void copy_to_device(void* device, const void* host, std::size_t bytes, StreamHandle stream) {
  emulation::check_device_range(device, bytes, "copying to the device");
  put(stream, [=] {
    if (bytes > 0) std::memcpy(device, host, bytes);
  });
}

void copy_to_host(void* host, const void* device, std::size_t bytes, StreamHandle stream) {
  emulation::check_device_range(device, bytes, "copying from the device");
  put(stream, [=] {
    if (bytes > 0) std::memcpy(host, device, bytes);
  });
}

TensorMap make_tensor_map(const TensorMapLayout& layout) {
  bool fits = layout.rank >= 2 && layout.rank <= 4 && layout.pitch[0] == 1 && layout.box[0] == 64 &&
              reinterpret_cast<std::uintptr_t>(layout.base) % 16 == 0;
  std::int64_t elements = layout.extent[0];
  for (int i = 0; fits && i < layout.rank; ++i) {
    fits = layout.extent[i] >= 1 && layout.extent[i] <= std::int64_t{1} << 32 && layout.box[i] >= 1 &&
           layout.step[i] >= 1 && layout.step[i] <= 8 && layout.box[i] * layout.step[i] <= 256 &&
           (i == 0 || (layout.pitch[i] % 8 == 0 && layout.pitch[i] < std::int64_t{1} << 39));
    if (i > 0) elements += (layout.extent[i] - 1) * layout.pitch[i];
  }
  if (!fits) fail(ErrorCode::internal, "describing a tensor to the copy engine: invalid argument");
  emulation::check_device_range(layout.base, static_cast<std::size_t>(elements) * 2, "describing a tensor");
  TensorMap map{};
  static_assert(sizeof layout <= sizeof map);
  std::memcpy(&map, &layout, sizeof layout);
  return map;
}

void begin_capture(StreamHandle stream) {
  if (stream == nullptr || stream->capturing)
    fail(ErrorCode::internal, "recording a graph: the default stream, or one that is capturing, cannot");
  stream->capturing = true;
  ++captures;
}

GraphHandle end_capture(StreamHandle stream) {
  if (stream == nullptr || !stream->capturing)
    fail(ErrorCode::internal, "recording a graph: the stream is not capturing");
  stream->capturing = false;
  --captures;
  return new CUgraphExec_st{std::exchange(stream->captured, {})};
}

void launch_graph(GraphHandle graph, StreamHandle stream) {
  if (stream != nullptr && stream->capturing)
    fail(ErrorCode::internal, "launching a graph: not permitted while the stream is capturing");
  for (const std::function<void()>& work : graph->work) work();
}

void destroy_graph(GraphHandle graph) noexcept { delete graph; }

}  // namespace atrous::cuda

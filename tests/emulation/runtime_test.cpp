// SPDX-License-Identifier: Apache-2.0
// The emulated CUDA runtime: memory that is counted, streams, graphs, the fictitious device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "core/error.h"
#include "emulation/device_array.h"
#include "kernels/device.h"
#include "support/emulation/memory.h"

namespace atrous::cuda {
namespace {

ATROUS_KERNEL void add_one(int* values, int count) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) ++values[i];
  sync_block();
}

TEST(Runtime, CountsLiveMemory) {
  const std::size_t bytes = emulation::live_bytes(), count = emulation::live_allocations();
  void* device = allocate(1001);
  void* pinned = allocate_pinned(24);
  EXPECT_EQ(emulation::live_bytes(), bytes + 1025);
  EXPECT_EQ(emulation::live_allocations(), count + 2);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(device) % 256, 0U);
  release(device);
  release_pinned(pinned);
  release(nullptr);
  EXPECT_EQ(emulation::live_bytes(), bytes);
  EXPECT_EQ(emulation::live_allocations(), count);
}

TEST(Runtime, NewMemoryIsNan) {
  float value = 0;
  void* memory = allocate(sizeof(value));
  copy_to_host(&value, memory, sizeof(value), nullptr);
  EXPECT_TRUE(std::isnan(value));
  release(memory);
}

TEST(Runtime, CopiesOutsideDeviceMemoryAreRefused) {
  std::vector<int> host(16);
  DeviceArray<int> device(host);
  EXPECT_THROW(copy_to_device(device.data(), host.data(), 65, nullptr), Error);
  EXPECT_THROW(copy_to_host(host.data(), device.data() + 15, 8, nullptr), Error);
  EXPECT_THROW(copy_to_device(host.data(), host.data(), 4, nullptr), Error)
      << "host memory is no device memory";
  copy_to_host(host.data(), device.data() + 15, 4, nullptr);
}

TEST(RuntimeDeathTest, ReleasingTwiceEndsTheProgram) {
  void* memory = allocate(8);
  release(memory);
  EXPECT_DEATH(release(memory), "was released before");
}

TEST(Runtime, GraphRunsWhatWasCapturedEachTimeItIsLaunched) {
  StreamHandle stream = create_stream();
  DeviceArray<int> device(std::vector<int>(8, 100));
  std::vector<int> in(8, 5), out(8, -1);
  begin_capture(stream);
  copy_to_device(device.data(), in.data(), 32, stream);
  launch(add_one, 1, 32, 0, stream, device.data(), 8);
  launch(add_one, 1, 32, 0, stream, device.data(), 4);
  copy_to_host(out.data(), device.data(), 32, stream);
  EXPECT_THROW(allocate(4), Error);
  EXPECT_THROW(synchronise(stream), Error);
  EXPECT_THROW(begin_capture(stream), Error);
  GraphHandle graph = end_capture(stream);
  EXPECT_EQ(out, std::vector<int>(8, -1)) << "capturing runs nothing";
  EXPECT_EQ(device.values(), std::vector<int>(8, 100));
  for (int value : {5, 30}) {
    in.assign(8, value);
    launch_graph(graph, stream);
    synchronise(stream);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(out[static_cast<std::size_t>(i)], value + (i < 4 ? 2 : 1));
  }
  launch(add_one, 1, 32, 0, stream, device.data(), 8);
  EXPECT_EQ(device.values()[7], 32) << "after the capture a launch runs at once";
  EXPECT_THROW(end_capture(stream), Error);
  destroy_graph(graph);
  destroy_stream(stream);
}

ATROUS_KERNEL void round_with_tf32(float* value) { *value = to_tf32(*value); }

TEST(Runtime, DeviceHasTheCapabilityThatATestAsksFor) {
  EXPECT_EQ(device_count(), 1);
  EXPECT_THROW(device_info(1), Error);
  const emulation::Capability before = emulation::capability();
  DeviceArray<float> value({1.0F});
  emulation::set_capability({7, 5});
  const DeviceInfo turing = device_info(0);
  EXPECT_EQ(turing.major, 7);
  EXPECT_EQ(turing.minor, 5);
  EXPECT_EQ(turing.shared_memory, 64U * 1024);
  try {
    launch(round_with_tf32, 1, 1, 0, nullptr, value.data());
    ADD_FAILURE() << "tensor float on a device without";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("needs compute capability 8.0"));
  }
  emulation::set_capability({9, 0});
  EXPECT_EQ(device_info(0).shared_memory, 227U * 1024);
  launch(round_with_tf32, 1, 1, 0, nullptr, value.data());
  emulation::set_capability(before);
}

TEST(Runtime, SeveralThreadsMayLaunch) {
  constexpr int kThreads = 4, kRounds = 20;
  std::vector<std::thread> threads;
  std::vector<int> results(kThreads);
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&results, t] {
      StreamHandle stream = create_stream();
      DeviceArray<int> device(std::vector<int>(50, t));
      for (int i = 0; i < kRounds; ++i) launch(add_one, 1, 64, 0, stream, device.data(), 50);
      results[static_cast<std::size_t>(t)] = device.values()[49];
      destroy_stream(stream);
    });
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(results[static_cast<std::size_t>(t)], t + kRounds);
}

}  // namespace
}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
// Barriers, threads that return early, order of fibers, shared memory and errors of the execution layer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "core/error.h"
#include "emulation/device_array.h"
#include "kernels/device.h"
#include "support/emulation/order.h"

namespace atrous::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// The message of the Error{internal} that `action` throws; fails the test where it throws none.
template <typename Action>
std::string fault(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
    return error.message();
  }
  ADD_FAILURE() << "no fault was reported";
  return {};
}

ATROUS_KERNEL void reverse(const int* in, int* out) {
  ATROUS_DYNAMIC_SHARED(int, stage);
  const unsigned id = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned count = blockDim.x * blockDim.y * blockDim.z;
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  stage[id] = in[block * count + id];
  sync_block();
  out[block * count + id] = stage[count - 1 - id];
}

TEST(Barriers, EveryThreadSeesWhatAllWroteBefore) {
  const Dim3 grid(2, 3, 2), block(5, 4, 3);
  const std::size_t threads = 60, blocks = 12;
  std::vector<int> in(threads * blocks);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i * i % 1009);
  for (emulation::Order order : emulation::test_orders()) {
    SCOPED_TRACE(to_string(order));
    emulation::ScopedOrder scope(order);
    DeviceArray<int> source(in), target(std::vector<int>(in.size()));
    launch(reverse, grid, block, threads * sizeof(int), nullptr, source.data(), target.data());
    const auto got = target.values();
    for (std::size_t i = 0; i < in.size(); ++i)
      ASSERT_EQ(got[i], in[i / threads * threads + threads - 1 - i % threads]) << i;
  }
}

ATROUS_KERNEL void leave_early(int live, int* out) {
  if (static_cast<int>(threadIdx.x) >= live) return;
  for (int round = 0; round < 3; ++round) sync_block();
  sync_warp();
  atomic_add(out, 1);
}

TEST(Barriers, ThreadsThatReturnedNoLongerCount) {
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    for (int live : {1, 31, 40, 100}) {
      DeviceArray<int> count({0});
      launch(leave_early, 1, 100, 0, nullptr, live, count.data());
      EXPECT_EQ(count.values()[0], live);
    }
  }
}

ATROUS_KERNEL void two_barriers() {
  if (threadIdx.x < 16) sync_block();
  sync_block();
}

TEST(Barriers, DivergentBarrierIsReported) {
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    EXPECT_THAT(
        fault([] { launch(two_barriers, 2, 64, 0, nullptr); }),
        AllOf(HasSubstr("divergent barrier"), HasSubstr("barriers_test.cpp"), HasSubstr("block ("),
              HasSubstr("thread ("), HasSubstr("in sync_block at"), HasSubstr("order " + to_string(order))));
  }
}

ATROUS_KERNEL void block_against_warp() {
  if (threadIdx.x < 16)
    sync_block();
  else
    sync_warp();
}

TEST(Barriers, DeadlockIsReported) {
  EXPECT_THAT(fault([] { launch(block_against_warp, 1, 48, 0, nullptr); }),
              AllOf(HasSubstr("deadlock"), HasSubstr("16 in sync_block"), HasSubstr("16 in sync_warp"),
                    HasSubstr("16 returned")));
}

ATROUS_KERNEL void divergent_warp() {
  if (threadIdx.x < 16)
    shuffle(1, 0);
  else
    warp_any(true);
}

TEST(Barriers, DivergentWarpOperationIsReported) {
  EXPECT_THAT(fault([] { launch(divergent_warp, 1, 32, 0, nullptr); }),
              AllOf(HasSubstr("divergent"), HasSubstr("shuffle"), HasSubstr("warp_ballot")));
}

ATROUS_KERNEL void shuffle_from_returned(int* out) {
  if (threadIdx.x == 31) return;
  out[threadIdx.x] = shuffle_down(1, 1);
}

TEST(Barriers, ShuffleFromALaneThatReturnedIsReported) {
  DeviceArray<int> out(std::vector<int>(32));
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    EXPECT_THAT(fault([&] { launch(shuffle_from_returned, 1, 32, 0, nullptr, out.data()); }),
                HasSubstr("from lane 31, which has returned"));
  }
}

ATROUS_KERNEL void partial_mma() {
  float d[4] = {};
  const unsigned a[4] = {}, b[2] = {};
  mma_m16n8k16<f16>(d, a, b);
}

TEST(Barriers, MmaByPartOfAWarpIsReported) {
  EXPECT_THAT(fault([] { launch(partial_mma, 1, 31, 0, nullptr); }), HasSubstr("mma_m16n8k16"));
}

ATROUS_KERNEL void record_order(int* turns, int* next) {
  turns[blockIdx.x * blockDim.x + threadIdx.x] = atomic_add(next, 1);
}

std::vector<int> turns(emulation::Order order) {
  emulation::ScopedOrder scope(order);
  DeviceArray<int> out(std::vector<int>(64)), next({0});
  launch(record_order, 4, 16, 0, nullptr, out.data(), next.data());
  return out.values();
}

TEST(Order, DecidesWhichBlockAndThreadRunsFirst) {
  std::vector<int> ascending(64), descending(64);
  for (int i = 0; i < 64; ++i)
    ascending[static_cast<std::size_t>(i)] = i, descending[static_cast<std::size_t>(i)] = 63 - i;
  using Kind = emulation::Order::Kind;
  EXPECT_EQ(turns({Kind::ascending, 0}), ascending);
  EXPECT_EQ(turns({Kind::descending, 0}), descending);
  const auto first = turns({Kind::shuffled, 1}), second = turns({Kind::shuffled, 2});
  EXPECT_NE(first, second);
  EXPECT_NE(first, ascending);
  EXPECT_EQ(first, turns({Kind::shuffled, 1})) << "a seed repeats itself";
}

TEST(Order, IsReadFromText) {
  EXPECT_EQ(to_string(emulation::parse_order("ascending")), "ascending");
  EXPECT_EQ(to_string(emulation::parse_order("descending")), "descending");
  EXPECT_EQ(to_string(emulation::parse_order("77")), "77");
  for (const char* wrong : {"", "up", "1x", "-1"})
    EXPECT_THROW(emulation::parse_order(wrong), Error) << wrong;
}

ATROUS_KERNEL void read_shared(float* out) {
  ATROUS_SHARED(float, fixed, 8);
  ATROUS_DYNAMIC_SHARED(float, sized);
  out[2 * blockIdx.x] = fixed[threadIdx.x];
  out[2 * blockIdx.x + 1] = sized[threadIdx.x];
  fixed[threadIdx.x] = 1;
  sized[threadIdx.x] = 1;
}

TEST(SharedMemory, StartsAsNanInEveryBlock) {
  DeviceArray<float> out(std::vector<float>(6));
  launch(read_shared, 3, 1, 32, nullptr, out.data());
  for (float value : out.values()) EXPECT_TRUE(std::isnan(value));
}

template <int Count>
ATROUS_KERNEL void much_static() {
  ATROUS_SHARED(char, bytes, Count);
  bytes[0] = 0;
}

TEST(SharedMemory, TooMuchIsReported) {
  launch(much_static<48 * 1024>, 1, 1, 0, nullptr);
  EXPECT_THAT(fault([] { launch(much_static<48 * 1024 + 1>, 1, 1, 0, nullptr); }),
              HasSubstr("static shared memory"));
  EXPECT_THAT(fault([] { launch(read_shared, 1, 1, 227 * 1024 + 1, nullptr, nullptr); }),
              HasSubstr("no device runs"));
}

TEST(Launch, ConfigurationsThatNoDeviceRunsAreRefused) {
  for (const auto& shape : {std::pair{Dim3(0), Dim3(1)},
                            {Dim3(1), Dim3(0)},
                            {Dim3(1), Dim3(1025)},
                            {Dim3(1, 65536), Dim3(1)},
                            {Dim3(1, 1, 65536), Dim3(1)},
                            {Dim3(1), Dim3(1, 1, 65)}})
    EXPECT_THAT(fault([&] { launch(two_barriers, shape.first, shape.second, 0, nullptr); }),
                HasSubstr("no device runs a grid"));
}

ATROUS_KERNEL void throws_in_thread(unsigned thread, int* unwound) {
  struct Count {
    int* to;
    ~Count() { atomic_add(to, 1); }
  } count{unwound};
  if (threadIdx.x == thread) throw std::runtime_error("from a kernel");
  sync_block();
  sync_block();
}

TEST(Launch, ExceptionsLeaveItAndTheNextLaunchWorks) {
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    int unwound = 0;
    EXPECT_THROW(launch(throws_in_thread, 3, 64, 0, nullptr, 20U, &unwound), std::runtime_error);
    EXPECT_GE(unwound, 1) << "threads that had started are unwound";
    unwound = 0;
    launch(throws_in_thread, 3, 64, 0, nullptr, 64U, &unwound);
    EXPECT_EQ(unwound, 3 * 64);
  }
}

TEST(Launch, DeviceFunctionOutsideAKernelIsReported) { EXPECT_THROW(sync_block(), Error); }

TEST(Launch, DispatchRefusesOtherTypes) {
  EXPECT_EQ(dispatch(DType::bf16, [](auto zero) { return sizeof(zero); }), 2U);
  EXPECT_EQ(dispatch(DType::f32, [](auto zero) { return sizeof(zero); }), 4U);
  EXPECT_THROW(dispatch(DType::u8, [](auto zero) { return sizeof(zero); }), Error);
}

}  // namespace
}  // namespace atrous::cuda

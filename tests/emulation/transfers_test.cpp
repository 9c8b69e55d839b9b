// SPDX-License-Identifier: Apache-2.0
// Faults planted around transfer barriers, bulk copies and products of warpgroups, and that the execution
// layer catches them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "emulation/device_array.h"
#include "kernels/device_sm90.h"
#include "support/emulation/order.h"

namespace atrous::cuda {
namespace {

using testing::HasSubstr;

enum class Fault {
  none,
  no_init,
  init_twice,
  written_over,
  no_arrival,
  no_bytes_expected,
  too_many_arrivals,
  no_wait,
  no_wait_for_product,
  operand_between_swizzles,
  misaligned_copy,
  no_fence,
  part_of_a_warp
};

/// One warpgroup: out = a * b for [64, 64] each, a thread writing its first sum.
ATROUS_KERNEL void product(TensorMap operands, Fault fault, float* out) {
  ATROUS_DYNAMIC_SHARED(unsigned char, raw);
  ATROUS_SHARED(Mbarrier, barrier, 1);
  unsigned char* const shared = swizzle_start(raw);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0 && fault != Fault::no_init) {
    mbarrier_init(&barrier[0], 1);
    if (fault == Fault::init_twice) mbarrier_init(&barrier[0], 1);
    if (fault == Fault::written_over) barrier[0] = 0;
    mbarrier_init_fence();
  }
  sync_block();
  if (thread == 0) {
    if (fault == Fault::no_bytes_expected)
      mbarrier_arrive(&barrier[0]);
    else if (fault != Fault::no_arrival)
      mbarrier_arrive_expect(&barrier[0], 64 * 128);
    bulk_copy(shared + (fault == Fault::misaligned_copy ? 16 : 0), operands, {0, 0, 0}, &barrier[0]);
    if (fault == Fault::too_many_arrivals) mbarrier_arrive(&barrier[0]);
  }
  if (fault != Fault::no_wait) mbarrier_wait(&barrier[0], 0);
  if (fault == Fault::part_of_a_warp && thread % 32 == 5) return;
  float sums[1][32] = {};
  warpgroup_begin(sums);
  warpgroup_multiply<f16, 64>(sums[0], shared, shared + (fault == Fault::operand_between_swizzles ? 16 : 0));
  warpgroup_commit();
  if (fault == Fault::no_wait_for_product) {
    out[thread] = sums[0][0];
    return;
  }
  warpgroup_finish(sums);
  out[thread] = sums[0][0];
}

/// The sums of a 64 x 64 matrix of ones times itself over 16 of K.
std::vector<float> run(Fault fault) {
  DeviceArray<std::uint16_t> ones(std::vector<std::uint16_t>(64 * 64, 0x3c00));
  DeviceArray<float> out(std::vector<float>(128, -1));
  const TensorMap map = make_tensor_map({ones.data(), 3, {64, 64, 1}, {1, 64, 4096}, {64, 64, 1}, {1, 1, 1}});
  launch(product, 1, 128, 1024 + 64 * 128 + 16, nullptr, map, fault, out.data());
  return out.values();
}

std::string message(Fault fault) {
  try {
    run(fault);
  } catch (const Error& error) {
    return error.message();
  }
  return "no fault was reported";
}

TEST(Transfers, NothingIsReportedWhereNothingIsWrong) {
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    EXPECT_THAT(run(Fault::none), testing::Each(16.0F)) << to_string(order);
  }
}

TEST(Transfers, BarriersThatAreNoneOrWrittenOverAreReported) {
  EXPECT_THAT(message(Fault::no_init), HasSubstr("not initialised"));
  EXPECT_THAT(message(Fault::init_twice), HasSubstr("initialised twice"));
  EXPECT_THAT(message(Fault::written_over), HasSubstr("written over"));
}

TEST(Transfers, PhasesThatNeverEndAreDeadlocks) {
  EXPECT_THAT(message(Fault::no_arrival), HasSubstr("in mbarrier_wait at"));
}

TEST(Transfers, AnArrivalThatThePhaseDoesNotCountIsReported) {
  EXPECT_THAT(message(Fault::too_many_arrivals), HasSubstr("more arrivals"));
}

TEST(Transfers, WhatWasNotWaitedForIsNotThere) {
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    for (Fault fault : {Fault::no_wait, Fault::no_bytes_expected}) {
      const std::vector<float> got = run(fault);
      EXPECT_TRUE(std::any_of(got.begin(), got.end(), [](float v) { return std::isnan(v); }))
          << to_string(order);
    }
    EXPECT_THAT(run(Fault::no_wait_for_product), testing::Each(0.0F)) << to_string(order);
  }
}

TEST(Transfers, OperandsOffTheirGridAreReported) {
  EXPECT_THAT(message(Fault::operand_between_swizzles), HasSubstr("not at a swizzle's start"));
  EXPECT_THAT(message(Fault::misaligned_copy), HasSubstr("misaligned bulk_copy"));
}

TEST(Transfers, PartOfAWarpIsReported) {
  EXPECT_THAT(message(Fault::part_of_a_warp),
              HasSubstr("an operation of a warpgroup by a warp of which only"));
}

/// A copy, something written over it by all threads, and another copy to the same place.
ATROUS_KERNEL void copy_twice(TensorMap map, Fault fault, std::uint16_t* out) {
  ATROUS_DYNAMIC_SHARED(unsigned char, raw);
  ATROUS_SHARED(Mbarrier, barrier, 1);
  auto* const values = reinterpret_cast<std::uint16_t*>(swizzle_start(raw));
  if (threadIdx.x == 0) mbarrier_init(&barrier[0], 1);
  sync_block();
  for (unsigned pass = 0; pass < 2; ++pass) {
    if (threadIdx.x == 0) {
      mbarrier_arrive_expect(&barrier[0], 64 * 128);
      bulk_copy(values, map, {0, 0, 0}, &barrier[0]);
    }
    mbarrier_wait(&barrier[0], pass);
    out[threadIdx.x] = values[threadIdx.x];
    sync_block();
    values[threadIdx.x] = 7;
    if (fault != Fault::no_fence || threadIdx.x != 3) fence_async();
    sync_block();
  }
}

TEST(Transfers, AMissingFenceBeforeACopyIsReported) {
  DeviceArray<std::uint16_t> ones(std::vector<std::uint16_t>(64 * 64, 1)),
      out(std::vector<std::uint16_t>(32));
  const TensorMap map = make_tensor_map({ones.data(), 3, {64, 64, 1}, {1, 64, 4096}, {64, 64, 1}, {1, 1, 1}});
  auto run_with = [&](Fault fault) {
    launch(copy_twice, 1, 32, 1024 + 64 * 128, nullptr, map, fault, out.data());
  };
  run_with(Fault::none);
  EXPECT_THAT(out.values(), testing::Each(1));
  try {
    run_with(Fault::no_fence);
    ADD_FAILURE() << "no fault was reported";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("without fence_async by all of them"));
  }
}

TEST(Transfers, OlderDevicesHaveNone) {
  const emulation::Capability before = emulation::capability();
  emulation::set_capability({8, 6});
  EXPECT_THAT(message(Fault::none), HasSubstr("needs compute capability 9.0"));
  emulation::set_capability(before);
}

TEST(Transfers, TensorsThatTheEngineCannotDescribeAreRefused) {
  DeviceArray<std::uint16_t> data(std::vector<std::uint16_t>(64 * 64));
  const TensorMapLayout good{data.data(), 3, {64, 64, 1}, {1, 64, 4096}, {64, 64, 1}, {1, 1, 1}};
  EXPECT_NO_THROW(make_tensor_map(good));
  for (auto spoil :
       {+[](TensorMapLayout& l) { l.base = static_cast<const char*>(l.base) + 2; },
        +[](TensorMapLayout& l) { l.pitch[1] = 60; }, +[](TensorMapLayout& l) { l.box[1] = 257; },
        +[](TensorMapLayout& l) { l.step[1] = 5; }, +[](TensorMapLayout& l) { l.extent[1] = 65; },
        +[](TensorMapLayout& l) { l.rank = 5; }}) {
    TensorMapLayout layout = good;
    spoil(layout);
    EXPECT_THROW(make_tensor_map(layout), Error);
  }
}

}  // namespace
}  // namespace atrous::cuda

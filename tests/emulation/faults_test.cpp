// SPDX-License-Identifier: Apache-2.0
// Faults planted in kernels, one each, and that they are caught. Where a sanitizer is what catches one, the
// program dies in a child process with the sanitizer's report.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "emulation/device_array.h"
#include "kernels/device.h"
#include "support/emulation/order.h"

#if defined(ATROUS_EMULATION_ASAN)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif
#if defined(ATROUS_EMULATION_TSAN)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif

namespace atrous::cuda {
namespace {

using testing::HasSubstr;

constexpr int kThreadSanitizerExit = 66;

class Faults : public testing::Test {
 protected:
  void SetUp() override { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

/// Under the thread sanitizer, that `action` has a data race in every order.
template <typename Action>
void expect_race(Action&& action) {
  for (emulation::Order order : emulation::test_orders()) {
    SCOPED_TRACE(to_string(order));
    EXPECT_EXIT(
        {
          emulation::set_order(order);
          action();
          std::exit(0);
        },
        testing::ExitedWithCode(kThreadSanitizerExit), "data race");
  }
}

ATROUS_KERNEL void neighbours(const float* in, float* out, int count, bool with_fault) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= count) return;
  const float right = with_fault || i + 1 < count ? in[i + 1] : 0.0F;
  out[i] = in[i] + right;
}

TEST_F(Faults, ReadPastTheEndOfDeviceMemory) {
  DeviceArray<float> in(std::vector<float>(33, 1.0F)), out(std::vector<float>(33));
  launch(neighbours, 1, 64, 0, nullptr, in.data(), out.data(), 33, false);
  EXPECT_EQ(out.values()[32], 1.0F);
  auto faulty = [&] { launch(neighbours, 1, 64, 0, nullptr, in.data(), out.data(), 33, true); };
  if (kAddressSanitizer) {
    EXPECT_DEATH(faulty(), "heap-buffer-overflow");
  } else {
    faulty();
    EXPECT_TRUE(std::isnan(out.values()[32])) << "around device memory lies NaN";
  }
}

ATROUS_KERNEL void fill(float* out, int count) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += 32) out[i] = 2;
}

TEST_F(Faults, WritePastTheEndOfDeviceMemory) {
  float* memory = static_cast<float*>(allocate(40 * sizeof(float)));
  auto faulty = [&] { launch(fill, 1, 32, 0, nullptr, memory, 41); };
  if (kAddressSanitizer) {
    EXPECT_DEATH(faulty(), "heap-buffer-overflow");
  } else {
    float after = 0;
    std::memcpy(&after, memory + 40, sizeof(after));
    faulty();
    EXPECT_THROW(synchronise(nullptr), Error);
    std::memcpy(memory + 40, &after, sizeof(after));
  }
  synchronise(nullptr);
  release(memory);
}

ATROUS_KERNEL void overrun_shared(float* out, int index) {
  ATROUS_SHARED(float, fixed, 10);
  ATROUS_DYNAMIC_SHARED(float, sized);
  if (threadIdx.x < 10) fixed[threadIdx.x] = sized[threadIdx.x] = 1;
  sync_block();
  out[threadIdx.x] = fixed[index] + sized[9];
}

ATROUS_KERNEL void overrun_dynamic(float* out, int index) {
  ATROUS_DYNAMIC_SHARED(float, sized);
  if (threadIdx.x < 10) sized[threadIdx.x] = 1;
  sync_block();
  out[threadIdx.x] = sized[index];
}

TEST_F(Faults, ReadPastTheEndOfSharedMemory) {
  if (!kAddressSanitizer) GTEST_SKIP() << "only the address sanitizer sees this";
  DeviceArray<float> out(std::vector<float>(32));
  launch(overrun_shared, 1, 32, 40, nullptr, out.data(), 9);
  EXPECT_DEATH(launch(overrun_shared, 1, 32, 40, nullptr, out.data(), 10),
               "heap-buffer-overflow|out of bounds");
  launch(overrun_dynamic, 1, 32, 40, nullptr, out.data(), 9);
  EXPECT_DEATH(launch(overrun_dynamic, 1, 32, 40, nullptr, out.data(), 10),
               "heap-buffer-overflow|out of bounds");
}

template <bool WithBarrier>
ATROUS_KERNEL void rotate(const float* in, float* out) {
  ATROUS_SHARED(float, stage, 64);
  stage[threadIdx.x] = in[threadIdx.x];
  if constexpr (WithBarrier) sync_block();
  out[threadIdx.x] = stage[(threadIdx.x + 17) % 64];
}

template <bool WithBarrier>
bool rotates() {
  std::vector<float> in(64);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
  DeviceArray<float> source(in), target(in);
  launch(rotate<WithBarrier>, 1, 64, 0, nullptr, source.data(), target.data());
  const auto got = target.values();
  for (std::size_t i = 0; i < in.size(); ++i)
    if (got[i] != in[(i + 17) % 64]) return false;
  return true;
}

TEST_F(Faults, DroppedBarrier) {
  for (emulation::Order order : emulation::test_orders()) {
    emulation::ScopedOrder scope(order);
    EXPECT_TRUE(rotates<true>()) << to_string(order);
    if (!kThreadSanitizer) {
      EXPECT_FALSE(rotates<false>()) << to_string(order);
    }
  }
  if (kThreadSanitizer) expect_race([] { rotates<false>(); });
}

template <bool WithBarrier>
ATROUS_KERNEL void reuse(const float* in, float* out) {
  ATROUS_SHARED(float, stage, 32);
  for (unsigned round = 0; round < 4; ++round) {
    stage[threadIdx.x] = in[32 * round + threadIdx.x];
    sync_block();
    out[32 * round + threadIdx.x] = stage[31 - threadIdx.x];
    if constexpr (WithBarrier) sync_block();
  }
}

/// The barrier that is missing is the one before shared memory is written again.
TEST_F(Faults, DroppedBarrierBeforeReuse) {
  if (!kThreadSanitizer) GTEST_SKIP() << "only the thread sanitizer sees this in every order";
  DeviceArray<float> in(std::vector<float>(128)), out(std::vector<float>(128));
  launch(reuse<true>, 1, 32, 0, nullptr, in.data(), out.data());
  expect_race([&] { launch(reuse<false>, 1, 32, 0, nullptr, in.data(), out.data()); });
}

ATROUS_KERNEL void shuffle_as_fence(float* out) {
  ATROUS_SHARED(float, stage, 32);
  stage[threadIdx.x] = 1;
  shuffle(1, 0);
  out[threadIdx.x] = stage[31 - threadIdx.x];
}

ATROUS_KERNEL void blocks_share(float* out) { out[threadIdx.x] = static_cast<float>(blockIdx.x); }

ATROUS_KERNEL void blocks_share_behind_barriers(float* out) {
  sync_block();
  if (blockIdx.x == threadIdx.x) out[0] += 1;
  sync_block();
  sync_block();  // an odd number: a fence that two blocks share would order them
}

TEST_F(Faults, RacesThatShowNoWrongValue) {
  if (!kThreadSanitizer) GTEST_SKIP() << "only the thread sanitizer sees these";
  DeviceArray<float> out(std::vector<float>(32));
  expect_race([&] { launch(shuffle_as_fence, 1, 32, 0, nullptr, out.data()); });
  expect_race([&] { launch(blocks_share, 2, 32, 0, nullptr, out.data()); });
  expect_race([&] { launch(blocks_share_behind_barriers, 3, 32, 0, nullptr, out.data()); });
}

ATROUS_KERNEL void copy_with_wait(const float* in, float* out, bool wait, bool commit) {
  ATROUS_DYNAMIC_SHARED(float, stage);
  for (unsigned i = 0; i < 4; ++i) stage[4 * threadIdx.x + i] = 1;
  copy_async16(stage + 4 * threadIdx.x, in + 4 * threadIdx.x, 16);
  if (commit) copy_async_commit();
  if (wait) copy_async_wait<0>();
  sync_block();
  for (unsigned i = threadIdx.x; i < 4 * blockDim.x; i += blockDim.x) out[i] = stage[i];
}

TEST_F(Faults, MissingWaitForAsynchronousCopies) {
  const std::vector<float> values(128, 3.0F);
  DeviceArray<float> in(values), out(values);
  launch(copy_with_wait, 1, 32, 512, nullptr, in.data(), out.data(), true, true);
  EXPECT_EQ(out.values(), values);
  for (bool wait : {false, true}) {  // without a commit there is nothing that the wait would wait for
    launch(copy_with_wait, 1, 32, 512, nullptr, in.data(), out.data(), wait, false);
    for (float value : out.values()) ASSERT_TRUE(std::isnan(value));
  }
  launch(copy_with_wait, 1, 32, 512, nullptr, in.data(), out.data(), false, true);
  for (float value : out.values()) ASSERT_TRUE(std::isnan(value));
}

ATROUS_KERNEL void misaligned(float* memory, int load_at, int store_at) {
  store_pack(memory + store_at, load_pack<4>(memory + load_at));
}
ATROUS_KERNEL void misaligned_copy(const float* in, int from, int to) {
  ATROUS_DYNAMIC_SHARED(float, stage);
  copy_async16(stage + to, in + from, 0);
}
ATROUS_KERNEL void misaligned_row(int offset) {
  ATROUS_DYNAMIC_SHARED(std::uint16_t, stage);
  unsigned r[4];
  ldmatrix_x4(r, stage + offset);
}

template <typename Action>
std::string fault(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "no fault was reported";
}

TEST_F(Faults, MisalignedVectorAccess) {
  DeviceArray<float> memory(std::vector<float>(16));
  launch(misaligned, 1, 1, 0, nullptr, memory.data(), 4, 8);
  EXPECT_THAT(fault([&] { launch(misaligned, 1, 1, 0, nullptr, memory.data(), 2, 8); }),
              HasSubstr("misaligned load_pack"));
  EXPECT_THAT(fault([&] { launch(misaligned, 1, 1, 0, nullptr, memory.data(), 4, 9); }),
              HasSubstr("misaligned store_pack"));
  launch(misaligned_copy, 1, 1, 64, nullptr, memory.data(), 4, 4);
  EXPECT_THAT(fault([&] { launch(misaligned_copy, 1, 1, 64, nullptr, memory.data(), 1, 4); }),
              HasSubstr("misaligned copy_async16 from global"));
  EXPECT_THAT(fault([&] { launch(misaligned_copy, 1, 1, 64, nullptr, memory.data(), 4, 2); }),
              HasSubstr("misaligned copy_async16 to shared"));
  launch(misaligned_row, 1, 32, 64, nullptr, 8);
  EXPECT_THAT(fault([] { launch(misaligned_row, 1, 32, 64, nullptr, 4); }), HasSubstr("misaligned ldmatrix"));
}

}  // namespace
}  // namespace atrous::cuda

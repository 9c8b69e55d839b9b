// SPDX-License-Identifier: Apache-2.0
// Every wrapper of kernels/device_sm90.h against its definition; for a real device of compute capability 9.0
// as well as for the execution layer.
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <random>

#include "core/half.h"
#include "emulation/device_array.h"
#include "emulation/device_test.h"
#include "emulation/wrappers_sm90.h"

namespace atrous::cuda {
namespace {

class WarpgroupWrappers : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (IsSkipped()) return;
    if (current_device_info().major != 9) GTEST_SKIP() << "no device of compute capability 9.0";
    ASSERT_TRUE(built_for_warpgroups()) << "built without code for sm_90a";
  }
};

/// Where the byte of a box lies: chunks of 16 bytes change places by row, a row being 128 bytes.
std::size_t swizzled(std::size_t byte) { return byte ^ (byte / 128 % 8) * 16; }

/// Boxes of a tensor [images][rows][columns][channels] whose pixels are `pitch` channels apart.
struct Boxes {
  std::int64_t channels, columns, rows, images, pitch;
  int box_columns, box_rows, step_columns, step_rows;
  std::vector<std::array<int, 4>> places;  ///< of their first elements, channel first
};

void expect_boxes(const Boxes& b) {
  std::vector<std::uint16_t> values(static_cast<std::size_t>(b.images * b.rows * b.columns * b.pitch));
  std::iota(values.begin(), values.end(), std::uint16_t{1});
  const int bytes = b.box_rows * b.box_columns * 128, apart = (bytes + 1023) / 1024 * 1024;
  DeviceArray<std::uint16_t> tensor(values);
  const TensorMap map = make_tensor_map({tensor.data(),
                                         4,
                                         {b.channels, b.columns, b.rows, b.images},
                                         {1, b.pitch, b.columns * b.pitch, b.rows * b.columns * b.pitch},
                                         {64, b.box_columns, b.box_rows, 1},
                                         {1, b.step_columns, b.step_rows, 1}});
  for (std::size_t first = 0; first + 1 < b.places.size(); ++first) {
    DeviceArray<unsigned char> out(std::vector<unsigned char>(static_cast<std::size_t>(2 * apart), 0xee));
    launch_bulk_copies(map, b.places[first], b.places[first + 1], bytes, apart, out.data());
    const std::vector<unsigned char> got = out.values();
    for (std::size_t box = 0; box < 2; ++box)
      for (int pixel = 0; pixel < b.box_rows * b.box_columns; ++pixel)
        for (int channel = 0; channel < 64; ++channel) {
          const auto& at = b.places[first + box];
          const std::int64_t c = at[0] + channel, x = at[1] + b.step_columns * (pixel % b.box_columns),
                             y = at[2] + b.step_rows * (pixel / b.box_columns);
          const bool inside =
              c < b.channels && x >= 0 && x < b.columns && y >= 0 && y < b.rows && at[3] < b.images;
          const auto index = static_cast<std::size_t>(((at[3] * b.rows + y) * b.columns + x) * b.pitch + c);
          const std::uint16_t expected = inside ? values[index] : std::uint16_t{0};
          const std::size_t byte =
              static_cast<std::size_t>(pixel * 128 + 2 * channel) + box * static_cast<std::size_t>(apart);
          ASSERT_EQ(got[swizzled(byte)] | got[swizzled(byte + 1)] << 8, expected)
              << "place " << first << ", box " << box << ", pixel " << pixel << ", channel " << channel;
        }
  }
}

TEST_F(WarpgroupWrappers, BulkCopiesTakeBoxesAndFillWithZeros) {
  in_every_order([] {
    expect_boxes({72,
                  7,
                  5,
                  2,
                  88,
                  4,
                  2,
                  2,
                  3,
                  {{0, 0, 0, 0}, {8, -3, 1, 1}, {64, 2, -3, 0}, {0, 3, 4, 1}, {72, 0, 0, 0}, {0, 0, 0, 2}}});
    expect_boxes({64, 301, 1, 1, 64, 128, 1, 2, 1, {{0, -1, 0, 0}, {0, 255, 0, 0}}});  // the widest
    expect_boxes({16, 33, 33, 1, 16, 11, 11, 2, 2, {{0, -3, -1, 0}, {0, 19, 21, 0}}});
  });
}

/// Thread t, register i: the layout of the PTX ISA for wgmma's D.
struct Position {
  std::size_t row, column;
};
Position position(std::size_t thread, std::size_t i) {
  const std::size_t warp = thread / 32, group = thread % 32 / 4, in_group = thread % 4;
  return {16 * warp + group + (i / 2 % 2) * 8, i / 4 * 8 + in_group * 2 + i % 2};
}

void expect_product(DType dtype, std::size_t columns, std::size_t steps) {
  SCOPED_TRACE(testing::Message() << to_string(dtype) << ", " << columns << " columns, " << steps
                                  << " steps");
  const std::size_t k_extent = 64 * steps;
  std::mt19937 random(5);
  auto draw = [&] {
    return static_cast<float>(static_cast<int>(random() % 31) - 15) / 8;
  };  // exact in every type
  std::vector<float> a(64 * k_extent), b(columns * k_extent), sums(64 * columns);
  for (auto* values : {&a, &b, &sums}) std::generate(values->begin(), values->end(), draw);
  auto on_device = [&](const std::vector<float>& values) {
    std::vector<std::uint16_t> bits;
    for (float v : values) bits.push_back(dtype == DType::f16 ? float_to_half(v) : float_to_bfloat16(v));
    return bits;
  };
  std::vector<float> d(sums.size());
  for (std::size_t i = 0; i < d.size(); ++i) {
    const auto [row, column] = position(i / (columns / 2), i % (columns / 2));
    d[i] = sums[row * columns + column];
  }
  DeviceArray<std::uint16_t> device_a(on_device(a)), device_b(on_device(b));
  DeviceArray<float> device_d(d);
  auto map = [&](const void* base, std::size_t rows) {
    const auto pitch = static_cast<std::int64_t>(k_extent), count = static_cast<std::int64_t>(rows);
    return make_tensor_map(
        {base, 3, {pitch, count, 1}, {1, pitch, pitch * count}, {64, static_cast<int>(rows), 1}, {1, 1, 1}});
  };
  launch_warpgroup_product(dtype, static_cast<int>(columns), static_cast<int>(steps),
                           map(device_a.data(), 64), map(device_b.data(), columns), device_d.data());
  const std::vector<float> got = device_d.values();
  for (std::size_t i = 0; i < d.size(); ++i) {
    const auto [row, column] = position(i / (columns / 2), i % (columns / 2));
    float expected = sums[row * columns + column];
    for (std::size_t k = 0; k < k_extent; ++k) expected += a[row * k_extent + k] * b[column * k_extent + k];
    ASSERT_EQ(got[i], expected) << "row " << row << ", column " << column;
  }
}

TEST_F(WarpgroupWrappers, Products) {
  in_every_order([] {
    for (DType dtype : {DType::f16, DType::bf16})
      for (std::size_t columns : {64U, 128U})
        for (std::size_t steps : {1U, 3U}) expect_product(dtype, columns, steps);
  });
}

}  // namespace
}  // namespace atrous::cuda

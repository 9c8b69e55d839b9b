// SPDX-License-Identifier: Apache-2.0
// Every wrapper of kernels/device.h against its definition; for a real device as well as for the execution
// layer.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "core/half.h"
#include "emulation/device_array.h"
#include "emulation/device_test.h"
#include "emulation/wrappers.h"

namespace atrous::cuda {
namespace {

using Wrappers = DeviceTest;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

using ToFloat = float (*)(std::uint16_t);

struct Conversion {
  float value;
  std::uint16_t bits;
};

/// Every finite 16-bit value v but the largest, the point halfway to the next and the floats on either side
/// of that. The codes of one sign are in the order of magnitude, so the right answers need no conversion.
std::vector<Conversion> conversion_cases(ToFloat to_float) {
  std::vector<Conversion> cases;
  for (unsigned code = 0; code < 0x10000; ++code) {
    const auto low = static_cast<std::uint16_t>(code), high = static_cast<std::uint16_t>(code + 1);
    const float value = to_float(low), next = to_float(high);
    if (!std::isfinite(value) || !std::isfinite(next) || code == 0x7fff) continue;
    const float halfway = value / 2 + next / 2;
    const auto even = (low & 1U) == 0 ? low : high;
    cases.insert(cases.end(), {{value, low},
                               {halfway, even},
                               {std::nextafter(halfway, next), high},
                               {std::nextafter(halfway, value), low}});
  }
  return cases;
}

/// `specials`: beyond the largest finite value, and smaller than the smallest.
void expect_conversions(DType dtype, ToFloat to_float, const std::vector<Conversion>& specials) {
  std::vector<Conversion> cases = conversion_cases(to_float);
  ASSERT_GT(cases.size(), 200000U);
  cases.insert(cases.end(), specials.begin(), specials.end());
  std::vector<float> values;
  for (const Conversion& c : cases) values.push_back(c.value);
  DeviceArray<float> in(values), back(values);
  DeviceArray<std::uint16_t> bits(std::vector<std::uint16_t>(cases.size()));
  launch_convert(dtype, in.data(), bits.data(), back.data(), static_cast<int>(cases.size()));
  const auto got_bits = bits.values();
  const auto got_back = back.values();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    ASSERT_EQ(got_bits[i], cases[i].bits) << "of " << cases[i].value;
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got_back[i]),
              std::bit_cast<std::uint32_t>(to_float(cases[i].bits)));
  }
  DeviceArray<float> nan({std::nanf("")});
  launch_convert(dtype, nan.data(), bits.data(), back.data(), 1);
  EXPECT_TRUE(std::isnan(back.values()[0]));
}

TEST_F(Wrappers, ConvertsF16) {
  expect_conversions(DType::f16, half_to_float,
                     {{65504.0F, 0x7bff},
                      {65519.0F, 0x7bff},
                      {65520.0F, 0x7c00},
                      {-65520.0F, 0xfc00},
                      {1e30F, 0x7c00},
                      {kInfinity, 0x7c00},
                      {-kInfinity, 0xfc00},
                      {0x1p-24F, 0x0001},
                      {0x1p-25F, 0x0000},
                      {1.0F, 0x3c00},
                      {-1e-30F, 0x8000}});
}

TEST_F(Wrappers, ConvertsBf16) {
  expect_conversions(DType::bf16, bfloat16_to_float,
                     {{3.4028e38F, 0x7f80},
                      {-3.4028e38F, 0xff80},
                      {kInfinity, 0x7f80},
                      {-kInfinity, 0xff80},
                      {1.0F, 0x3f80}});
}

TEST_F(Wrappers, RoundsToTf32WithTiesAwayFromZero) {
  const std::vector<float> in = {1.0F, 1.0F + 0x1p-11F, -1.0F - 0x1p-11F, 1.0F + 0x1p-12F, 0.0F, kInfinity,
                                 3.5F};
  const std::vector<float> expected = {1.0F, 1.0F + 0x1p-10F, -1.0F - 0x1p-10F, 1.0F, 0.0F, kInfinity, 3.5F};
  DeviceArray<float> source(in), out(in);
  launch_to_tf32(source.data(), out.data(), static_cast<int>(in.size()));
  EXPECT_EQ(out.values(), expected);
}

TEST_F(Wrappers, WarpExchange) {
  std::vector<float> values(32);
  std::vector<int> sources(32);
  for (int i = 0; i < 32; ++i) {
    values[static_cast<std::size_t>(i)] = static_cast<float>(i * i % 37 - 11);
    sources[static_cast<std::size_t>(i)] = (7 * i + 3) % 32;
  }
  unsigned votes = 0;
  for (unsigned i = 0; i < 32; ++i) votes |= values[i] > 0 ? 1U << i : 0U;
  in_every_order([&] {
    DeviceArray<float> in(values);
    DeviceArray<int> from(sources);
    DeviceArray<WarpExchange> out(std::vector<WarpExchange>(32));
    launch_warp_exchange(in.data(), from.data(), 5, 12, out.data());
    const auto got = out.values();
    for (std::size_t i = 0; i < 32; ++i) {
      SCOPED_TRACE(testing::Message() << "lane " << i);
      EXPECT_EQ(got[i].lane, static_cast<int>(i));
      EXPECT_EQ(got[i].from_source, values[static_cast<std::size_t>(sources[i])]);
      EXPECT_EQ(got[i].down, values[i + 5 < 32 ? i + 5 : i]) << "past the end a lane keeps its own value";
      EXPECT_EQ(got[i].across, values[i ^ 12U]);
      EXPECT_EQ(got[i].sum, std::accumulate(values.begin(), values.end(), 0.0F));
      EXPECT_EQ(got[i].largest, *std::max_element(values.begin(), values.end()));
      EXPECT_EQ(got[i].ballot, votes);
      EXPECT_EQ(got[i].any, 1);
      EXPECT_EQ(got[i].any_of_none, 0);
    }
  });
}

TEST_F(Wrappers, Atomics) {
  in_every_order([] {
    DeviceArray<int> counts({0, -1, 0}), old(std::vector<int>(128));
    DeviceArray<float> sum({0.5F});
    launch_atomics(counts.data(), sum.data(), old.data());
    EXPECT_EQ(counts.values(), (std::vector<int>{128, 6, 31}));
    EXPECT_EQ(sum.values()[0], 127 * 64 + 0.5F);
    auto before = old.values();
    std::sort(before.begin(), before.end());
    for (int i = 0; i < 128; ++i) EXPECT_EQ(before[static_cast<std::size_t>(i)], i) << "each old value once";
  });
}

TEST_F(Wrappers, CopyAsyncFillsWithZerosPastTheValidBytes) {
  std::vector<unsigned char> in(512);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<unsigned char>(1 + i % 251);
  in_every_order([&] {
    DeviceArray<unsigned char> source(in), out(std::vector<unsigned char>(768));
    launch_copy_async(source.data(), out.data());
    const auto got = out.values();
    for (std::size_t i = 0; i < 512; ++i) {
      const unsigned char expected = i % 16 < i / 16 % 17 ? in[i] : 0;
      ASSERT_EQ(got[256 + i], expected) << "byte " << i << " after all groups";
      if (i < 256) {
        ASSERT_EQ(got[i], expected) << "byte " << i << " after the first group";
      }
    }
  });
}

TEST_F(Wrappers, Ldmatrix) {
  std::vector<std::uint16_t> tile(256);
  std::iota(tile.begin(), tile.end(), std::uint16_t{1000});
  std::vector<int> rows(32);
  for (int i = 0; i < 32; ++i) rows[static_cast<std::size_t>(i)] = (5 * i + 2) % 32;
  for (bool x4 : {true, false})
    for (bool transposed : {true, false}) {
      SCOPED_TRACE(testing::Message() << (x4 ? "x4" : "x2") << (transposed ? " transposed" : ""));
      const std::size_t matrices = x4 ? 4 : 2;
      DeviceArray<std::uint16_t> source(tile);
      DeviceArray<int> row_of_lane(rows);
      DeviceArray<unsigned> out(std::vector<unsigned>(32 * matrices));
      launch_ldmatrix(x4, transposed, source.data(), row_of_lane.data(), out.data());
      const auto got = out.values();
      for (std::size_t lane = 0; lane < 32; ++lane)
        for (std::size_t matrix = 0; matrix < matrices; ++matrix)
          for (std::size_t half = 0; half < 2; ++half) {
            std::size_t row = lane / 4, column = 2 * (lane % 4) + half;
            if (transposed) std::swap(row, column);
            const auto from = static_cast<std::size_t>(rows[8 * matrix + row]);
            ASSERT_EQ(got[matrices * lane + matrix] >> (16 * half) & 0xffffU, tile[8 * from + column])
                << "lane " << lane << ", matrix " << matrix << ", half " << half;
          }
    }
}

/// The layouts of the PTX ISA, written as there: element i of a lane's fragment, group = lane / 4, in_group =
/// lane % 4.
struct Position {
  std::size_t row, column;
};
Position a_position(std::size_t k_extent, std::size_t lane, std::size_t i) {
  const std::size_t group = lane >> 2U, in_group = lane % 4;
  if (k_extent == 8) return {i == 0 || i == 2 ? group : group + 8, i < 2 ? in_group : in_group + 4};
  return {i < 2 || (i >= 4 && i < 6) ? group : group + 8, in_group * 2 + (i & 1U) + (i >= 4 ? 8 : 0)};
}
Position b_position(std::size_t k_extent, std::size_t lane, std::size_t i) {
  const std::size_t group = lane >> 2U, in_group = lane % 4;
  if (k_extent == 8) return {i == 0 ? in_group : in_group + 4, group};
  return {in_group * 2 + (i & 1U) + (i >= 2 ? 8 : 0), group};
}
Position d_position(std::size_t lane, std::size_t i) {
  return {(lane >> 2U) + (i < 2 ? 0 : 8), lane % 4 * 2 + (i & 1U)};
}

/// Random a, b and c through the fragments of one mma against a plain product. Values are exact in every
/// type.
void expect_product(DType dtype) {
  SCOPED_TRACE(to_string(dtype));
  const std::size_t k_extent = dtype == DType::f32 ? 8 : 16, elements = dtype == DType::f32 ? 1 : 2;
  std::mt19937 random(3);
  auto draw = [&] { return static_cast<float>(static_cast<int>(random() % 31) - 15) / 8; };
  float a[16][16], b[16][8], c[16][8];
  for (auto& row : a) std::generate(std::begin(row), std::end(row), draw);
  for (auto& row : b) std::generate(std::begin(row), std::end(row), draw);
  for (auto& row : c) std::generate(std::begin(row), std::end(row), draw);
  auto bits = [&](float v) -> unsigned {
    if (dtype == DType::f32) return std::bit_cast<unsigned>(v) | 0x1fffU;  // the device ignores these
    return dtype == DType::f16 ? float_to_half(v) : float_to_bfloat16(v);
  };
  std::vector<unsigned> ra(128), rb(64);
  std::vector<float> rd(128);
  for (std::size_t lane = 0; lane < 32; ++lane) {
    for (std::size_t i = 0; i < 4 * elements; ++i) {
      const auto [row, column] = a_position(k_extent, lane, i);
      ra[4 * lane + i / elements] |= bits(a[row][column]) << (16 * (i % elements));
    }
    for (std::size_t i = 0; i < 2 * elements; ++i) {
      const auto [row, column] = b_position(k_extent, lane, i);
      rb[2 * lane + i / elements] |= bits(b[row][column]) << (16 * (i % elements));
    }
    for (std::size_t i = 0; i < 4; ++i)
      rd[4 * lane + i] = c[d_position(lane, i).row][d_position(lane, i).column];
  }
  DeviceArray<unsigned> device_a(ra), device_b(rb);
  DeviceArray<float> device_d(rd);
  launch_mma(dtype, device_a.data(), device_b.data(), device_d.data());
  const auto got = device_d.values();
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t i = 0; i < 4; ++i) {
      const auto [row, column] = d_position(lane, i);
      float expected = c[row][column];
      for (std::size_t k = 0; k < k_extent; ++k) expected += a[row][k] * b[k][column];
      ASSERT_EQ(got[4 * lane + i], expected) << "row " << row << ", column " << column;
    }
}

TEST_F(Wrappers, Mma) {
  in_every_order([] {
    for (DType dtype : {DType::f16, DType::bf16, DType::f32}) expect_product(dtype);
  });
}

TEST_F(Wrappers, PackCopy) {
  std::vector<float> in(40);
  std::iota(in.begin(), in.end(), 1.0F);
  for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    DeviceArray<float> source(in), target(std::vector<float>(40));
    launch_pack_copy(dtype, source.data(), target.data(), dtype == DType::f32 ? 40 : 80);
    EXPECT_EQ(target.values(), in) << to_string(dtype);
  }
}

}  // namespace
}  // namespace atrous::cuda

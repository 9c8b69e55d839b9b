// SPDX-License-Identifier: Apache-2.0
// Small kernels end to end through launcher and runtime.
#include <gtest/gtest.h>

#include "emulation/device_array.h"
#include "emulation/device_test.h"
#include "emulation/transpose.h"

namespace atrous::cuda {
namespace {

using Kernels = DeviceTest;

template <typename T>
void expect_transposed(DType dtype, int rows, int columns) {
  SCOPED_TRACE(testing::Message() << rows << "x" << columns << " " << to_string(dtype));
  std::vector<T> in(static_cast<std::size_t>(rows) * columns);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<T>(i + 1);
  DeviceArray<T> source(in), target(std::vector<T>(in.size()));
  launch_transpose(dtype, source.data(), target.data(), rows, columns, nullptr);
  const std::vector<T> out = target.values();
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x)
      ASSERT_EQ(out[static_cast<std::size_t>(x) * rows + y], in[static_cast<std::size_t>(y) * columns + x])
          << "at row " << y << ", column " << x;
}

TEST_F(Kernels, Transpose) {
  in_every_order([] {
    for (auto [rows, columns] : {std::pair{1, 1}, {7, 33}, {64, 32}, {50, 70}}) {
      expect_transposed<float>(DType::f32, rows, columns);
      expect_transposed<std::uint16_t>(DType::f16, rows, columns);
      expect_transposed<std::uint16_t>(DType::bf16, rows, columns);
    }
  });
}

TEST_F(Kernels, Sum) {
  in_every_order([] {
    for (int count : {1, 31, 128, 1000}) {
      std::vector<float> in(static_cast<std::size_t>(count));
      for (int i = 0; i < count; ++i) in[static_cast<std::size_t>(i)] = static_cast<float>(i + 1);
      DeviceArray<float> source(in), total({0.0F});
      launch_sum(source.data(), total.data(), count, nullptr);
      EXPECT_EQ(total.values()[0], static_cast<float>(count * (count + 1) / 2)) << count << " values";
    }
  });
}

}  // namespace
}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/winograd_transform.h"

#include "core/parallel.h"

namespace atrous {
namespace {

constexpr int kIn = Winograd::kInputs, kOut = Winograd::kOutputs;
/// Channels in a register of the widest instruction set, or in several of another.
typedef float Block __attribute__((vector_size(64), aligned(4)));
constexpr std::int64_t kBlock = 16;

/// The points p and q, and the powers that the transforms hold.
constexpr float kP = 0.625F, kQ = 1.5F, kP2 = kP * kP, kQ2 = kQ * kQ, kP3 = kP2 * kP, kQ3 = kQ2 * kQ;

/// One row of B^T a line, on the six blocks d: the polynomials through all points but one.
[[gnu::always_inline]] inline void transform_6(const Block (&d)[kIn], Block (&to)[kIn]) {
  const Block at_p_even = d[4] - kQ2 * d[2], at_p_odd = kP * (d[3] - kQ2 * d[1]),
              at_q_even = d[4] - kP2 * d[2], at_q_odd = kQ * (d[3] - kP2 * d[1]);
  to[0] = kP2 * kQ2 * d[0] - (kP2 + kQ2) * d[2] + d[4];
  to[1] = at_p_even + at_p_odd;
  to[2] = at_p_even - at_p_odd;
  to[3] = at_q_even + at_q_odd;
  to[4] = at_q_even - at_q_odd;
  to[5] = kP2 * kQ2 * d[1] - (kP2 + kQ2) * d[3] + d[5];
}

/// One row of A^T a line, on the six blocks m: powers of the points.
[[gnu::always_inline]] inline void transform_4(const Block (&m)[kIn], Block (&to)[kOut]) {
  const Block p_even = m[1] + m[2], p_odd = m[1] - m[2], q_even = m[3] + m[4], q_odd = m[3] - m[4];
  to[0] = m[0] + p_even + q_even;
  to[1] = kP * p_odd + kQ * q_odd;
  to[2] = kP2 * p_even + kQ2 * q_even;
  to[3] = kP3 * p_odd + kQ3 * q_odd + m[5];
}

}  // namespace

std::array<double, Winograd::kProducts> winograd_weight(const float* g) {
  constexpr double kPoints[] = {0, kP, -kP, kQ, -kQ};
  double matrix[kIn][Winograd::kKernel] = {};  // G
  for (int i = 0; i < kIn - 1; ++i) {
    double scale = 1;
    for (int j = 0; j < kIn - 1; ++j)
      if (j != i) scale *= kPoints[i] - kPoints[j];
    matrix[i][0] = 1 / scale;
    for (int j = 1; j < Winograd::kKernel; ++j) matrix[i][j] = matrix[i][j - 1] * kPoints[i];
  }
  matrix[kIn - 1][Winograd::kKernel - 1] = 1;
  std::array<double, Winograd::kProducts> result{};
  for (int y = 0; y < kIn; ++y)
    for (int x = 0; x < kIn; ++x)
      for (int i = 0; i < Winograd::kKernel; ++i)
        for (int j = 0; j < Winograd::kKernel; ++j)
          result[static_cast<std::size_t>(y * kIn + x)] +=
              matrix[y][i] * static_cast<double>(g[i * Winograd::kKernel + j]) * matrix[x][j];
  return result;
}

ATROUS_VECTORISE void winograd_input(const float* const* pixels, std::int64_t channels, float* to,
                                     std::int64_t plane) {
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    Block columns[kIn][kIn];  // [x][y]: B^T d
    for (int x = 0; x < kIn; ++x) {
      Block column[kIn];
      for (int y = 0; y < kIn; ++y) column[y] = *reinterpret_cast<const Block*>(pixels[y * kIn + x] + c);
      transform_6(column, columns[x]);
    }
    for (int y = 0; y < kIn; ++y) {
      Block row[kIn], products[kIn];
      for (int x = 0; x < kIn; ++x) row[x] = columns[x][y];
      transform_6(row, products);
      for (int x = 0; x < kIn; ++x) *reinterpret_cast<Block*>(to + (y * kIn + x) * plane + c) = products[x];
    }
  }
}

ATROUS_VECTORISE void winograd_output(const float* from, std::int64_t plane, std::int64_t channels,
                                      const float* bias, const float* const* residual, const Clamp& clamp,
                                      float* const* pixels) {
  const Block low = Block{} + clamp.low, high = Block{} + clamp.high;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    Block columns[kIn][kOut];  // [x][y]: A^T m
    for (int x = 0; x < kIn; ++x) {
      Block column[kIn];
      for (int y = 0; y < kIn; ++y)
        column[y] = *reinterpret_cast<const Block*>(from + (y * kIn + x) * plane + c);
      transform_4(column, columns[x]);
    }
    const Block added = *reinterpret_cast<const Block*>(bias + c);
    for (int y = 0; y < kOut; ++y) {
      Block row[kIn], sums[kOut];
      for (int x = 0; x < kIn; ++x) row[x] = columns[x][y];
      transform_4(row, sums);
      for (int x = 0; x < kOut; ++x) {
        const int i = y * kOut + x;
        if (pixels[i] == nullptr) continue;
        Block sum = sums[x] + added;
        if (residual != nullptr) sum += *reinterpret_cast<const Block*>(residual[i] + c);
        sum = sum < low ? low : sum > high ? high : sum;
        *reinterpret_cast<Block*>(pixels[i] + c) = sum;
      }
    }
  }
}

}  // namespace atrous

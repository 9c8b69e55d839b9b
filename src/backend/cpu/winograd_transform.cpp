// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/winograd_transform.h"

#include <vector>

#include "core/parallel.h"

namespace atrous {
namespace {

/// Channels in a register of the widest instruction set, or in several of another.
typedef float Block __attribute__((vector_size(64), aligned(4)));
constexpr std::int64_t kBlock = 16;

/// F(m x m, 3x3): its points and their powers. kFirst: the index of p's product, 1 where the point 0 comes
/// before it.
template <int m>
struct Form {
  static constexpr int kOut = m, kIn = m + 2, kFirst = m - 3;
  static constexpr float p = m == 4 ? 0.625F : 0.5F, q = m == 4 ? 1.5F : 1.25F;
  static constexpr float p2 = p * p, q2 = q * q, p3 = p2 * p, q3 = q2 * q;
};

/// One row of B^T a line, on the blocks d: the polynomials that vanish at all points but one.
template <typename F>
[[gnu::always_inline]] inline void transform_in(const Block (&d)[F::kIn], Block (&to)[F::kIn]) {
  constexpr int s = F::kFirst;
  const Block p_odd = d[s + 3] - F::q2 * d[s + 1], p_even = F::p * (d[s + 2] - F::q2 * d[s]),
              q_odd = d[s + 3] - F::p2 * d[s + 1], q_even = F::q * (d[s + 2] - F::p2 * d[s]);
  if constexpr (s == 1) to[0] = F::p2 * F::q2 * d[0] - (F::p2 + F::q2) * d[2] + d[4];
  to[s] = p_odd + p_even;
  to[s + 1] = p_odd - p_even;
  to[s + 2] = q_odd + q_even;
  to[s + 3] = q_odd - q_even;
  to[s + 4] = F::p2 * F::q2 * d[s] - (F::p2 + F::q2) * d[s + 2] + d[s + 4];
}

/// One row of A^T a line, on the blocks m: powers of the points.
template <typename F>
[[gnu::always_inline]] inline void transform_out(const Block (&m)[F::kIn], Block (&to)[F::kOut]) {
  constexpr int s = F::kFirst;
  const Block p_even = m[s] + m[s + 1], p_odd = m[s] - m[s + 1], q_even = m[s + 2] + m[s + 3],
              q_odd = m[s + 2] - m[s + 3];
  to[0] = p_even + q_even;
  if constexpr (s == 1) to[0] += m[0];
  to[1] = F::p * p_odd + F::q * q_odd;
  to[2] = F::p2 * p_even + F::q2 * q_even;
  if constexpr (F::kOut == 4) to[3] = F::p3 * p_odd + F::q3 * q_odd;
  to[F::kOut - 1] += m[s + 4];
}

template <typename F>
[[gnu::always_inline]] inline void input_tile(const float* const* pixels, std::int64_t channels, float* to,
                                              std::int64_t plane) {
  constexpr int n = F::kIn;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    Block columns[n][n];  // [x][y]: B^T d
    for (int x = 0; x < n; ++x) {
      Block column[n];
      for (int y = 0; y < n; ++y) column[y] = *reinterpret_cast<const Block*>(pixels[y * n + x] + c);
      transform_in<F>(column, columns[x]);
    }
    for (int y = 0; y < n; ++y) {
      Block row[n], products[n];
      for (int x = 0; x < n; ++x) row[x] = columns[x][y];
      transform_in<F>(row, products);
      for (int x = 0; x < n; ++x) *reinterpret_cast<Block*>(to + (y * n + x) * plane + c) = products[x];
    }
  }
}

template <typename F>
[[gnu::always_inline]] inline void output_tile(const float* from, std::int64_t plane, std::int64_t channels,
                                               const float* bias, const float* const* residual,
                                               const Clamp& clamp, float* const* pixels) {
  constexpr int n = F::kIn, m = F::kOut;
  const Block low = Block{} + clamp.low, high = Block{} + clamp.high;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    Block columns[n][m];  // [x][y]: A^T m
    for (int x = 0; x < n; ++x) {
      Block column[n];
      for (int y = 0; y < n; ++y) column[y] = *reinterpret_cast<const Block*>(from + (y * n + x) * plane + c);
      transform_out<F>(column, columns[x]);
    }
    const Block added = *reinterpret_cast<const Block*>(bias + c);
    for (int y = 0; y < m; ++y) {
      Block row[n], sums[m];
      for (int x = 0; x < n; ++x) row[x] = columns[x][y];
      transform_out<F>(row, sums);
      for (int x = 0; x < m; ++x) {
        const int i = y * m + x;
        if (pixels[i] == nullptr) continue;
        Block sum = sums[x] + added;
        if (residual != nullptr) sum += *reinterpret_cast<const Block*>(residual[i] + c);
        sum = sum < low ? low : sum > high ? high : sum;
        *reinterpret_cast<Block*>(pixels[i] + c) = sum;
      }
    }
  }
}

ATROUS_VECTORISE void input_3(const float* const* pixels, std::int64_t channels, float* to,
                              std::int64_t plane) {
  input_tile<Form<3>>(pixels, channels, to, plane);
}
ATROUS_VECTORISE void input_4(const float* const* pixels, std::int64_t channels, float* to,
                              std::int64_t plane) {
  input_tile<Form<4>>(pixels, channels, to, plane);
}
ATROUS_VECTORISE void output_3(const float* from, std::int64_t plane, std::int64_t channels,
                               const float* bias, const float* const* residual, const Clamp& clamp,
                               float* const* pixels) {
  output_tile<Form<3>>(from, plane, channels, bias, residual, clamp, pixels);
}
ATROUS_VECTORISE void output_4(const float* from, std::int64_t plane, std::int64_t channels,
                               const float* bias, const float* const* residual, const Clamp& clamp,
                               float* const* pixels) {
  output_tile<Form<4>>(from, plane, channels, bias, residual, clamp, pixels);
}

template <typename F>
std::vector<double> finite_points() {
  std::vector<double> points{F::p, -F::p, F::q, -F::q};
  if (F::kFirst == 1) points.insert(points.begin(), 0);
  return points;
}

}  // namespace

std::array<double, Winograd::kMostProducts> winograd_weight(Winograd winograd, const float* g) {
  constexpr int kKernel = Winograd::kKernel;
  static const std::vector<double> kPoints[] = {finite_points<Form<3>>(), finite_points<Form<4>>()};
  const std::vector<double>& points = kPoints[winograd.outputs - 3];
  const int n = winograd.inputs();
  double matrix[6][kKernel] = {};  // G: values of a parabola at the points, the last at infinity
  for (int i = 0; i < n - 1; ++i) {
    const double point = points[static_cast<std::size_t>(i)];
    double scale = 1;
    for (double other : points)
      if (other != point) scale *= point - other;
    matrix[i][0] = 1 / scale;
    for (int j = 1; j < kKernel; ++j) matrix[i][j] = matrix[i][j - 1] * point;
  }
  matrix[n - 1][kKernel - 1] = 1;
  std::array<double, Winograd::kMostProducts> result{};
  for (int y = 0; y < n; ++y)
    for (int x = 0; x < n; ++x)
      for (int i = 0; i < kKernel; ++i)
        for (int j = 0; j < kKernel; ++j)
          result[static_cast<std::size_t>(y * n + x)] +=
              matrix[y][i] * static_cast<double>(g[i * kKernel + j]) * matrix[x][j];
  return result;
}

void winograd_input(Winograd winograd, const float* const* pixels, std::int64_t channels, float* to,
                    std::int64_t plane) {
  (winograd.outputs == 3 ? input_3 : input_4)(pixels, channels, to, plane);
}

void winograd_output(Winograd winograd, const float* from, std::int64_t plane, std::int64_t channels,
                     const float* bias, const float* const* residual, const Clamp& clamp,
                     float* const* pixels) {
  (winograd.outputs == 3 ? output_3 : output_4)(from, plane, channels, bias, residual, clamp, pixels);
}

}  // namespace atrous

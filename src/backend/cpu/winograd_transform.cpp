// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/winograd_transform.h"

#include <span>

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

/// G: values of a parabola at the points, the last at infinity.
struct WeightMatrix {
  double rows[6][Winograd::kKernel] = {};

  explicit WeightMatrix(std::span<const double> points) {
    for (std::size_t i = 0; i < points.size(); ++i) {
      double scale = 1;
      for (double other : points)
        if (other != points[i]) scale *= points[i] - other;
      rows[i][0] = 1 / scale;
      for (int j = 1; j < Winograd::kKernel; ++j) rows[i][j] = rows[i][j - 1] * points[i];
    }
    rows[points.size()][Winograd::kKernel - 1] = 1;
  }
  template <typename F>
  static WeightMatrix of() {
    constexpr double kPoints[] = {0, F::p, -F::p, F::q, -F::q};
    return WeightMatrix(std::span(kPoints).subspan(1 - F::kFirst));
  }
};

/// In double precision: weights are transformed once.
template <typename F>
[[gnu::always_inline]] inline void weight_tile(const WeightMatrix& matrix, const float* weights,
                                               std::int64_t channels, float* to, std::int64_t plane) {
  typedef float Floats __attribute__((vector_size(32), aligned(4)));
  typedef double Doubles __attribute__((vector_size(64)));
  constexpr int n = F::kIn, k = Winograd::kKernel;
  for (std::int64_t c = 0; c < channels; c += 8) {
    Doubles columns[k][n] = {};  // [x][y]: G g
    for (int i = 0; i < k; ++i)
      for (int x = 0; x < k; ++x) {
        const Doubles weight = __builtin_convertvector(
            *reinterpret_cast<const Floats*>(weights + (i * k + x) * channels + c), Doubles);
        for (int y = 0; y < n; ++y) columns[x][y] += matrix.rows[y][i] * weight;
      }
    for (int y = 0; y < n; ++y)
      for (int x = 0; x < n; ++x) {
        Doubles product{};
        for (int j = 0; j < k; ++j) product += matrix.rows[x][j] * columns[j][y];
        *reinterpret_cast<Floats*>(to + (y * n + x) * plane + c) = __builtin_convertvector(product, Floats);
      }
  }
}

ATROUS_VECTORISE void weight_3(const WeightMatrix& matrix, const float* weights, std::int64_t channels,
                               float* to, std::int64_t plane) {
  weight_tile<Form<3>>(matrix, weights, channels, to, plane);
}
ATROUS_VECTORISE void weight_4(const WeightMatrix& matrix, const float* weights, std::int64_t channels,
                               float* to, std::int64_t plane) {
  weight_tile<Form<4>>(matrix, weights, channels, to, plane);
}

}  // namespace

void winograd_weight(Winograd winograd, const float* weights, std::int64_t channels, float* to,
                     std::int64_t plane) {
  static const WeightMatrix kMatrices[] = {WeightMatrix::of<Form<3>>(), WeightMatrix::of<Form<4>>()};
  (winograd.outputs == 3 ? weight_3 : weight_4)(kMatrices[winograd.outputs - 3], weights, channels, to,
                                                plane);
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

// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/winograd_transform.h"

#include <span>

#include "core/parallel.h"

namespace atrous {
namespace {

/// Channels in a register of the widest instruction set, or in several of another.
typedef float Block __attribute__((vector_size(64), aligned(4)));
constexpr std::int64_t kBlock = 16;

/// G, of which row i makes product i of one axis from the three weights.
struct WeightMatrix {
  double rows[6][Winograd::kKernel] = {};

  /// Values of a parabola at the points, the last at infinity.
  static constexpr WeightMatrix at(std::span<const double> points) {
    WeightMatrix matrix;
    for (std::size_t i = 0; i < points.size(); ++i) {
      double scale = 1;
      for (double other : points)
        if (other != points[i]) scale *= points[i] - other;
      matrix.rows[i][0] = 1 / scale;
      for (int j = 1; j < Winograd::kKernel; ++j) matrix.rows[i][j] = matrix.rows[i][j - 1] * points[i];
    }
    matrix.rows[points.size()][Winograd::kKernel - 1] = 1;
    return matrix;
  }
};

/// F(m x m, 3x3): its points and their powers. s: the index of p's product, 1 where the point 0 comes before
/// it.
template <int m>
struct Interpolated {
  static constexpr int kOut = m, kIn = m + 2, kProducts = m + 2, s = m - 3;
  static constexpr float p = m == 4 ? 0.625F : 0.5F, q = m == 4 ? 1.5F : 1.25F;
  static constexpr float p2 = p * p, q2 = q * q, p3 = p2 * p, q3 = q2 * q;

  static constexpr WeightMatrix weight_matrix() {
    constexpr double kPoints[] = {0, p, -p, q, -q};
    return WeightMatrix::at(std::span(kPoints).subspan(1 - s));
  }

  /// One row of B^T a line: the polynomials that vanish at all points but one.
  [[gnu::always_inline]] static void input(const Block (&d)[kIn], Block (&to)[kProducts]) {
    const Block p_odd = d[s + 3] - q2 * d[s + 1], p_even = p * (d[s + 2] - q2 * d[s]),
                q_odd = d[s + 3] - p2 * d[s + 1], q_even = q * (d[s + 2] - p2 * d[s]);
    if constexpr (s == 1) to[0] = p2 * q2 * d[0] - (p2 + q2) * d[2] + d[4];
    to[s] = p_odd + p_even;
    to[s + 1] = p_odd - p_even;
    to[s + 2] = q_odd + q_even;
    to[s + 3] = q_odd - q_even;
    to[s + 4] = p2 * q2 * d[s] - (p2 + q2) * d[s + 2] + d[s + 4];
  }

  /// One row of A^T a line: powers of the points.
  [[gnu::always_inline]] static void output(const Block (&products)[kProducts], Block (&to)[kOut]) {
    const Block p_even = products[s] + products[s + 1], p_odd = products[s] - products[s + 1],
                q_even = products[s + 2] + products[s + 3], q_odd = products[s + 2] - products[s + 3];
    to[0] = p_even + q_even;
    if constexpr (s == 1) to[0] += products[0];
    to[1] = p * p_odd + q * q_odd;
    to[2] = p2 * p_even + q2 * q_even;
    if constexpr (kOut == 4) to[3] = p3 * p_odd + q3 * q_odd;
    to[kOut - 1] += products[s + 4];
  }
};

/// Whole maps, as winograd_transform.h says.
template <int m>
struct Whole;

template <>
struct Whole<2> {
  static constexpr int kOut = 2, kIn = 2, kProducts = 3;

  static constexpr WeightMatrix weight_matrix() { return {{{0, 1, 0}, {0, -1, 1}, {1, -1, 0}}}; }
  [[gnu::always_inline]] static void input(const Block (&d)[kIn], Block (&to)[kProducts]) {
    to[0] = d[0] + d[1], to[1] = d[1], to[2] = d[0];
  }
  [[gnu::always_inline]] static void output(const Block (&m)[kProducts], Block (&to)[kOut]) {
    to[0] = m[0] + m[1], to[1] = m[0] + m[2];
  }
};

template <>
struct Whole<3> {
  static constexpr int kOut = 3, kIn = 3, kProducts = 4;

  static constexpr WeightMatrix weight_matrix() {
    constexpr double a = 1.0 / 6, b = 0.5;
    return {{{a, 1.5 * a, a}, {-a, 1.5 * a, -a}, {b, -0.5 * b, -b}, {-b, -0.5 * b, b}}};
  }
  [[gnu::always_inline]] static void input(const Block (&d)[kIn], Block (&to)[kProducts]) {
    const Block sum = d[0] + d[2], difference = d[0] - d[2];
    to[0] = 1.5F * d[1] + sum, to[1] = 1.5F * d[1] - sum;
    to[2] = 0.5F * d[1] + difference, to[3] = 0.5F * d[1] - difference;
  }
  [[gnu::always_inline]] static void output(const Block (&m)[kProducts], Block (&to)[kOut]) {
    const Block outer = m[0] - m[1], difference = m[2] - m[3];
    to[0] = outer - difference;
    to[1] = 1.5F * (m[0] + m[1]) + 0.5F * (m[2] + m[3]);
    to[2] = outer + difference;
  }
};

template <typename F>
[[gnu::always_inline]] inline void input_tile(const float* const* pixels, std::int64_t channels, float* to,
                                              std::int64_t plane) {
  constexpr int n = F::kProducts, in = F::kIn;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    Block columns[in][n];  // [x][y]: B^T d
    for (int x = 0; x < in; ++x) {
      Block column[in];
      for (int y = 0; y < in; ++y) column[y] = *reinterpret_cast<const Block*>(pixels[y * in + x] + c);
      F::input(column, columns[x]);
    }
    for (int y = 0; y < n; ++y) {
      Block row[in], products[n];
      for (int x = 0; x < in; ++x) row[x] = columns[x][y];
      F::input(row, products);
      for (int x = 0; x < n; ++x) *reinterpret_cast<Block*>(to + (y * n + x) * plane + c) = products[x];
    }
  }
}

template <typename F>
[[gnu::always_inline]] inline void output_tile(const float* from, std::int64_t plane, std::int64_t channels,
                                               const float* bias, const float* const* residual,
                                               const Clamp& clamp, float* const* pixels) {
  constexpr int n = F::kProducts, m = F::kOut;
  const Block low = Block{} + clamp.low, high = Block{} + clamp.high;
  for (std::int64_t c = 0; c < channels; c += kBlock) {
    Block columns[n][m];  // [x][y]: A^T m
    for (int x = 0; x < n; ++x) {
      Block column[n];
      for (int y = 0; y < n; ++y) column[y] = *reinterpret_cast<const Block*>(from + (y * n + x) * plane + c);
      F::output(column, columns[x]);
    }
    const Block added = *reinterpret_cast<const Block*>(bias + c);
    for (int y = 0; y < m; ++y) {
      Block row[n], sums[m];
      for (int x = 0; x < n; ++x) row[x] = columns[x][y];
      F::output(row, sums);
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

/// In double precision: weights are transformed once.
template <typename F>
[[gnu::always_inline]] inline void weight_tile(const float* weights, std::int64_t channels, float* to,
                                               std::int64_t plane) {
  typedef float Floats __attribute__((vector_size(32), aligned(4)));
  typedef double Doubles __attribute__((vector_size(64)));
  constexpr int n = F::kProducts, k = Winograd::kKernel;
  constexpr WeightMatrix matrix = F::weight_matrix();
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

/// f(form), inlined as it must be to be compiled for the caller's instruction set.
template <typename F>
[[gnu::always_inline]] inline void with_form(Winograd winograd, const F& f) {
  switch (winograd.products()) {
    case 36:
      return f(Interpolated<4>());
    case 25:
      return f(Interpolated<3>());
    case 16:
      return f(Whole<3>());
    default:
      return f(Whole<2>());
  }
}

}  // namespace

ATROUS_VECTORISE void winograd_weight(Winograd winograd, const float* weights, std::int64_t channels,
                                      float* to, std::int64_t plane) {
  with_form(
      winograd, [&](auto form) __attribute__((always_inline)) {
        weight_tile<decltype(form)>(weights, channels, to, plane);
      });
}

ATROUS_VECTORISE void winograd_input(Winograd winograd, const float* const* pixels, std::int64_t channels,
                                     float* to, std::int64_t plane) {
  with_form(
      winograd, [&](auto form) __attribute__((always_inline)) {
        input_tile<decltype(form)>(pixels, channels, to, plane);
      });
}

ATROUS_VECTORISE void winograd_output(Winograd winograd, const float* from, std::int64_t plane,
                                      std::int64_t channels, const float* bias, const float* const* residual,
                                      const Clamp& clamp, float* const* pixels) {
  with_form(
      winograd, [&](auto form) __attribute__((always_inline)) {
        output_tile<decltype(form)>(from, plane, channels, bias, residual, clamp, pixels);
      });
}

}  // namespace atrous

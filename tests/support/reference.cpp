// SPDX-License-Identifier: Apache-2.0
#include "support/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/parallel.h"

namespace atrous::test {
namespace {

using Inputs = std::span<const RefTensor>;
using Constants = std::vector<std::vector<double>>;

double activate(const ActivationParams& p, double x) {
  switch (p.kind) {
    case ActivationKind::none:
      return x;
    case ActivationKind::relu:
      return std::max(x, 0.0);
    case ActivationKind::relu6:
      return std::clamp(x, 0.0, 6.0);
    case ActivationKind::leaky_relu:
      return x > 0 ? x : p.alpha * x;
    case ActivationKind::sigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::hardsigmoid:
      return std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case ActivationKind::hardswish:
      return x * std::clamp(x / 6 + 0.5, 0.0, 1.0);
    case ActivationKind::silu:
      return x / (1 + std::exp(-x));
    case ActivationKind::gelu_erf:
      return x * std::erfc(-x / std::sqrt(2.0)) / 2;
    case ActivationKind::gelu_tanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * std::pow(x, 3))));
    case ActivationKind::tanh:
      return std::tanh(x);
    case ActivationKind::clip:
      return std::clamp<double>(x, p.alpha, p.beta);
  }
  return x;
}

/// Calls f(n, y, x, c) for every element in memory order and stores what it returns.
template <typename F>
RefTensor fill(const Shape& shape, const F& f) {
  RefTensor out{shape, {}};
  for (std::int64_t n = 0; n < shape.n; ++n)
    for (std::int64_t y = 0; y < shape.h; ++y)
      for (std::int64_t x = 0; x < shape.w; ++x)
        for (std::int64_t c = 0; c < shape.c; ++c) out.values.push_back(f(n, y, x, c));
  return out;
}

/// Leading padding along one axis; SAME puts the odd element behind.
std::int64_t leading(bool same, int given, std::int64_t in, std::int64_t out, int k, int s, int d) {
  if (!same) return given;
  return std::max<std::int64_t>(0, (out - 1) * s + (k - 1) * d + 1 - in) / 2;
}

ATROUS_VECTORISE double dot(const double* a, const double* b, std::int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

RefTensor compute(const Conv2dParams& p, Inputs in, const Constants& k, const Shape& out) {
  const Shape& s = in[0].shape;
  const std::int64_t groups = p.groups == 0 ? s.c : p.groups, ic = s.c / groups, oc = out.c / groups;
  const std::int64_t top = leading(p.padding.same, p.padding.top, s.h, out.h, p.kh, p.sh, p.dh);
  const std::int64_t left = leading(p.padding.same, p.padding.left, s.w, out.w, p.kw, p.sw, p.dw);
  const std::int64_t taps = std::int64_t{p.kh} * p.kw;
  std::vector<double> weights;  // [oc][kh][kw][ic], given as [oc][ic][kh][kw]
  for (std::int64_t o = 0; o < out.c; ++o)
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (std::int64_t i = 0; i < ic; ++i)
        weights.push_back(k[0][static_cast<std::size_t>((o * ic + i) * taps + tap)]);
  return fill(out, [&](auto n, auto y, auto x, auto o) {
    double sum = p.has_bias ? k[1][static_cast<std::size_t>(o)] : 0;
    for (std::int64_t ky = 0; ky < p.kh; ++ky)
      for (std::int64_t kx = 0; kx < p.kw; ++kx) {
        const std::int64_t iy = y * p.sh - top + ky * p.dh, ix = x * p.sw - left + kx * p.dw;
        if (iy < 0 || ix < 0 || iy >= s.h || ix >= s.w) continue;
        const double* pixel = &in[0].values[static_cast<std::size_t>(((n * s.h + iy) * s.w + ix) * s.c)];
        sum += dot(pixel + o / oc * ic, &weights[static_cast<std::size_t>((o * taps + ky * p.kw + kx) * ic)],
                   ic);
      }
    if (p.has_residual) sum += in[1].at(n, y, x, o);
    return activate(p.activation, sum);
  });
}

RefTensor compute(const FullyConnectedParams& p, Inputs in, const Constants& k, const Shape& out) {
  const Shape& s = in[0].shape;
  return fill(out, [&](auto n, auto, auto, auto o) {
    double sum = p.has_bias ? k[1][static_cast<std::size_t>(o)] : 0;
    for (std::int64_t c = 0; c < s.c; ++c)
      for (std::int64_t y = 0; y < s.h; ++y)
        for (std::int64_t x = 0; x < s.w; ++x)
          sum += in[0].at(n, y, x, c) * k[0][static_cast<std::size_t>(((o * s.c + c) * s.h + y) * s.w + x)];
    return activate(p.activation, sum);
  });
}

RefTensor compute(const BatchNormParams& p, Inputs in, const Constants& k, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    const auto i = static_cast<std::size_t>(c);
    return (in[0].at(n, y, x, c) - k[2][i]) / std::sqrt(k[3][i] + p.eps) * k[0][i] + k[1][i];
  });
}

RefTensor compute(const ActivationParams& p, Inputs in, const Constants&, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto c) { return activate(p, in[0].at(n, y, x, c)); });
}

RefTensor compute(const BinaryParams& p, Inputs in, const Constants&, const Shape& out) {
  auto get = [](const RefTensor& t, auto n, auto y, auto x, auto c) {
    const Shape& s = t.shape;
    return t.at(s.n == 1 ? 0 : n, s.h == 1 ? 0 : y, s.w == 1 ? 0 : x, s.c == 1 ? 0 : c);
  };
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    const double a = get(in[0], n, y, x, c),
                 b = p.has_scalar ? static_cast<double>(p.scalar) : get(in[1], n, y, x, c);
    switch (p.kind) {
      case BinaryKind::add:
        return a + b;
      case BinaryKind::sub:
        return a - b;
      case BinaryKind::mul:
        return a * b;
      case BinaryKind::div:
        return a / b;
      case BinaryKind::max:
        return std::max(a, b);
      case BinaryKind::min:
        return std::min(a, b);
    }
    return 0.0;
  });
}

/// The positions of one window along an axis that lie inside the input, and what an average counts along it.
struct Window {
  std::vector<std::int64_t> inside;
  double counted = 0;
};

Window window(const Pool2dParams& p, bool rows, std::int64_t o, std::int64_t in, std::int64_t out) {
  Window w;
  if (p.global || p.bins_h > 0) {
    const std::int64_t bins = p.global ? 1 : out;
    for (std::int64_t i = 0; i < in; ++i)  // bin [floor(o*in/bins), ceil((o+1)*in/bins))
      if (i >= o * in / bins && i * bins < (o + 1) * in) w.inside.push_back(i);
    w.counted = static_cast<double>(w.inside.size());
    return w;
  }
  const int k = rows ? p.kh : p.kw, s = rows ? p.sh : p.sw, d = rows ? p.dh : p.dw;
  const std::int64_t begin = leading(p.padding.same, rows ? p.padding.top : p.padding.left, in, out, k, s, d);
  std::int64_t end = rows ? p.padding.bottom : p.padding.right;
  if (p.padding.same) end = std::max<std::int64_t>(0, (out - 1) * s + (k - 1) * d + 1 - in) - begin;
  for (int i = 0; i < k; ++i) {
    const std::int64_t at = o * s - begin + i * d;
    if (at >= 0 && at < in) w.inside.push_back(at);
    if (p.count_include_pad ? at < in + end : (at >= 0 && at < in)) w.counted += 1;
  }
  return w;
}

RefTensor compute(const Pool2dParams& p, Inputs in, const Constants&, const Shape& out) {
  const Shape& s = in[0].shape;
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    const Window rows = window(p, true, y, s.h, out.h), columns = window(p, false, x, s.w, out.w);
    double best = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t iy : rows.inside)
      for (std::int64_t ix : columns.inside) {
        best = std::max(best, in[0].at(n, iy, ix, c));
        sum += in[0].at(n, iy, ix, c);
      }
    return p.kind == PoolKind::max ? best : sum / (rows.counted * columns.counted);
  });
}

RefTensor compute(const ResizeParams& p, Inputs in, const Constants&, const Shape& out) {
  const Shape& s = in[0].shape;
  const bool corners = p.coordinates == ResizeCoordinates::align_corners;
  auto position = [&](std::int64_t o, std::int64_t from, std::int64_t to) {
    const auto f = static_cast<double>(from), t = static_cast<double>(to), x = static_cast<double>(o);
    if (corners) return to > 1 ? x * (f - 1) / (t - 1) : 0.0;
    return p.mode == ResizeMode::nearest ? (x + 0.5) * f / t
                                         : std::clamp((x + 0.5) * f / t - 0.5, 0.0, f - 1);
  };
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    const double fy = position(y, s.h, out.h), fx = position(x, s.w, out.w);
    if (p.mode == ResizeMode::nearest) {
      const double half = corners ? 0.5 : 0;
      return in[0].at(n, std::min(static_cast<std::int64_t>(fy + half), s.h - 1),
                      std::min(static_cast<std::int64_t>(fx + half), s.w - 1), c);
    }
    const auto y0 = static_cast<std::int64_t>(fy), x0 = static_cast<std::int64_t>(fx);
    const std::int64_t y1 = std::min(y0 + 1, s.h - 1), x1 = std::min(x0 + 1, s.w - 1);
    const double ty = fy - static_cast<double>(y0), tx = fx - static_cast<double>(x0);
    return (1 - ty) * ((1 - tx) * in[0].at(n, y0, x0, c) + tx * in[0].at(n, y0, x1, c)) +
           ty * ((1 - tx) * in[0].at(n, y1, x0, c) + tx * in[0].at(n, y1, x1, c));
  });
}

RefTensor compute(const PadParams& p, Inputs in, const Constants&, const Shape& out) {
  const Shape& s = in[0].shape;
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    const std::int64_t iy = y - p.top, ix = x - p.left;
    return iy < 0 || ix < 0 || iy >= s.h || ix >= s.w ? static_cast<double>(p.value) : in[0].at(n, iy, ix, c);
  });
}

RefTensor compute(const ConcatParams&, Inputs in, const Constants&, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    std::size_t i = 0;
    for (; c >= in[i].shape.c; ++i) c -= in[i].shape.c;
    return in[i].at(n, y, x, c);
  });
}

RefTensor compute(const SliceParams& p, Inputs in, const Constants&, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    return in[0].at(n, y + (p.axis == Axis::h ? p.begin : 0), x + (p.axis == Axis::w ? p.begin : 0),
                    c + (p.axis == Axis::c ? p.begin : 0));
  });
}

RefTensor compute(const SoftmaxParams&, Inputs in, const Constants&, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    double sum = 0;
    for (std::int64_t k = 0; k < out.c; ++k) sum += std::exp(in[0].at(n, y, x, k) - in[0].at(n, y, x, c));
    return 1 / sum;
  });
}

RefTensor compute(const ArgmaxParams&, Inputs in, const Constants&, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto) {
    std::int64_t best = 0;
    for (std::int64_t k = 1; k < in[0].shape.c; ++k)
      if (in[0].at(n, y, x, k) > in[0].at(n, y, x, best)) best = k;
    return static_cast<double>(best);
  });
}

RefTensor compute(const ReduceMeanParams& p, Inputs in, const Constants&, const Shape& out) {
  const Shape& s = in[0].shape;
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    double sum = 0;
    if (p.over_hw) {
      for (std::int64_t i = 0; i < s.h * s.w; ++i) sum += in[0].at(n, i / s.w, i % s.w, c);
      return sum / static_cast<double>(s.h * s.w);
    }
    for (std::int64_t k = 0; k < s.c; ++k) sum += in[0].at(n, y, x, k);
    return sum / static_cast<double>(s.c);
  });
}

RefTensor compute(const LrnParams& p, Inputs in, const Constants&, const Shape& out) {
  return fill(out, [&](auto n, auto y, auto x, auto c) {
    double squares = 0;
    for (std::int64_t k = c - p.size / 2; k <= c + p.size / 2; ++k)
      if (k >= 0 && k < out.c) squares += std::pow(in[0].at(n, y, x, k), 2);
    return in[0].at(n, y, x, c) / std::pow(p.k + static_cast<double>(p.alpha) / p.size * squares, p.beta);
  });
}

RefTensor compute(const PyramidParams& p, Inputs in, const Constants& k, const Shape& out) {
  RefTensor result{out, std::vector<double>(static_cast<std::size_t>(out.elements()))};
  std::int64_t channel = 0;
  std::size_t constant = 0;
  int index = 0;
  for (Conv2dParams branch : p.branches) {
    if (p.sum) branch.activation = {};
    Constants own(1 + (branch.has_bias ? 1 : 0));
    for (std::vector<double>& values : own) values = k[constant++];
    RefTensor part;
    if (index++ == p.pooled) {
      const Shape& s = in[0].shape;
      const RefTensor mean = compute(ReduceMeanParams{}, in, {}, {s.n, 1, 1, s.c});
      const RefTensor one = compute(branch, std::vector<RefTensor>{mean}, own, {out.n, 1, 1, branch.oc});
      part = fill({out.n, out.h, out.w, branch.oc},
                  [&](auto n, auto, auto, auto c) { return one.at(n, 0, 0, c); });
    } else {
      part = compute(branch, in, own, {out.n, out.h, out.w, branch.oc});
    }
    for (std::int64_t i = 0; i < out.pixels(); ++i)
      for (std::int64_t c = 0; c < branch.oc; ++c)
        result.values[static_cast<std::size_t>(i * out.c + channel + c)] +=
            part.values[static_cast<std::size_t>(i * branch.oc + c)];
    if (!p.sum) channel += branch.oc;
  }
  if (p.sum)
    for (double& value : result.values) value = activate(p.branches.back().activation, value);
  return result;
}

RefTensor compute(const SeparableParams& p, Inputs in, const Constants& k, const Shape& out) {
  const auto constants = k.begin() + (p.depthwise.has_bias ? 2 : 1);
  std::vector<RefTensor> second(in.begin(), in.end());
  second[0] = compute(p.depthwise, in, {k.begin(), constants}, {out.n, out.h, out.w, in[0].shape.c});
  return compute(p.pointwise, second, {constants, k.end()}, out);
}

/// What a map's pixel gets of a mask [p.mh, p.mw] at m, pasted into this box.
double pasted(const TemplateMorphParams& p, const double* m, const double* box, double y, double x) {
  auto position = [](double pixel, double extent, double centre, double side) {
    if (!std::isfinite(centre) || !std::isfinite(side) || side < static_cast<double>(kLeastMorphSide))
      return -1.0;
    return ((pixel + 0.5) / extent - centre) / side + 0.5;
  };
  const double u = position(x, p.ow, box[0], box[2]), t = position(y, p.oh, box[1], box[3]);
  if (!(u >= 0 && u < 1 && t >= 0 && t < 1)) return 0;
  const double column = u * p.mw - 0.5, row = t * p.mh - 0.5;
  double sum = 0;
  for (int j = 0; j < p.mh; ++j)
    for (int i = 0; i < p.mw; ++i)
      sum += std::max(0.0, 1 - std::abs(row - j)) * std::max(0.0, 1 - std::abs(column - i)) * m[j * p.mw + i];
  return std::clamp(box[4], 0.0, 1.0) * sum;
}

RefTensor compute(const TemplateMorphParams& p, Inputs in, const Constants& k, const Shape& out) {
  const auto size = static_cast<std::size_t>(p.mh * p.mw);
  RefTensor result{out, {}};
  for (std::int64_t n = 0; n < out.n; ++n) {
    std::vector<double> masks(p.templates.size() * size);
    std::int64_t next = 0;
    for (std::size_t label = 0; label < p.templates.size(); ++label) {
      double* mask = masks.data() + label * size;
      for (int t = 0; t < p.templates[label]; ++t, ++next)
        for (std::size_t i = 0; i < size; ++i)
          mask[i] += in[0].at(n, 0, 0, next) * k[0][static_cast<std::size_t>(next) * size + i];
      for (std::size_t i = 0; i < size; ++i) mask[i] = std::clamp(mask[i], 0.0, 1.0);
    }
    for (std::int64_t y = 0; y < out.h; ++y)
      for (std::int64_t x = 0; x < out.w; ++x) {
        std::vector<double> pixel{1};
        double sum = 0;
        for (std::size_t label = 0; label < p.templates.size(); ++label) {
          const std::size_t box = static_cast<std::size_t>(n * in[1].shape.c) + 5 * label;
          pixel.push_back(pasted(p, masks.data() + label * size, in[1].values.data() + box,
                                 static_cast<double>(y), static_cast<double>(x)));
          pixel[0] *= 1 - pixel.back();
          sum += pixel.back();
        }
        for (double value : pixel) result.values.push_back(value / (sum + pixel[0]));
      }
  }
  return result;
}

RefTensor compute(const IdentityParams&, Inputs in, const Constants&, const Shape&) { return in[0]; }
RefTensor compute(const ConvertParams&, Inputs in, const Constants&, const Shape&) { return in[0]; }
RefTensor compute(const InputParams&, Inputs in, const Constants&, const Shape&) { return in[0]; }
RefTensor compute(const std::monostate&, Inputs, const Constants&, const Shape&) { return {}; }

}  // namespace

RefTensor reference(const OpParams& params, Inputs inputs, const Constants& constants, const Shape& output) {
  return std::visit([&](const auto& p) { return compute(p, inputs, constants, output); }, params);
}

}  // namespace atrous::test

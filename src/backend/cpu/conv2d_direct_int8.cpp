// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_direct_int8.h"

#include <algorithm>

#include "backend/cpu/activate.h"
#include "backend/cpu/convert_rows.h"
#include "backend/cpu/kernel_of.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// Sums of one output pixel, [oc], over the taps inside the input.
template <typename Integer>
void sum_taps(const Conv2dParams& p, const TensorDesc& in, const Integer* image, std::int64_t top,
              std::int64_t left, const std::int8_t* weight, std::int32_t* sums) {
  const std::int64_t ic = in.shape.c / p.groups, oc = p.oc / p.groups;
  std::fill_n(sums, p.oc, 0);
  for (int i = 0; i < p.kh; ++i)
    for (int j = 0; j < p.kw; ++j) {
      const std::int64_t y = top + std::int64_t{i} * p.dh, x = left + std::int64_t{j} * p.dw;
      if (y < 0 || y >= in.shape.h || x < 0 || x >= in.shape.w) continue;
      const Integer* pixel = image + (y * in.shape.w + x) * in.pitch;
      for (std::int64_t o = 0; o < p.oc; ++o)
        for (std::int64_t c = 0; c < ic; ++c)
          sums[o] += pixel[o / oc * ic + c] * weight[((o * ic + c) * p.kh + i) * p.kw + j];
    }
}

class DirectInt8Kernel : public Kernel {
 public:
  explicit DirectInt8Kernel(const NodeDesc& node)
      : p_(resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape)),
        in_(node.inputs[0]),
        residual_(node.inputs.back()),
        out_(node.output),
        weight_(node.constant("weight")->tensor),
        steps_(node.constant("weight")->scale),
        bias_(static_cast<std::size_t>(p_.oc)) {
    for (float& step : steps_) step *= in_.scale;
    if (p_.has_bias) bias_ = node.constant("bias")->read_f32();
  }

  /// Sums, values and residuals of one pixel, a row each.
  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(out_.shape.n * out_.shape.h * p_.oc) *
           (sizeof(std::int32_t) + 2 * sizeof(float));
  }

  void run(const KernelArgs& args) const override {
    const std::int64_t rows = out_.shape.n * out_.shape.h;
    auto* sums = static_cast<std::int32_t*>(args.workspace);
    auto* values = reinterpret_cast<float*>(sums + rows * p_.oc);
    parallel_for(rows, [&](std::int64_t row) {
      for (std::int64_t x = 0; x < out_.shape.w; ++x)
        make_pixel(args, row, x, sums + row * p_.oc, values + 2 * row * p_.oc);
    });
  }

 private:
  static std::int64_t bytes(const TensorDesc& desc, std::int64_t pixel) {
    return pixel * desc.pitch * static_cast<std::int64_t>(size_of(desc.dtype));
  }

  void make_pixel(const KernelArgs& args, std::int64_t row, std::int64_t x, std::int32_t* sums,
                  float* values) const {
    const std::int64_t top = row % out_.shape.h * p_.sh - p_.padding.top, left = x * p_.sw - p_.padding.left,
                       pixel = row * out_.shape.w + x;
    const auto* image = static_cast<const std::byte*>(args.inputs[0]) +
                        bytes(in_, row / out_.shape.h * in_.shape.h * in_.shape.w);
    const auto* weight = reinterpret_cast<const std::int8_t*>(weight_.data.get());
    if (in_.dtype == DType::u8)
      sum_taps(p_, in_, reinterpret_cast<const std::uint8_t*>(image), top, left, weight, sums);
    else
      sum_taps(p_, in_, reinterpret_cast<const std::int8_t*>(image), top, left, weight, sums);
    float* added = values + p_.oc;
    if (p_.has_residual)
      to_f32_row(static_cast<const std::byte*>(args.inputs.back()) + bytes(residual_, pixel), residual_,
                 added, p_.oc);
    else
      std::fill_n(added, p_.oc, 0.0F);
    for (std::int64_t o = 0; o < p_.oc; ++o) {
      const auto i = static_cast<std::size_t>(o);
      values[o] = static_cast<float>(sums[o]) * steps_[i] + bias_[i] + added[o];
    }
    if (p_.activation.kind != ActivationKind::none) activate(p_.activation, values, values, p_.oc);
    from_f32_row(values, out_, static_cast<std::byte*>(args.output) + bytes(out_, pixel), p_.oc);
  }

  Conv2dParams p_;
  TensorDesc in_, residual_, out_;
  TensorRef weight_;  ///< s8 [oc, ic / groups, kh, kw]
  std::vector<float> steps_, bias_;
};

}  // namespace

std::string refuse_direct_int8(const NodeDesc& node) {
  return node.inputs[0].is_quantised() ? "" : "for 8-bit activations only";
}

std::unique_ptr<Kernel> prepare_direct_int8(const NodeDesc& node, PrepareContext&) {
  return std::make_unique<DirectInt8Kernel>(node);
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "backend/cpu/activate.h"
#include "backend/cpu/conv2d_direct_int8.h"
#include "backend/cpu/conv2d_implicit_gemm.h"
#include "backend/cpu/conv2d_onednn.h"
#include "backend/cpu/conv2d_widened.h"
#include "backend/cpu/conv2d_winograd.h"
#include "backend/cpu/kernel_of.h"
#include "backend/cpu/taps.h"
#include "core/error.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

ATROUS_VECTORISE void multiply_add_row(const float* a, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += a[i] * b[i];
}
ATROUS_VECTORISE void scaled_add_row(float factor, const float* b, float* out, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] += factor * b[i];
}

/// Walks the output; `tap(pixel, tap index, accumulators)` adds one tap of the window to one output pixel.
template <typename Tap>
std::unique_ptr<Kernel> direct_kernel(const NodeDesc& node, const Conv2dParams& p, const Tap& tap) {
  const Constant* constant = node.constant("bias");
  const std::vector<float> bias =
      constant != nullptr ? constant->read_f32() : std::vector<float>(static_cast<std::size_t>(p.oc));
  return kernel_of([p, tap, bias, in = node.inputs[0], residual = node.inputs.back(),
                    out = node.output](const KernelArgs& args) {
    parallel_for(out.shape.n * out.shape.h, [&](std::int64_t row) {
      const std::int64_t top = row % out.shape.h * p.sh - p.padding.top;
      const float* image = input_of(args) + row / out.shape.h * in.shape.h * in.shape.w * in.pitch;
      const Taps rows = taps_inside(top, in.shape.h, p.kh, p.dh);
      for (std::int64_t x = 0; x < out.shape.w; ++x) {
        const std::int64_t left = x * p.sw - p.padding.left, pixel = row * out.shape.w + x;
        const Taps columns = taps_inside(left, in.shape.w, p.kw, p.dw);
        float* to = output_of(args) + pixel * out.pitch;
        std::copy(bias.begin(), bias.end(), to);
        for (std::int64_t i = rows.first; i < rows.last; ++i)
          for (std::int64_t j = columns.first; j < columns.last; ++j)
            tap(image + ((top + i * p.dh) * in.shape.w + left + j * p.dw) * in.pitch, i * p.kw + j, to);
        if (p.has_residual)
          scaled_add_row(1, input_of(args, args.inputs.size() - 1) + pixel * residual.pitch, to, p.oc);
        if (p.activation.kind != ActivationKind::none) activate(p.activation, to, to, p.oc);
      }
    });
  });
}

Conv2dParams resolved(const NodeDesc& node) {
  return resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
}

/// Weights as [tap][ic of the group][oc], oc fastest, shared by all plans.
std::shared_ptr<DeviceMemory> tap_major_weights(const NodeDesc& node, PrepareContext& context,
                                                const Conv2dParams& p) {
  return context.weights.get_or_make(std::string(node.name) + "|tap_major", [&] {
    const std::vector<float> weight = node.constant("weight")->read_f32();
    std::shared_ptr<DeviceMemory> memory = allocate_host(weight.size() * sizeof(float));
    auto* packed = reinterpret_cast<float*>(memory->data());
    const auto taps = static_cast<std::size_t>(p.kh * p.kw), oc = static_cast<std::size_t>(p.oc),
               ic = weight.size() / taps / oc;
    for (std::size_t o = 0; o < oc; ++o)
      for (std::size_t i = 0; i < ic; ++i)
        for (std::size_t t = 0; t < taps; ++t)
          packed[(t * ic + i) * oc + o] = weight[(o * ic + i) * taps + t];
    return memory;
  });
}

std::string refuse_narrow(const NodeDesc& node) {
  return node.inputs[0].dtype == DType::f32 ? "" : "for f32 activations only";
}

std::string refuse_depthwise(const NodeDesc& node) {
  if (std::string reason = refuse_narrow(node); !reason.empty()) return reason;
  const Conv2dParams p = resolved(node);
  return p.groups == node.inputs[0].shape.c && p.oc == p.groups
             ? ""
             : "for one input and output channel a group only";
}

std::unique_ptr<Kernel> prepare_depthwise(const NodeDesc& node, PrepareContext& context) {
  const Conv2dParams p = resolved(node);
  return direct_kernel(
      node, p,
      [memory = tap_major_weights(node, context, p), p](const float* in, std::int64_t tap, float* out) {
        multiply_add_row(in, reinterpret_cast<const float*>(memory->data()) + tap * p.oc, out, p.oc);
      });
}

std::unique_ptr<Kernel> prepare_direct(const NodeDesc& node, PrepareContext& context) {
  const Conv2dParams p = resolved(node);
  const std::int64_t ic = node.inputs[0].shape.c / p.groups, oc = p.oc / p.groups;
  return direct_kernel(node, p,
                       [memory = tap_major_weights(node, context, p), p, ic, oc](
                           const float* in, std::int64_t tap, float* out) {
                         const float* weight =
                             reinterpret_cast<const float*>(memory->data()) + tap * ic * p.oc;
                         for (std::int64_t g = 0; g < p.groups; ++g)
                           for (std::int64_t i = 0; i < ic; ++i)
                             scaled_add_row(in[g * ic + i], weight + i * p.oc + g * oc, out + g * oc, oc);
                       });
}

template <Winograd form>
std::string refuse_winograd(const NodeDesc& node) {
  return refuse_winograd(form, node);
}
template <Winograd form>
std::unique_ptr<Kernel> prepare_winograd(const NodeDesc& node, PrepareContext& context) {
  return prepare_winograd(form, node, context);
}
template <Winograd form>
constexpr Implementation winograd(std::string_view name) {
  return {name, refuse_winograd<form>, prepare_winograd<form>};
}

constexpr Implementation kConv[] = {winograd<Winograd{4}>("winograd_f4x3"),
                                    winograd<Winograd{3}>("winograd_f3x3"),
                                    winograd<Winograd{3, true}>("winograd_whole3"),
                                    winograd<Winograd{2, true}>("winograd_whole2"),
                                    {"implicit_gemm", refuse_implicit_gemm, prepare_implicit_gemm},
                                    {"onednn", refuse_conv2d_onednn, prepare_conv2d_onednn},
                                    {"depthwise_direct", refuse_depthwise, prepare_depthwise},
                                    {"direct", refuse_narrow, prepare_direct},
                                    {"direct_int8", refuse_direct_int8, prepare_direct_int8},
                                    {"widened", refuse_widened, prepare_widened}};

/// Calls Function, a convolution's refuse or prepare, with the dense layer as the convolution whose window is
/// the whole input.
template <auto Function, typename... Context>
auto as_conv(const NodeDesc& node, Context&... context) {
  const OpParams params = as_conv2d(std::get<FullyConnectedParams>(node.params), node.inputs[0].shape);
  return Function({node.name, params, node.inputs, node.output, node.constants}, context...);
}

constexpr Implementation kFullyConnected[] = {
    {"onednn", as_conv<refuse_conv2d_onednn>, as_conv<prepare_conv2d_onednn, PrepareContext>},
    {"direct", accept_all, as_conv<prepare_direct, PrepareContext>}};

}  // namespace

std::span<const Implementation> cpu_conv2d() { return kConv; }
/// None: the branches stay convolutions, each as fast alone.
std::span<const Implementation> cpu_pyramid() { return {}; }
/// None: the two stay convolutions.
std::span<const Implementation> cpu_separable() { return {}; }
std::span<const Implementation> cpu_fully_connected() { return kFullyConnected; }

}  // namespace atrous

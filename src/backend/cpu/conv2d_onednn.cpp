// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_onednn.h"

#include <fmt/format.h>

#include <optional>

#include "backend/cpu/kernel_of.h"
#include "backend/cpu/onednn_compat.h"
#include "core/error.h"
#include "core/large_vector.h"
#include "core/parallel.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

using dnnl::memory;

ErrorCode code_of(dnnl_status_t status) {
  return status == dnnl_out_of_memory ? ErrorCode::out_of_memory : ErrorCode::internal;
}

/// Without oneDNN's cache of primitives, which a lack of memory breaks for good; plans keep theirs.
const dnnl::engine& engine() {
  static const dnnl::engine kEngine = [] {
    dnnl::set_primitive_cache_capacity(0);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return kEngine;
}

memory::data_type type_of(DType dtype) {
  return dtype == DType::u8     ? memory::data_type::u8
         : dtype == DType::s8   ? memory::data_type::s8
         : dtype == DType::bf16 ? memory::data_type::bf16
                                : memory::data_type::f32;
}

memory::desc nhwc(const TensorDesc& tensor) {
  const Shape& s = tensor.shape;
  return {{s.n, s.c, s.h, s.w}, type_of(tensor.dtype), memory::format_tag::nhwc};
}

memory::dims weight_dims(const Conv2dParams& p, std::int64_t ic) {
  if (p.groups == 1) return {p.oc, ic, p.kh, p.kw};
  return {p.groups, p.oc / p.groups, ic / p.groups, p.kh, p.kw};
}

Conv2dParams resolved(const NodeDesc& node) {
  return resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
}

DType weight_type(const NodeDesc& node) {
  return node.inputs[0].is_quantised() ? DType::s8 : node.inputs[0].dtype;
}

OnednnConvolution describe(const NodeDesc& node) {
  const Conv2dParams p = resolved(node);
  const TensorDesc &src = node.inputs[0], &residual = node.inputs.back();
  OnednnConvolution conv;
  conv.src = nhwc(src);
  conv.dst = nhwc(node.output);
  conv.weights =
      memory::desc(weight_dims(p, src.shape.c), type_of(weight_type(node)), memory::format_tag::any);
  if (p.has_bias) conv.bias = memory::desc({p.oc}, memory::data_type::f32, memory::format_tag::a);
  conv.strides = {p.sh, p.sw};
  conv.dilations = {p.dh - 1, p.dw - 1};
  conv.padding_begin = {p.padding.top, p.padding.left};
  conv.padding_end = {p.padding.bottom, p.padding.right};
  conv.has_residual = p.has_residual;
  conv.activation = p.activation;
  if (!src.is_quantised()) return conv;
  conv.scales.sums = node.constant("weight")->scale;
  for (float& scale : conv.scales.sums) scale *= src.scale;
  conv.scales.dst = node.output.scale;
  if (p.has_residual) {
    conv.scales.residual = residual.scale;
    conv.scales.residual_type = type_of(residual.dtype);
  }
  return conv;
}

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

constexpr std::size_t kShared = std::size_t{1} << 20U;  ///< bytes of weights that threads pack together

/// The one that was asked for last is kept: of a node that it fits it is asked for twice. How it shares work
/// among threads is decided here.
dnnl::convolution_forward::primitive_desc make_convolution(const OnednnConvolution& conv) {
  struct Made {
    OnednnConvolution conv;
    int threads;
    dnnl::convolution_forward::primitive_desc desc;
  };
  thread_local std::optional<Made> last;
  if (!last || last->threads != team_size() || !(last->conv == conv))
    last.emplace(Made{conv, team_size(), make_convolution(conv, engine())});
  return last->desc;
}

class OnednnConvolutionKernel : public Kernel {
 public:
  OnednnConvolutionKernel(const NodeDesc& node, PrepareContext& context)
      : params_(resolved(node)),
        src_(node.inputs[0]),
        dst_(node.output),
        residual_(node.inputs.back()),
        stream_(engine()) {
    OnednnConvolution conv = describe(node);
    if (params_.has_bias) bias_ = node.constant("bias")->read_f32();
    if (src_.is_quantised()) prepare_bias(conv.scales, bias_);
    const dnnl::convolution_forward::primitive_desc desc = make_convolution(conv);
    primitive_ = dnnl::convolution_forward(desc);
    detail_ = desc.impl_info_str();
    pack(node, context, desc);
    scales_ = OnednnScaleArguments(conv.scales, engine());
    scratchpad_bytes_ = aligned(desc.scratchpad_desc().get_size());
    scratchpad_memory_ = memory(desc.scratchpad_desc(), engine(), DNNL_MEMORY_NONE);
    src_memory_ = memory(desc.src_desc(), engine(), DNNL_MEMORY_NONE);
    dst_memory_ = memory(desc.dst_desc(), engine(), DNNL_MEMORY_NONE);
    arguments_ = {{DNNL_ARG_SRC, src_memory_.get()},
                  {DNNL_ARG_WEIGHTS, weights_memory_.get()},
                  {DNNL_ARG_DST, dst_memory_.get()},
                  {DNNL_ARG_SCRATCHPAD, scratchpad_memory_.get()}};
    arguments_.insert(arguments_.end(), scales_.arguments().begin(), scales_.arguments().end());
    if (!params_.has_bias) return;
    bias_memory_ = memory(desc.bias_desc(), engine(), bias_.data());
    arguments_.push_back({DNNL_ARG_BIAS, bias_memory_.get()});
  }

  std::size_t workspace_bytes() const override {
    return scratchpad_bytes_ + dense_bytes(src_) + dense_bytes(dst_);
  }

  /// A kernel is run by one thread at a time, so setting the handles of its own memory objects is safe.
  void run(const KernelArgs& args) const override {
    auto* workspace = static_cast<std::byte*>(args.workspace);
    auto* src = const_cast<void*>(args.inputs[0]);
    if (!src_.is_dense()) {
      copy_tensor(src, src_.pitch, workspace + scratchpad_bytes_, src_.shape.c, src_.shape, src_.dtype);
      src = workspace + scratchpad_bytes_;
    }
    void* dst = dst_.is_dense() ? args.output : workspace + scratchpad_bytes_ + dense_bytes(src_);
    const void* residual = params_.has_residual ? args.inputs.back() : dst;
    if (residual != dst)
      copy_tensor(residual, residual_.pitch, dst, dst_.shape.c, dst_.shape, residual_.dtype);
    scratchpad_memory_.set_data_handle(workspace);
    src_memory_.set_data_handle(src);
    dst_memory_.set_data_handle(dst);
    // the C function: the C++ one copies its arguments into a vector at every run
    const dnnl_status_t status = dnnl_primitive_execute(
        primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()), arguments_.data());
    if (status != dnnl_success)
      fail(code_of(status), "oneDNN: a convolution failed with status {}", static_cast<int>(status));
    if (!dst_.is_dense()) copy_tensor(dst, dst_.shape.c, args.output, dst_.pitch, dst_.shape, dst_.dtype);
  }

  int overwrites() const override { return params_.has_residual ? 1 : -1; }
  std::string detail() const override { return detail_; }

 private:
  static std::size_t dense_bytes(const TensorDesc& desc) {
    return desc.is_dense() ? 0 : aligned(TensorDesc::dense(desc.shape, desc.dtype).bytes());
  }

  /// Weights in the order the implementation asked for, once a model and layout.
  void pack(const NodeDesc& node, PrepareContext& context,
            const dnnl::convolution_forward::primitive_desc& desc) {
    const memory::desc packed = desc.weights_desc();
    const std::string key = fmt::format("{}|onednn|{}|{}|{}", node.name, to_string(src_.dtype),
                                        packed.get_size(), layout_of(packed));
    weights_ = context.weights.get_or_make(key, [&] {
      std::shared_ptr<DeviceMemory> made = allocate_host(packed.get_size());
      const Constant& weight = *node.constant("weight");
      const memory::desc plain_desc(
          weight_dims(params_, src_.shape.c), type_of(src_.is_quantised() ? DType::s8 : DType::f32),
          params_.groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw);
      LargeVector<float> values(src_.is_quantised() ? 0 : static_cast<std::size_t>(weight.tensor.elements()));
      if (!values.empty()) weight.read_f32(values.data());
      const void* plain =
          src_.is_quantised() ? static_cast<const void*>(weight.tensor.data.get()) : values.data();
      memory from(plain_desc, engine(), const_cast<void*>(plain)), to(packed, engine(), made->data());
      std::optional<Alone> alone;
      if (packed.get_size() < kShared) alone.emplace();
      dnnl::reorder(from, to).execute(stream_, from, to);
      return made;
    });
    weights_memory_ = memory(packed, engine(), weights_->data());
  }

  Conv2dParams params_;
  TensorDesc src_, dst_, residual_;
  dnnl::stream stream_;
  dnnl::convolution_forward primitive_;
  std::string detail_;
  std::shared_ptr<DeviceMemory> weights_;
  std::vector<float> bias_;
  OnednnScaleArguments scales_;
  std::size_t scratchpad_bytes_ = 0;
  memory weights_memory_, bias_memory_;
  mutable memory src_memory_, dst_memory_, scratchpad_memory_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

}  // namespace

std::string refuse_conv2d_onednn(const NodeDesc& node) {
  const Conv2dParams p = resolved(node);
  if (p.kh > 64 || p.kw > 64 || p.dh > 512 || p.dw > 512)
    return "kernels above 64 and rates above 512 are left to the direct form";
  try {
    const std::string chosen = make_convolution(describe(node)).impl_info_str();
    const auto is = [&](std::string_view part) { return chosen.find(part) != std::string::npos; };
    const bool is_depthwise = p.groups > 1 && p.groups == node.inputs[0].shape.c && p.oc == p.groups;
    // Sums of floats by gemm depend on the number of threads; ref takes seconds; jit, which depthwise kernels
    // at large rates are left to, takes several times as long as our own form.
    const bool bad = node.inputs[0].is_quantised()
                         ? is("ref")
                         : is("gemm") || (is("ref") && node.inputs[0].dtype == DType::bf16) ||
                               (is_depthwise && chosen.starts_with("jit:"));
    return bad ? "oneDNN has only " + chosen + " for it" : "";
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) fail(ErrorCode::out_of_memory, "oneDNN: {}", error.what());
    return error.what();
  }
}

std::unique_ptr<Kernel> prepare_conv2d_onednn(const NodeDesc& node, PrepareContext& context) {
  try {
    return std::make_unique<OnednnConvolutionKernel>(node, context);
  } catch (const dnnl::error& error) {
    fail(code_of(error.status), "oneDNN: {}", error.what());
  }
}

}  // namespace atrous

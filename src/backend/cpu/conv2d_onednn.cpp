// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_onednn.h"

#include <fmt/format.h>

#include "backend/cpu/activate.h"
#include "backend/cpu/kernel_of.h"
#include "backend/cpu/onednn_compat.h"
#include "core/error.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

using dnnl::memory;

const dnnl::engine& engine() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

memory::desc nhwc(const Shape& s) {
  return {{s.n, s.c, s.h, s.w}, memory::data_type::f32, memory::format_tag::nhwc};
}

/// The node as oneDNN's convolution, and whether that applies the activation too.
struct Description {
  dnnl::convolution_forward::primitive_desc primitive;
  bool activation_fused;
};

memory::dims weight_dims(const Conv2dParams& p, std::int64_t ic) {
  if (p.groups == 1) return {p.oc, ic, p.kh, p.kw};
  return {p.groups, p.oc / p.groups, ic / p.groups, p.kh, p.kw};
}

Description describe(const Conv2dParams& p, const Shape& src, const Shape& dst) {
  OnednnConvolution conv;
  conv.src = nhwc(src);
  conv.dst = nhwc(dst);
  conv.weights = memory::desc(weight_dims(p, src.c), memory::data_type::f32, memory::format_tag::any);
  if (p.has_bias) conv.bias = memory::desc({p.oc}, memory::data_type::f32, memory::format_tag::a);
  conv.strides = {p.sh, p.sw};
  conv.dilations = {p.dh - 1, p.dw - 1};
  conv.padding_begin = {p.padding.top, p.padding.left};
  conv.padding_end = {p.padding.bottom, p.padding.right};
  dnnl::post_ops ops;
  if (p.has_residual) ops.append_sum();
  const bool activation_fused = append_activation(ops, p.activation);
  conv.attributes.set_post_ops(ops);
  conv.attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return {make_convolution(conv, engine()), activation_fused};
}

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

class OnednnConvolutionKernel : public Kernel {
 public:
  OnednnConvolutionKernel(const NodeDesc& node, PrepareContext& context)
      : params_(resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape)),
        src_(node.inputs[0]),
        dst_(node.output),
        residual_(node.inputs.back()),
        stream_(engine()) {
    const auto [desc, activation_fused] = describe(params_, src_.shape, dst_.shape);
    activation_fused_ = activation_fused;
    primitive_ = dnnl::convolution_forward(desc);
    detail_ = desc.impl_info_str();
    pack(node, context, desc);
    scratchpad_bytes_ = aligned(desc.scratchpad_desc().get_size());
    scratchpad_memory_ = memory(desc.scratchpad_desc(), engine(), DNNL_MEMORY_NONE);
    src_memory_ = memory(desc.src_desc(), engine(), DNNL_MEMORY_NONE);
    dst_memory_ = memory(desc.dst_desc(), engine(), DNNL_MEMORY_NONE);
    arguments_ = {{DNNL_ARG_SRC, src_memory_.get()},
                  {DNNL_ARG_WEIGHTS, weights_memory_.get()},
                  {DNNL_ARG_DST, dst_memory_.get()},
                  {DNNL_ARG_SCRATCHPAD, scratchpad_memory_.get()}};
    if (params_.has_bias) arguments_.push_back({DNNL_ARG_BIAS, bias_memory_.get()});
  }

  std::size_t workspace_bytes() const override {
    return scratchpad_bytes_ + dense_bytes(src_) + dense_bytes(dst_);
  }

  /// A kernel is run by one thread at a time, so setting the handles of its own memory objects is safe.
  void run(const KernelArgs& args) const override {
    auto* workspace = static_cast<std::byte*>(args.workspace);
    auto* src = const_cast<float*>(input_of(args));
    if (!src_.is_dense()) {
      auto* dense = reinterpret_cast<float*>(workspace + scratchpad_bytes_);
      copy_tensor(src, src_.pitch, dense, src_.shape.c, src_.shape);
      src = dense;
    }
    float* dst = dst_.is_dense()
                     ? output_of(args)
                     : reinterpret_cast<float*>(workspace + scratchpad_bytes_ + dense_bytes(src_));
    const float* residual = params_.has_residual ? input_of(args, args.inputs.size() - 1) : dst;
    if (residual != dst) copy_tensor(residual, residual_.pitch, dst, dst_.shape.c, dst_.shape);
    scratchpad_memory_.set_data_handle(workspace);
    src_memory_.set_data_handle(src);
    dst_memory_.set_data_handle(dst);
    // the C function: the C++ one copies its arguments into a vector at every run
    const dnnl_status_t status = dnnl_primitive_execute(
        primitive_.get(), stream_.get(), static_cast<int>(arguments_.size()), arguments_.data());
    if (status != dnnl_success)
      fail(ErrorCode::internal, "oneDNN: a convolution failed with status {}", static_cast<int>(status));
    if (!activation_fused_)
      parallel_for(dst_.shape.pixels(), [&](std::int64_t i) {
        activate(params_.activation, dst + i * dst_.shape.c, dst + i * dst_.shape.c, dst_.shape.c);
      });
    if (!dst_.is_dense()) copy_tensor(dst, dst_.shape.c, output_of(args), dst_.pitch, dst_.shape);
  }

  int overwrites() const override { return params_.has_residual ? 1 : -1; }
  std::string detail() const override { return detail_; }

 private:
  static std::size_t dense_bytes(const TensorDesc& desc) {
    return desc.is_dense() ? 0 : aligned(TensorDesc::dense(desc.shape).bytes());
  }

  /// Weights in the order the implementation asked for, once a model and layout.
  void pack(const NodeDesc& node, PrepareContext& context,
            const dnnl::convolution_forward::primitive_desc& desc) {
    const memory::desc packed = desc.weights_desc();
    const std::string key = fmt::format("{}|onednn|{}|{}", node.name, packed.get_size(), layout_of(packed));
    weights_ = context.weights.get_or_make(key, [&] {
      std::shared_ptr<DeviceMemory> made = allocate_host(packed.get_size());
      const std::vector<float> plain = node.constant("weight")->read_f32();
      const memory::desc plain_desc(
          weight_dims(params_, src_.shape.c), memory::data_type::f32,
          params_.groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw);
      memory from(plain_desc, engine(), const_cast<float*>(plain.data())), to(packed, engine(), made->data());
      dnnl::reorder(from, to).execute(stream_, from, to);
      return made;
    });
    weights_memory_ = memory(packed, engine(), weights_->data());
    if (!params_.has_bias) return;
    bias_ = node.constant("bias")->read_f32();
    bias_memory_ = memory(desc.bias_desc(), engine(), bias_.data());
  }

  Conv2dParams params_;
  TensorDesc src_, dst_, residual_;
  dnnl::stream stream_;
  dnnl::convolution_forward primitive_;
  bool activation_fused_ = true;
  std::string detail_;
  std::shared_ptr<DeviceMemory> weights_;
  std::vector<float> bias_;
  std::size_t scratchpad_bytes_ = 0;
  memory weights_memory_, bias_memory_;
  mutable memory src_memory_, dst_memory_, scratchpad_memory_;
  std::vector<dnnl_exec_arg_t> arguments_;
};

}  // namespace

std::string refuse_conv2d_onednn(const NodeDesc& node) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
  if (p.kh > 64 || p.kw > 64 || p.dh > 512 || p.dw > 512)
    return "kernels above 64 and rates above 512 are left to the direct form";
  try {
    const std::string chosen = describe(p, node.inputs[0].shape, node.output.shape).primitive.impl_info_str();
    // its sums depend on the number of threads, and it unfolds the whole input into its scratchpad
    return chosen.find("gemm") != std::string::npos ? "oneDNN has only " + chosen + " for it" : "";
  } catch (const dnnl::error& error) {
    return error.what();
  }
}

std::unique_ptr<Kernel> prepare_conv2d_onednn(const NodeDesc& node, PrepareContext& context) {
  try {
    return std::make_unique<OnednnConvolutionKernel>(node, context);
  } catch (const dnnl::error& error) {
    fail(ErrorCode::internal, "oneDNN: {}", error.what());
  }
}

}  // namespace atrous

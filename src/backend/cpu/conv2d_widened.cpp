// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_widened.h"

#include <algorithm>
#include <vector>

#include "backend/cpu/convert_rows.h"
#include "backend/cpu/kernel_of.h"

namespace atrous {
namespace {

std::byte* pixel_of(void* tensor, const TensorDesc& desc, std::int64_t pixel) {
  return static_cast<std::byte*>(tensor) + static_cast<std::size_t>(pixel * desc.pitch) * size_of(desc.dtype);
}

/// The node on dense f32 tensors.
struct Widened {
  std::vector<TensorDesc> inputs;
  TensorDesc output;

  explicit Widened(const NodeDesc& node) : output(TensorDesc::dense(node.output.shape)) {
    for (const TensorDesc& input : node.inputs) inputs.push_back(TensorDesc::dense(input.shape));
  }
  NodeDesc describe(const NodeDesc& node) const {
    return {node.name, node.params, inputs, output, node.constants};
  }
};

class WidenedKernel : public Kernel {
 public:
  WidenedKernel(const NodeDesc& node, PrepareContext& context)
      : inputs_(node.inputs.begin(), node.inputs.end()), output_(node.output), wide_(node) {
    const NodeDesc in_f32 = wide_.describe(node);
    const std::span<const Implementation> all = cpu_conv2d();
    const Implementation& first = *std::find_if(
        all.begin(), all.end(), [&](const Implementation& one) { return one.refuse(in_f32).empty(); });
    inner_ = first.prepare(in_f32, context);
    detail_ = first.name;
  }

  std::size_t workspace_bytes() const override {
    std::size_t bytes = inner_->workspace_bytes() + wide_.output.bytes();
    for (const TensorDesc& input : wide_.inputs) bytes += input.bytes() + kAlignment;
    return bytes + 2 * kAlignment;
  }

  void run(const KernelArgs& args) const override {
    auto* at = static_cast<std::byte*>(args.workspace);
    auto take = [&](std::size_t bytes) {
      std::byte* taken = at;
      at += (bytes + kAlignment - 1) / kAlignment * kAlignment;
      return taken;
    };
    const void* inputs[2] = {};  // the map and the residual
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      auto* wide = take(wide_.inputs[i].bytes());
      inputs[i] = wide;
      const TensorDesc& from = inputs_[i];
      parallel_for(from.shape.pixels(), [&](std::int64_t pixel) {
        to_f32_row(pixel_of(const_cast<void*>(args.inputs[i]), from, pixel), from,
                   reinterpret_cast<float*>(pixel_of(wide, wide_.inputs[i], pixel)), from.shape.c);
      });
    }
    auto* result = take(wide_.output.bytes());
    inner_->run({std::span(inputs, inputs_.size()), result, at, args.stream});
    parallel_for(output_.shape.pixels(), [&](std::int64_t pixel) {
      from_f32_row(reinterpret_cast<const float*>(pixel_of(result, wide_.output, pixel)), output_,
                   pixel_of(args.output, output_, pixel), output_.shape.c);
    });
  }

  std::string detail() const override { return detail_; }

 private:
  static constexpr std::size_t kAlignment = 64;

  std::vector<TensorDesc> inputs_;
  TensorDesc output_;
  Widened wide_;
  std::unique_ptr<Kernel> inner_;
  std::string detail_;
};

}  // namespace

std::string refuse_widened(const NodeDesc& node) {
  return node.inputs[0].dtype == DType::bf16 ? "" : "for bf16 activations only";
}

std::unique_ptr<Kernel> prepare_widened(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<WidenedKernel>(node, context);
}

}  // namespace atrous

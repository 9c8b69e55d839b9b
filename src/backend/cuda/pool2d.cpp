// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool2d.h"

#include <array>

#include "backend/cuda/cuda_backend.h"
#include "backend/function_kernel.h"
#include "kernels/alignment.h"
#include "ops/window.h"

namespace atrous {
namespace {

/// The output of a global or adaptive pooling as the one level of a pyramid.
std::array<cuda::BinLevel, 1> level_of(const TensorDesc& out, void* output) {
  return {cuda::BinLevel{static_cast<int>(out.shape.h), static_cast<int>(out.shape.w), out.pitch, output}};
}

std::string refuse_bins(const NodeDesc& node) {
  constexpr std::int64_t kFewest = 32;  // a block has a thread for each
  const auto& p = std::get<Pool2dParams>(node.params);
  const Shape &in = node.inputs[0].shape, &out = node.output.shape;
  if (!p.global && p.bins_h == 0) return "for the whole map and for bins only";
  if (in.h * in.w < kFewest * out.h * out.w) return "for bins of 32 pixels and more only";
  return cuda::refuse_pool_bins(node.inputs[0], level_of(node.output, nullptr));
}

std::unique_ptr<Kernel> prepare_bins(const NodeDesc& node, PrepareContext&) {
  return kernel_of(
      [kind = std::get<Pool2dParams>(node.params).kind, in = node.inputs[0],
       out = node.output](const KernelArgs& args) {
        cuda::pool_bins(kind, in, args.inputs[0], level_of(out, args.output), args.workspace,
                        stream_of(args));
      },
      cuda::pool_bins_workspace(node.inputs[0], level_of(node.output, nullptr)));
}

std::string refuse_windows(const NodeDesc& node) { return cuda::refuse_packs({node.inputs[0], node.output}); }

std::unique_ptr<Kernel> prepare_windows(const NodeDesc& node, PrepareContext&) {
  auto p = std::get<Pool2dParams>(node.params);
  const TensorDesc in = node.inputs[0], out = node.output;
  p.padding = resolve_padding(p.padding, in.shape, p.kh, p.kw, p.sh, p.sw, p.dh, p.dw);
  return kernel_of([p, in, out](const KernelArgs& args) {
    cuda::pool_windows(p, in, args.inputs[0], out, args.output, stream_of(args));
  });
}

constexpr Implementation kPool[] = {{"bins", refuse_bins, prepare_bins},
                                    {"window", refuse_windows, prepare_windows},
                                    {"direct", accept_all, prepare_windows}};

}  // namespace

std::span<const Implementation> cuda_pool2d() { return kPool; }

}  // namespace atrous

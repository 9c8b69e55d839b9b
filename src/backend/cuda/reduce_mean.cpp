// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"
#include "kernels/channels.h"
#include "kernels/pool2d.h"

namespace atrous {
namespace {

bool over_map(const NodeDesc& node) { return std::get<ReduceMeanParams>(node.params).over_hw; }

/// The whole map as one bin of a pyramid.
std::array<cuda::BinLevel, 1> one_bin(const TensorDesc& out, void* output) {
  return {cuda::BinLevel{1, 1, out.pitch, output}};
}

std::string refuse_spatial_mean(const NodeDesc& node) {
  if (!over_map(node)) return "for means over height and width only";
  return cuda::refuse_pool_bins(node.inputs[0], one_bin(node.output, nullptr));
}

std::unique_ptr<Kernel> prepare_spatial_mean(const NodeDesc& node, PrepareContext&) {
  return kernel_of(
      [in = node.inputs[0], out = node.output](const KernelArgs& args) {
        cuda::pool_bins(PoolKind::average, in, args.inputs[0], one_bin(out, args.output), args.workspace,
                        stream_of(args));
      },
      cuda::pool_bins_workspace(node.inputs[0], one_bin(node.output, nullptr)));
}

std::string refuse_channel_mean(const NodeDesc& node) {
  return over_map(node) ? "for means over channels only" : refuse_large_tensors(node);
}

std::unique_ptr<Kernel> prepare_channel_mean(const NodeDesc& node, PrepareContext&) {
  return kernel_of([in = node.inputs[0], out = node.output](const KernelArgs& args) {
    cuda::channel_mean(in, args.inputs[0], out, args.output, stream_of(args));
  });
}

constexpr Implementation kMean[] = {{"bins", refuse_spatial_mean, prepare_spatial_mean},
                                    {"direct", refuse_channel_mean, prepare_channel_mean}};

}  // namespace

std::span<const Implementation> cuda_reduce_mean() { return kMean; }

}  // namespace atrous

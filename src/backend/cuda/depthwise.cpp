// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/depthwise.h"

#include "backend/cuda/conv2d_node.h"
#include "backend/cuda/conv2d_weights.h"
#include "backend/cuda/cuda_backend.h"
#include "backend/function_kernel.h"
#include "kernels/depthwise.h"

namespace atrous {
std::string refuse_depthwise(const NodeDesc& node) {
  return cuda::refuse_depthwise(conv2d_problem(node).params, node.inputs[0], node.output);
}

std::unique_ptr<Kernel> prepare_depthwise(const NodeDesc& node, PrepareContext& context) {
  return kernel_of([p = conv2d_problem(node).params, constants = tap_major_constants(node, context),
                    in = node.inputs[0], residual = node.inputs.back(),
                    out = node.output](const KernelArgs& args) {
    cuda::depthwise(p, in, residual, out,
                    {args.inputs[0], constants.weight->data(), constants.bias_data(),
                     p.has_residual ? args.inputs.back() : nullptr, args.output},
                    stream_of(args));
  });
}

}  // namespace atrous

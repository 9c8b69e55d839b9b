// SPDX-License-Identifier: Apache-2.0
#include "kernels/template_morph.h"

#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/refuse.h"
#include "backend/function_kernel.h"

namespace atrous {
namespace {

cuda::MorphTensors tensors_of(const NodeDesc& node) { return {node.inputs[0], node.inputs[1], node.output}; }

std::string refuse(const NodeDesc& node) {
  const auto& p = std::get<TemplateMorphParams>(node.params);
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  if (cuda::template_morph_workspace(p, tensors_of(node)) > kMost) return "its masks take 2^31 bytes or more";
  return refuse_large_tensors(node);
}

std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext& context) {
  const auto& p = std::get<TemplateMorphParams>(node.params);
  const cuda::MorphTensors tensors = tensors_of(node);
  std::shared_ptr<DeviceMemory> templates =
      context.weights.get_or_make(fmt::format("{}|templates", node.name), [&] {
        const std::vector<float> values = node.constant("weight")->read_f32();
        return upload_to_device(values.data(), values.size() * sizeof(float));
      });
  std::vector<int> sums(p.templates.size() + 1);
  std::partial_sum(p.templates.begin(), p.templates.end(), sums.begin() + 1);
  std::shared_ptr<DeviceMemory> first = upload_to_device(sums.data(), sums.size() * sizeof(int));
  return kernel_of(
      [p, tensors, templates, first](const KernelArgs& args) {
        cuda::template_morph(
            p, tensors,
            {args.inputs[0], args.inputs[1], reinterpret_cast<const float*>(templates->data()),
             reinterpret_cast<const int*>(first->data()), args.workspace, args.output},
            stream_of(args));
      },
      cuda::template_morph_workspace(p, tensors));
}

constexpr Implementation kList[] = {{"direct", refuse, prepare}};

}  // namespace

std::span<const Implementation> cuda_template_morph() { return kList; }

}  // namespace atrous

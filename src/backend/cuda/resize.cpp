// SPDX-License-Identifier: Apache-2.0
#include "kernels/resize.h"

#include "backend/cuda/cuda_backend.h"
#include "backend/function_kernel.h"
#include "kernels/alignment.h"

namespace atrous {
namespace {

const ResizeParams& params_of(const NodeDesc& node) { return std::get<ResizeParams>(node.params); }

void append_taps(ResizeMode mode, std::int64_t in, std::int64_t out, bool align_corners,
                 std::vector<cuda::AxisTap>& taps) {
  if (mode == ResizeMode::nearest) {
    for (const std::int64_t at : nearest_samples(in, out, align_corners))
      taps.push_back({static_cast<int>(at), static_cast<int>(at), 0});
  } else {
    for (const LinearSample& s : linear_samples(in, out, align_corners))
      taps.push_back({static_cast<int>(s.low), static_cast<int>(s.high), s.weight});
  }
}

using Launch = void (*)(const TensorDesc&, const void*, const TensorDesc&, void*, const cuda::ResizeTaps&,
                        cuda::StreamHandle);

template <Launch launch>
std::unique_ptr<Kernel> prepare_resize(const NodeDesc& node, PrepareContext&) {
  const ResizeParams& p = params_of(node);
  const TensorDesc in = node.inputs[0], out = node.output;
  const bool align_corners = p.coordinates == ResizeCoordinates::align_corners;
  std::vector<cuda::AxisTap> taps;
  append_taps(p.mode, in.shape.h, out.shape.h, align_corners, taps);
  append_taps(p.mode, in.shape.w, out.shape.w, align_corners, taps);
  const std::shared_ptr<DeviceMemory> memory =
      upload_to_device(taps.data(), taps.size() * sizeof(cuda::AxisTap));
  return kernel_of([memory, in, out](const KernelArgs& args) {
    const auto* rows = reinterpret_cast<const cuda::AxisTap*>(memory->data());
    launch(in, args.inputs[0], out, args.output, {rows, rows + out.shape.h}, stream_of(args));
  });
}

std::string refuse_gather(const NodeDesc& node) {
  const Shape& in = node.inputs[0].shape;
  if (params_of(node).mode != ResizeMode::nearest && (in.h > 1 || in.w > 1))
    return "for nearest and for maps of one pixel only";
  return cuda::refuse_packs({node.inputs[0], node.output});
}

std::string refuse_bilinear(const NodeDesc& node) {
  if (params_of(node).mode != ResizeMode::bilinear) return "for bilinear only";
  return cuda::refuse_packs({node.inputs[0], node.output});
}

constexpr Implementation kResize[] = {{"gather", refuse_gather, prepare_resize<cuda::resize_gather>},
                                      {"bilinear", refuse_bilinear, prepare_resize<cuda::resize_bilinear>},
                                      {"direct", accept_all, prepare_resize<cuda::resize_bilinear>}};

}  // namespace

std::span<const Implementation> cuda_resize() { return kResize; }

}  // namespace atrous

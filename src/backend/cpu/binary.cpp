// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "backend/cpu/kernel_of.h"

namespace atrous {
namespace {

/// out[i] = a[i * step_a] op b[i * step_b]; steps are 0 (broadcast) or 1.
template <typename Op>
inline void combine(const float* a, int step_a, const float* b, int step_b, float* out, std::int64_t count,
                    Op op) {
  if (step_a == 1 && step_b == 1)
    for (std::int64_t i = 0; i < count; ++i) out[i] = op(a[i], b[i]);
  else
    for (std::int64_t i = 0; i < count; ++i) out[i] = op(a[i * step_a], b[i * step_b]);
}

ATROUS_VECTORISE void binary_row(BinaryKind kind, const float* a, int step_a, const float* b, int step_b,
                                 float* out, std::int64_t count) {
  switch (kind) {
    case BinaryKind::add:
      return combine(a, step_a, b, step_b, out, count, [](float x, float y) { return x + y; });
    case BinaryKind::sub:
      return combine(a, step_a, b, step_b, out, count, [](float x, float y) { return x - y; });
    case BinaryKind::mul:
      return combine(a, step_a, b, step_b, out, count, [](float x, float y) { return x * y; });
    case BinaryKind::div:
      return combine(a, step_a, b, step_b, out, count, [](float x, float y) { return x / y; });
    case BinaryKind::max:
      return combine(a, step_a, b, step_b, out, count, [](float x, float y) { return x > y ? x : y; });
    case BinaryKind::min:
      return combine(a, step_a, b, step_b, out, count, [](float x, float y) { return x < y ? x : y; });
  }
}

/// Where an operand of broadcast extent has the value of output pixel (n, y, x).
struct Operand {
  TensorDesc desc;
  std::int64_t offset(std::int64_t n, std::int64_t y, std::int64_t x) const {
    const Shape& s = desc.shape;
    return (((s.n == 1 ? 0 : n) * s.h + (s.h == 1 ? 0 : y)) * s.w + (s.w == 1 ? 0 : x)) * desc.pitch;
  }
  int step(const Shape& out) const { return desc.shape.c == out.c ? 1 : 0; }
};

std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext&) {
  const auto& p = std::get<BinaryParams>(node.params);
  const Operand a{node.inputs[0]}, b{p.has_scalar ? TensorDesc::dense({1, 1, 1, 1}) : node.inputs[1]};
  return kernel_of([p, a, b, out = node.output](const KernelArgs& args) {
    const Shape& s = out.shape;
    const float* right = p.has_scalar ? &p.scalar : input_of(args, 1);
    const bool whole_rows = a.desc == out && b.desc == out && out.is_dense();
    const std::int64_t run = whole_rows ? s.w * s.c : s.c, runs = whole_rows ? 1 : s.w;
    const int step_a = a.step(s), step_b = p.has_scalar ? 0 : b.step(s);
    parallel_for(s.n * s.h, [&](std::int64_t row) {
      for (std::int64_t x = 0; x < runs; ++x)
        binary_row(p.kind, input_of(args) + a.offset(row / s.h, row % s.h, x), step_a,
                   right + b.offset(row / s.h, row % s.h, x), step_b,
                   output_of(args) + (row * s.w + x) * out.pitch, run);
    });
  });
}

constexpr Implementation kList[] = {{"direct", accept_all, prepare}};

}  // namespace

std::span<const Implementation> cpu_binary() { return kList; }

}  // namespace atrous

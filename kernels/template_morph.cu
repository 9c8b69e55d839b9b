// SPDX-License-Identifier: Apache-2.0
// Masks as sums of templates, pasted into their boxes, and the distribution over labels at every pixel; the
// equations stand in ops/template_morph.cpp. Two launches.
//
// masks_kernel. Thread mapping: one element of one label's mask, which has a border of one zero on each side,
// so that bilinear reads need no test; blocks of 256 threads belong to one label of one image. The first
// thread of each label also computes where its box lies on the map, in double precision: which pixels belong
// to it must not depend on rounding. Templates are read with neighbouring threads at neighbouring addresses.
//
// paste_kernel. Thread mapping: one pixel of the map, all labels in order; a warp's pixels read the same box
// at the same time. Scores gather in shared memory, [pixels of the block][labels + 1, made odd against bank
// conflicts] f32, and leave it element by element, so that neighbouring threads write neighbouring addresses.
// Shared memory: at most 48 KiB; blocks have as many warps, up to 4, as fit.
//
// Alignment: the elements' own. Accumulation and positions in f32: a position is counted from the first pixel
// of its box, so that its error does not grow where the box is small. Algorithm: this project's own.
#include "kernels/template_morph.h"

#include <algorithm>

#include "kernels/items.h"

namespace atrous::cuda {
namespace {

constexpr int kMaskThreads = 256, kWarp = 32, kMostPasteThreads = 128;
constexpr std::size_t kSharedBytes = 48 * 1024;

/// Pixels [begin, end) of an axis read mask position first + step * (pixel - begin), in [-0.5, mask - 0.5].
struct AxisPaste {
  int begin, end;
  float first, step;
};

struct Paste {
  AxisPaste columns, rows;
  float visibility;
};

ATROUS_DEVICE AxisPaste paste_axis(float centre, float side, int pixels, int mask) {
  if (!(fabsf(centre) < INFINITY) || !(side >= kLeastMorphSide) || !(side < INFINITY)) return {0, 0, 0, 0};
  const double c = centre, s = side, extent = pixels;
  const double from = ceil((c - s / 2) * extent - 0.5), to = ceil((c + s / 2) * extent - 0.5);
  AxisPaste axis;
  axis.begin = from < 0 ? 0 : from > extent ? pixels : static_cast<int>(from);
  axis.end = to < 0 ? 0 : to > extent ? pixels : static_cast<int>(to);
  axis.first = static_cast<float>((((axis.begin + 0.5) / extent - c) / s + 0.5) * mask - 0.5);
  axis.step = static_cast<float>(mask / (s * extent));
  return axis;
}

/// NaN stays.
ATROUS_DEVICE float clamp_to_one(float value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

template <typename T>
struct Problem {
  Rows<const T> coefficients, boxes;
  const float* templates;
  const int* first;
  Paste* pastes;  ///< [image, label]
  float* masks;   ///< [image, label, mh + 2, mw + 2]
  Rows<T> out;
  int labels, mh, mw, oh, ow;
  unsigned blocks_a_mask, pixels;
};

template <typename T>
ATROUS_KERNEL void masks_kernel(const Problem<T> a) {
  const unsigned index = blockIdx.x / a.blocks_a_mask, image = index / a.labels,
                 label = index - image * a.labels;
  const int element = static_cast<int>((blockIdx.x - index * a.blocks_a_mask) * kMaskThreads + threadIdx.x);
  const int pitch = a.mw + 2, elements = pitch * (a.mh + 2);
  if (element == 0) {
    const T* box = a.boxes.row(image) + 5 * label;
    a.pastes[index] = {paste_axis(to_float(box[0]), to_float(box[2]), a.ow, a.mw),
                       paste_axis(to_float(box[1]), to_float(box[3]), a.oh, a.mh),
                       clamp_to_one(to_float(box[4]))};
  }
  if (element >= elements) return;
  const int y = element / pitch - 1, x = element % pitch - 1, size = a.mh * a.mw;
  float sum = 0;
  if (x >= 0 && x < a.mw && y >= 0 && y < a.mh) {
    const T* coefficients = a.coefficients.row(image);
    const int end = a.first[label + 1];
    for (int t = a.first[label]; t < end; ++t)
      sum = fmaf(to_float(coefficients[t]), a.templates[std::int64_t{t} * size + y * a.mw + x], sum);
  }
  a.masks[std::int64_t{index} * elements + element] = clamp_to_one(sum);
}

/// The bilinear value of a mask with its border at the pixel of the box.
ATROUS_DEVICE float sample(const float* mask, int pitch, const Paste& paste, int y, int x) {
  const float row = fmaf(paste.rows.step, static_cast<float>(y - paste.rows.begin), paste.rows.first);
  const float column =
      fmaf(paste.columns.step, static_cast<float>(x - paste.columns.begin), paste.columns.first);
  const float low_row = floorf(row), low_column = floorf(column);
  const float* at = mask + (static_cast<int>(low_row) + 1) * pitch + static_cast<int>(low_column) + 1;
  const float down = row - low_row, right = column - low_column;
  const float upper = at[0] + (at[1] - at[0]) * right,
              lower = at[pitch] + (at[pitch + 1] - at[pitch]) * right;
  return upper + (lower - upper) * down;
}

template <typename T>
ATROUS_KERNEL void paste_kernel(const Problem<T> a, const int channels, const int stride) {
  ATROUS_DYNAMIC_SHARED(float, tile);
  const unsigned first = blockIdx.x * blockDim.x, pixel = first + threadIdx.x;
  const int elements = (a.mw + 2) * (a.mh + 2);
  if (pixel < a.pixels) {
    float* own = tile + threadIdx.x * stride;
    const int map = a.oh * a.ow, image = static_cast<int>(pixel) / map,
              y = static_cast<int>(pixel) % map / a.ow, x = static_cast<int>(pixel) % a.ow;
    float background = 1, sum = 0;
    for (int k = 0; k < a.labels; ++k) {
      const std::int64_t index = std::int64_t{image} * a.labels + k;
      const Paste& paste = a.pastes[index];
      float value = 0;
      if (x >= paste.columns.begin && x < paste.columns.end && y >= paste.rows.begin && y < paste.rows.end) {
        value = paste.visibility * sample(a.masks + index * elements, a.mw + 2, paste, y, x);
        value = value > 1 ? 1 : value;  // where it is rounded up
      }
      own[k + 1] = value;
      background *= 1 - value;
      sum += value;
    }
    own[0] = background;
    const float inverse = 1 / (sum + background);
    for (int c = 0; c < channels; ++c) own[c] *= inverse;
  }
  sync_block();
  const unsigned here = first + blockDim.x < a.pixels ? blockDim.x : a.pixels - first;
  for (unsigned i = threadIdx.x; i < here * channels; i += blockDim.x) {
    const unsigned p = i / channels, c = i - p * channels;
    a.out.row(first + p)[c] = from_float<T>(tile[p * stride + c]);
  }
}

struct Extent {
  std::int64_t masks, elements;  ///< masks of all images, elements of one with its border
};
Extent extent_of(const TemplateMorphParams& p, const MorphTensors& tensors) {
  return {tensors.out.shape.n * static_cast<std::int64_t>(p.templates.size()),
          std::int64_t{p.mh + 2} * (p.mw + 2)};
}

}  // namespace

std::size_t template_morph_workspace(const TemplateMorphParams& p, const MorphTensors& tensors) {
  const Extent e = extent_of(p, tensors);
  return static_cast<std::size_t>(e.masks) *
         (sizeof(Paste) + static_cast<std::size_t>(e.elements) * sizeof(float));
}

void template_morph(const TemplateMorphParams& p, const MorphTensors& tensors, const MorphAddresses& at,
                    StreamHandle stream) {
  const Extent e = extent_of(p, tensors);
  const int labels = static_cast<int>(p.templates.size()), channels = labels + 1, stride = channels | 1;
  const std::size_t warp_bytes = static_cast<std::size_t>(kWarp * stride) * sizeof(float);
  const int threads = std::min(kMostPasteThreads, static_cast<int>(kSharedBytes / warp_bytes) * kWarp);
  const std::int64_t pixels = tensors.out.shape.pixels(),
                     blocks = (e.elements + kMaskThreads - 1) / kMaskThreads;
  dispatch(tensors.out.dtype, [&]<typename T>(T) {
    auto* pastes = static_cast<Paste*>(at.workspace);
    const Problem<T> problem{{static_cast<const T*>(at.coefficients), tensors.coefficients.pitch},
                             {static_cast<const T*>(at.boxes), tensors.boxes.pitch},
                             at.templates,
                             at.first,
                             pastes,
                             reinterpret_cast<float*>(pastes + e.masks),
                             {static_cast<T*>(at.out), tensors.out.pitch},
                             labels,
                             p.mh,
                             p.mw,
                             p.oh,
                             p.ow,
                             static_cast<unsigned>(blocks),
                             static_cast<unsigned>(pixels)};
    launch(masks_kernel<T>, e.masks * blocks, kMaskThreads, 0, stream, problem);
    launch(paste_kernel<T>, (pixels + threads - 1) / threads, threads,
           static_cast<std::size_t>(threads * stride) * sizeof(float), stream, problem, channels, stride);
  });
}

}  // namespace atrous::cuda

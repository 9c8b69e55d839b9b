// SPDX-License-Identifier: Apache-2.0
// The network's output at the photo's size: bilinear upsampling of the logits fused with argmax, softmax or
// nothing. Rows blend first, then columns, in f32; positions and weights are computed in f64 as in
// core/resample.cpp.
//
// Thread mapping: a block takes a segment of up to 256 pixels of one row of the photo. Its threads blend the
// two rows of logits over the columns the segment reads into a line in shared memory, then
//   labels: each thread walks the classes of one pixel;
//   scores: (with softmax each thread first finds maximum and sum of one pixel, then) the threads walk the
//   segment's scores in memory order, so that writes are whole lines.
// Lines too long for shared memory are done in chunks of classes. All blocks together also look at every
// logit once, for the flag. Shared memory: 2056 bytes (labels) or 4104 (scores) and a line of at most 32 KiB.
// Alignment: none needed.
#include "kernels/photo.h"

#include <algorithm>
#include <cmath>

#include "kernels/device.h"

namespace atrous::cuda {
namespace {

constexpr int kMostPixels = 256;       ///< of a segment
constexpr int kLineFloats = 8 * 1024;  ///< of a line in shared memory

template <typename T>
struct Problem {
  const T* logits;
  std::int64_t width, height, pitch;  ///< of the logits
  int classes;
  PhotoSampling photo;
  int pixels, segments;  ///< of a segment, of a row
  int chunk;             ///< classes of a line
  int* not_finite;
};

/// What the block works on. `low` and `weight` (shared) hold the column that each of its pixels reads and the
/// share of the next one.
struct Segment {
  int y, begin, count;        ///< pixels begin .. begin + count - 1 of row y of the photo
  int first_column, columns;  ///< the logits they read
  std::int64_t above, below;  ///< rows of logits
  float row_weight;           ///< of the row below
  const int* low;
  const float* weight;
};

/// linear_sample() of core/resample.h.
ATROUS_DEVICE void sample(const AxisMap& map, int pixel, std::int64_t in, int* low, float* weight) {
  double at = map.factor * (pixel + map.first) + map.offset - map.origin;
  const double last = static_cast<double>(in - 1);
  at = at < 0 ? 0 : (at > last ? last : at);
  *low = static_cast<int>(at);
  *weight = static_cast<float>(at - *low);
}

/// All threads of the block call it; low and weight are shared, of kMostPixels + 1 elements.
template <typename T>
ATROUS_DEVICE Segment find_segment(const Problem<T>& a, int* low, float* weight) {
  Segment s{};
  s.y = static_cast<int>(blockIdx.x / a.segments),
  s.begin = static_cast<int>(blockIdx.x % a.segments) * a.pixels;
  s.count = min(a.pixels, a.photo.width - s.begin);
  const int t = threadIdx.x;
  if (t < s.count) {
    const int x = s.begin + t;
    sample(a.photo.columns, a.photo.mirrored ? a.photo.width - 1 - x : x, a.width, low + t, weight + t);
  }
  if (t == 0) sample(a.photo.rows, s.y, a.height, low + kMostPixels, weight + kMostPixels);
  sync_block();
  const auto last_row = static_cast<int>(a.height) - 1, last_column = static_cast<int>(a.width) - 1;
  s.above = low[kMostPixels], s.below = min(low[kMostPixels] + 1, last_row),
  s.row_weight = weight[kMostPixels];
  const int one = low[0], other = low[s.count - 1];  // positions are monotone
  s.first_column = min(one, other);
  s.columns = min(max(one, other) + 1, last_column) - s.first_column + 1;
  s.low = low, s.weight = weight;
  return s;
}

ATROUS_DEVICE float blend(float a, float b, float weight) { return fmaf(b - a, weight, a); }

/// line[column][class] = the logits of the segment's row, for `count` classes from `first` on. All threads
/// call it; ends with a barrier.
template <typename T>
ATROUS_DEVICE void fill_line(const Problem<T>& a, const Segment& s, int first, int count, float* line) {
  for (int i = threadIdx.x; i < s.columns * count; i += blockDim.x) {
    const std::int64_t at = (s.first_column + i / count) * a.pitch + first + i % count,
                       row = a.width * a.pitch;
    line[i] =
        blend(to_float(a.logits[s.above * row + at]), to_float(a.logits[s.below * row + at]), s.row_weight);
  }
  sync_block();
}

/// One pixel of the segment on a line of `count` classes.
class PixelScores {
 public:
  ATROUS_DEVICE PixelScores(const Segment& s, int pixel, const float* line, int count, std::int64_t width)
      : left_(line + (s.low[pixel] - s.first_column) * count),
        right_(s.low[pixel] + 1 < width ? left_ + count : left_),
        weight_(s.weight[pixel]) {}
  ATROUS_DEVICE float operator[](int c) const { return blend(left_[c], right_[c], weight_); }

 private:
  const float* left_;
  const float* right_;
  float weight_;
};

/// Each block looks at its share of all logits.
template <typename T>
ATROUS_DEVICE void check_finite(const Problem<T>& a) {
  const std::int64_t values = a.width * a.height * a.classes;
  bool bad = false;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < values;
       i += std::int64_t{gridDim.x} * blockDim.x)
    bad |= !(fabsf(to_float(a.logits[i / a.classes * a.pitch + i % a.classes])) < INFINITY);
  if (bad) atomic_or(a.not_finite, 1);
}

template <typename T>
ATROUS_KERNEL void labels_kernel(const Problem<T> a, std::uint8_t* labels) {
  ATROUS_SHARED(int, low, kMostPixels + 1);
  ATROUS_SHARED(float, weight, kMostPixels + 1);
  ATROUS_DYNAMIC_SHARED(float, line);
  check_finite(a);
  const Segment s = find_segment(a, low, weight);
  const int pixel = threadIdx.x;
  float best = -INFINITY;
  int label = 0;
  for (int first = 0; first < a.classes; first += a.chunk) {
    const int count = min(a.chunk, a.classes - first);
    if (first > 0) sync_block();
    fill_line(a, s, first, count, line);
    if (pixel >= s.count) continue;
    const PixelScores scores(s, pixel, line, count, a.width);
    for (int c = 0; c < count; ++c) {
      const float score = scores[c];
      if (score > best) best = score, label = first + c;
    }
  }
  if (pixel < s.count)
    labels[static_cast<std::int64_t>(s.y) * a.photo.width + s.begin + pixel] =
        static_cast<std::uint8_t>(label);
}

/// Calls use(first class, count, line) for chunk after chunk; all threads take part. A line that holds all
/// classes is filled once only: `filled` remembers.
template <typename T, typename Use>
ATROUS_DEVICE void for_each_chunk(const Problem<T>& a, const Segment& s, float* line, bool& filled,
                                  const Use& use) {
  for (int first = 0; first < a.classes; first += a.chunk) {
    const int count = min(a.chunk, a.classes - first);
    if (!filled) {
      sync_block();
      fill_line(a, s, first, count, line);
      filled = count == a.classes;
    }
    use(first, count);
  }
}

template <typename T, typename Out>
ATROUS_KERNEL void scores_kernel(const Problem<T> a, bool softmax, Out* scores) {
  ATROUS_SHARED(int, low, kMostPixels + 1);
  ATROUS_SHARED(float, weight, kMostPixels + 1);
  ATROUS_SHARED(float, largest, kMostPixels);
  ATROUS_SHARED(float, factor, kMostPixels);
  ATROUS_DYNAMIC_SHARED(float, line);
  check_finite(a);
  const Segment s = find_segment(a, low, weight);
  bool filled = false;
  if (softmax) {
    const int pixel = threadIdx.x;
    float top = -INFINITY, sum = 0;
    for_each_chunk(a, s, line, filled, [&](int, int count) {
      if (pixel >= s.count) return;
      const PixelScores score(s, pixel, line, count, a.width);
      for (int c = 0; c < count; ++c) top = fmaxf(top, score[c]);
    });
    for_each_chunk(a, s, line, filled, [&](int, int count) {
      if (pixel >= s.count) return;
      const PixelScores score(s, pixel, line, count, a.width);
      for (int c = 0; c < count; ++c) sum += expf(score[c] - top);
    });
    if (pixel < s.count) largest[pixel] = top, factor[pixel] = 1 / sum;
    sync_block();
  }
  Out* out = scores + (static_cast<std::int64_t>(s.y) * a.photo.width + s.begin) * a.classes;
  for_each_chunk(a, s, line, filled, [&](int first, int count) {
    for (int i = threadIdx.x; i < s.count * count; i += blockDim.x) {
      const int pixel = i / count, c = i % count;
      float value = PixelScores(s, pixel, line, count, a.width)[c];
      if (softmax) value = expf(value - largest[pixel]) * factor[pixel];
      out[pixel * a.classes + first + c] = from_float<Out>(value);
    }
  });
}

/// Columns of logits that a segment reads at most.
std::int64_t most_columns(const LogitsView& logits, const PhotoSampling& photo, int pixels) {
  const double span = std::floor(std::abs(photo.columns.factor) * (pixels - 1));
  return std::min(logits.width, static_cast<std::int64_t>(std::min(span, 1e9)) + 3);
}

/// Divides the work and launches `kernel` with the problem and `args`.
template <typename T, typename Kernel, typename... Args>
void launch_segments(Kernel kernel, const LogitsView& logits, const PhotoSampling& photo, int* not_finite,
                     StreamHandle stream, Args... args) {
  int pixels = std::min(kMostPixels, photo.width);
  while (pixels > 1 && most_columns(logits, photo, pixels) > kLineFloats / 2) pixels /= 2;
  const int segments = (photo.width + pixels - 1) / pixels;
  pixels = (photo.width + segments - 1) / segments;
  const auto columns = static_cast<int>(most_columns(logits, photo, pixels));
  const int chunk = std::min(logits.classes, kLineFloats / columns);
  const Problem<T> problem{static_cast<const T*>(logits.data),
                           logits.width,
                           logits.height,
                           logits.pitch,
                           logits.classes,
                           photo,
                           pixels,
                           segments,
                           chunk,
                           not_finite};
  const int threads = (pixels + 31) / 32 * 32;
  launch(kernel, std::int64_t{segments} * photo.height, threads,
         static_cast<std::size_t>(columns) * static_cast<std::size_t>(chunk) * sizeof(float), stream, problem,
         args...);
}

}  // namespace

void upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels,
                     int* not_finite, StreamHandle stream) {
  dispatch(logits.dtype, [&]<typename T>(T) {
    launch_segments<T>(labels_kernel<T>, logits, photo, not_finite, stream, labels);
  });
}

void upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax, DType dtype,
                     void* scores, int* not_finite, StreamHandle stream) {
  dispatch(logits.dtype, [&]<typename T>(T) {
    if (dtype == DType::f16)
      launch_segments<T>(scores_kernel<T, f16>, logits, photo, not_finite, stream, softmax,
                         static_cast<f16*>(scores));
    else
      launch_segments<T>(scores_kernel<T, float>, logits, photo, not_finite, stream, softmax,
                         static_cast<float*>(scores));
  });
}

}  // namespace atrous::cuda

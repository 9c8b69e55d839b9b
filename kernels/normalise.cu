// SPDX-License-Identifier: Apache-2.0
// Pixels of a photo, u8 HWC RGB, into one image of the network's input, NHWC with 3 channels: every level
// through a table, 0 where the input is larger than the photo.
//
// Thread mapping: a thread makes as many successive pixels of the image as its type has values in 16 bytes,
// so that it can write them as three whole packs; 256 threads a block. Shared memory: 3072 bytes, the table
// (a kernel parameter is read at one address a warp at a time, and the levels of a warp differ). Alignment:
// none needed; three packs a thread where the image starts at a multiple of 16 bytes and its pitch is 3.
#include <cstring>

#include "kernels/device.h"
#include "kernels/packs.h"
#include "kernels/photo.h"

namespace atrous::cuda {
namespace {

constexpr int kThreads = 256, kLevels = 256;

struct Levels {
  float value[3 * kLevels];  ///< [channel of the input][level]
};

template <typename T>
struct Problem {
  DevicePixels pixels;
  T* image;
  std::int64_t width, height, pitch;
  bool flip, bgr, packs;
};

template <typename T>
ATROUS_KERNEL void normalise_kernel(const Problem<T> a, const Levels levels) {
  constexpr int kRun = 16 / sizeof(T);
  ATROUS_SHARED(float, table, 3 * kLevels);
  for (int i = threadIdx.x; i < 3 * kLevels; i += kThreads) table[i] = levels.value[i];
  sync_block();
  const std::int64_t total = a.width * a.height;
  const std::int64_t first = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * kRun;
  if (first >= total) return;
  float value[3 * kRun] = {};
  std::int64_t y = first / a.width, x = first % a.width;
  for (int i = 0; i < kRun; ++i) {
    if (x < a.pixels.width && y < a.pixels.height) {
      const std::uint8_t* pixel =
          a.pixels.data + y * a.pixels.stride + 3 * (a.flip ? a.pixels.width - 1 - x : x);
      for (int c = 0; c < 3; ++c) value[3 * i + c] = table[c * kLevels + pixel[a.bgr ? 2 - c : c]];
    }
    if (++x == a.width) x = 0, ++y;
  }
  if (a.packs && first + kRun <= total) {
    for (int i = 0; i < 3; ++i) store_floats<kRun>(a.image + 3 * first + i * kRun, value + i * kRun);
    return;
  }
  for (int i = 0; i < kRun; ++i)
    for (int c = 0; c < 3 && first + i < total; ++c)
      a.image[(first + i) * a.pitch + c] = from_float<T>(value[3 * i + c]);
}

}  // namespace

void normalise(const DevicePixels& pixels, const PixelTable& table, bool flip, const TensorDesc& input,
               void* image, StreamHandle stream) {
  Levels levels;
  static_assert(sizeof levels.value == sizeof table.value);
  std::memcpy(levels.value, table.value.data(), sizeof levels.value);
  const Shape& s = input.shape;
  dispatch(input.dtype, [&]<typename T>(T) {
    const bool packs = input.pitch == 3 && reinterpret_cast<std::uintptr_t>(image) % 16 == 0;
    const Problem<T> problem{pixels, static_cast<T*>(image), s.w, s.h, input.pitch, flip, table.bgr, packs};
    constexpr std::int64_t kOfBlock = kThreads * 16 / sizeof(T);
    launch(normalise_kernel<T>, (s.w * s.h + kOfBlock - 1) / kOfBlock, kThreads, 0, stream, problem, levels);
  });
}

}  // namespace atrous::cuda

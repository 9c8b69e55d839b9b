// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/cuda/runtime.h"
#include "core/image.h"
#include "core/resample.h"

/// The two ends of a pass that meet the photo: its pixels into the network's input, the network's output at
/// its size. Addresses are on the device; everything is put on the stream and nothing waits.
namespace atrous::cuda {

/// 8-bit RGB pixels, three bytes a pixel, rows `stride` bytes apart.
struct DevicePixels {
  const std::uint8_t* data = nullptr;
  int width = 0, height = 0;
  std::ptrdiff_t stride = 0;
};

/// Fills one image of the network's input, as Stream::normalise() has it: `input` describes all images (3
/// channels, f32, f16 or bf16), `image` is the address of this one, at least as large as the pixels. Gaps of
/// the pitch are left alone.
void normalise(const DevicePixels& pixels, const PixelTable& table, bool flip, const TensorDesc& input,
               void* image, StreamHandle stream);

/// labels[y*width + x] of the photo: the class of the largest logit there, blended bilinearly from `logits`
/// (f32, f16 or bf16; up to 256 classes); the lowest id wins a tie. Sets *not_finite to 1 where any of the
/// logits is not finite, and leaves it alone otherwise. The scores at the photo's size never exist.
void upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels,
                     int* not_finite, StreamHandle stream);

/// Scores [height, width, classes] in f32 or f16 (`dtype`): the blended logits, or with `softmax` their
/// probabilities. The flag as above.
void upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax, DType dtype,
                     void* scores, int* not_finite, StreamHandle stream);

}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "core/image.h"

namespace atrous {

/// OpenCV's videos, as a plugin (image/plugin.h).
struct VideoCodec {
  struct Capture;  ///< a video that is read
  struct Encoder;  ///< one that is written
  using CapturePtr = std::unique_ptr<Capture, void (*)(Capture*)>;
  using EncoderPtr = std::unique_ptr<Encoder, void (*)(Encoder*)>;

  /// As the container says; 0 or nonsense where it does not.
  struct Facts {
    double width, height, frames_per_second, frames;
  };

  // Null where it cannot be opened. A file's path must be absolute: an address is never one.
  CapturePtr (*open_camera)(int number);
  CapturePtr (*open_frames)(const std::string& pattern);
  CapturePtr (*open_file)(const std::string& path);
  Facts (*facts)(const Capture& capture);
  /// The next frame, turned as the file says; false at the end.
  bool (*read)(Capture& capture, Image& frame);
  bool (*skip)(Capture& capture);

  /// An MP4 file, of H.264 where there is an encoder for it, else of MPEG-4; null where it cannot be.
  /// Deleting it closes the file.
  EncoderPtr (*create)(const std::string& path, double frames_per_second, int width, int height);
  void (*add)(Encoder& encoder, const ImageView& frame);
};

}  // namespace atrous

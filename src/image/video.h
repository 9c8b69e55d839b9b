// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "core/files.h"
#include "core/image.h"
#include "image/plugins/video_codec.h"

namespace atrous {

/// Is the name that of a video: a file by its extension, a camera ("camera:0") or the frames of a folder
/// ("frames/%04d.png")?
bool is_video(const std::filesystem::path& name);
/// Of these, is it a camera or a pattern, which no file of that name stands for?
bool is_camera(const std::filesystem::path& name);
bool is_frame_pattern(const std::filesystem::path& name);

/// The frames of a video, one after the other. One thread at a time.
class VideoReader {
 public:
  /// Throws Error{not_found | bad_file | unsupported} "NAME: reason". A file must begin as AVI, MP4, MOV, MKV
  /// or WebM do, whatever else the libraries behind it would open.
  explicit VideoReader(const std::filesystem::path& name);

  /// The next frame, turned as the file says; none at the end, which a file that is cut short has early.
  std::optional<Image> read();
  /// Passes the next frame over; false at the end.
  bool skip();

  /// 25 where the video does not say.
  double frames_per_second() const;
  /// How many the file says it has; 0 where it does not say.
  std::int64_t claimed_frames() const;

 private:
  std::filesystem::path name_;
  VideoCodec::CapturePtr capture_;
  VideoCodec::Facts facts_{};
};

/// An MP4 file of frames of one size, not there under its name before finish().
class VideoWriter {
 public:
  /// H.264 where OpenCV has an encoder for it, else MPEG-4. Throws Error{unsupported | io}.
  VideoWriter(const std::filesystem::path& file, double frames_per_second, int width, int height);

  /// Of odd sizes the last column or row is left out. Throws Error{invalid_argument} for another size.
  void add(const ImageView& frame);
  /// Throws Error{io}.
  void finish();

 private:
  std::filesystem::path name_;
  TemporaryFile file_;
  VideoCodec::EncoderPtr encoder_{nullptr, nullptr};
  int width_, height_;
};

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "image/plugins/video_codec.h"

#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>

#include "image/mat.h"

namespace atrous {

struct VideoCodec::Capture {
  cv::VideoCapture video;
  cv::Mat frame;
};

struct VideoCodec::Encoder {
  cv::VideoWriter video;
  cv::Mat frame;
};

namespace {

using Capture = VideoCodec::Capture;
using Encoder = VideoCodec::Encoder;

template <typename Open>
VideoCodec::CapturePtr capture(const Open& open) {
  VideoCodec::CapturePtr result(new Capture, [](Capture* done) { delete done; });
  if (!open(result->video)) result.reset();
  return result;
}

VideoCodec::CapturePtr open_camera(int number) {
  return capture([&](cv::VideoCapture& video) { return video.open(number); });
}

VideoCodec::CapturePtr open_frames(const std::string& pattern) {
  return capture([&](cv::VideoCapture& video) { return video.open(pattern, cv::CAP_IMAGES); });
}

VideoCodec::CapturePtr open_file(const std::string& path) {
  return capture([&](cv::VideoCapture& video) {
    return video.open(path, cv::CAP_FFMPEG) || video.open(path, cv::CAP_OPENCV_MJPEG);
  });
}

VideoCodec::Facts facts(const Capture& capture) {
  const cv::VideoCapture& video = capture.video;
  return {video.get(cv::CAP_PROP_FRAME_WIDTH), video.get(cv::CAP_PROP_FRAME_HEIGHT),
          video.get(cv::CAP_PROP_FPS), video.get(cv::CAP_PROP_FRAME_COUNT)};
}

bool read(Capture& capture, Image& image) {
  cv::Mat& frame = capture.frame;
  if (!capture.video.read(frame) || frame.empty() || frame.type() != CV_8UC3) return false;
  image = {frame.cols, frame.rows, std::vector<std::uint8_t>(frame.total() * 3)};
  cv::Mat rgb(frame.rows, frame.cols, CV_8UC3, image.rgb.data());
  cv::cvtColor(frame, rgb, cv::COLOR_BGR2RGB);
  return true;
}

bool skip(Capture& capture) { return capture.video.grab(); }

VideoCodec::EncoderPtr create(const std::string& path, double frames_per_second, int width, int height) {
  VideoCodec::EncoderPtr encoder(new Encoder, [](Encoder* done) { delete done; });
  for (const char* code : {"avc1", "mp4v"})
    if (encoder->video.open(path, cv::CAP_FFMPEG, cv::VideoWriter::fourcc(code[0], code[1], code[2], code[3]),
                            frames_per_second, {width, height}))
      return encoder;
  encoder.reset();
  return encoder;
}

void add(Encoder& encoder, const ImageView& frame) {
  cv::cvtColor(borrow(frame), encoder.frame, cv::COLOR_RGB2BGR);
  encoder.video.write(encoder.frame);
}

}  // namespace

extern "C" [[gnu::visibility("default")]] const VideoCodec atrous_video_codec{
    open_camera, open_frames, open_file, facts, read, skip, create, add};

}  // namespace atrous

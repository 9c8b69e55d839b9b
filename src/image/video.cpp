// SPDX-License-Identifier: Apache-2.0
#include "image/video.h"

#include <array>
#include <cmath>
#include <fstream>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <string>
#include <string_view>

#include "core/error.h"
#include "image/codec.h"
#include "image/mat.h"

namespace atrous {
namespace {

constexpr std::string_view kCamera = "camera:";
constexpr double kUsualRate = 25;  ///< frames a second

/// A playlist under a video's name would have the libraries open what it names.
bool begins_as_video(const std::filesystem::path& file) {
  std::array<char, 12> bytes{};
  std::ifstream(file, std::ios::binary).read(bytes.data(), bytes.size());
  const std::string_view start(bytes.data(), bytes.size()), box = start.substr(4, 4);
  if (start.starts_with("RIFF")) return start.ends_with("AVI ");
  if (start.starts_with("\x1A\x45\xDF\xA3")) return true;
  return box == "ftyp" || box == "moov" || box == "mdat" || box == "wide" || box == "free" || box == "skip";
}

int camera_number(const std::string& name) {
  const std::string number = name.substr(kCamera.size());
  if (number.size() > 3) fail(ErrorCode::not_found, "{}: there is no such camera", name);
  return std::stoi(number);
}

}  // namespace

struct VideoReader::Capture {
  cv::VideoCapture video;
  cv::Mat frame;
};

struct VideoWriter::Encoder {
  cv::VideoWriter video;
  cv::Mat frame;
};

bool is_camera(const std::filesystem::path& name) {
  const std::string& text = name.native();
  return text.starts_with(kCamera) && text.size() > kCamera.size() &&
         text.find_first_not_of("0123456789", kCamera.size()) == text.npos;
}

bool is_frame_pattern(const std::filesystem::path& name) {
  const std::string& text = name.native();
  const std::size_t at = text.find('%');
  if (at == text.npos || !has_image_extension(name)) return false;
  std::string_view rest = std::string_view(text).substr(at + 1);
  if (rest.starts_with('0') && rest.size() > 1 && rest[1] >= '1' && rest[1] <= '9') rest.remove_prefix(2);
  std::error_code status;
  return rest.starts_with('d') && rest.find('%') == rest.npos && !std::filesystem::exists(name, status);
}

bool is_video(const std::filesystem::path& name) {
  return has_extension(name, {"mp4", "m4v", "mov", "avi", "mkv", "webm"}) || is_camera(name) ||
         is_frame_pattern(name);
}

VideoReader::VideoReader(const std::filesystem::path& name)
    : name_(name), capture_(std::make_unique<Capture>()) {
  cv::VideoCapture& video = capture_->video;
  const std::string text = name.string();
  if (is_camera(name)) {
    if (!video.open(camera_number(text))) fail(ErrorCode::not_found, "{}: no camera can be opened", text);
  } else if (is_frame_pattern(name)) {
    if (!video.open(text, cv::CAP_IMAGES)) fail(ErrorCode::not_found, "{}: no frame matches", text);
  } else {
    std::error_code status;
    const std::uintmax_t size = std::filesystem::file_size(name, status);
    if (status) fail(ErrorCode::not_found, "{}: {}", text, status.message());
    if (size == 0) fail(ErrorCode::bad_file, "{}: is empty", text);
    if (!begins_as_video(name)) fail(ErrorCode::bad_file, "{}: is no AVI, MP4, MOV, MKV or WebM file", text);
    const std::string path = std::filesystem::absolute(name).string();  // never taken for an address
    if (!video.open(path, cv::CAP_FFMPEG) && !video.open(path, cv::CAP_OPENCV_MJPEG))
      fail(ErrorCode::bad_file, "{}: is a broken video, or of a kind that OpenCV has no decoder for", text);
  }
  const double pixels = video.get(cv::CAP_PROP_FRAME_WIDTH) * video.get(cv::CAP_PROP_FRAME_HEIGHT);
  if (pixels > static_cast<double>(kMostImagePixels))
    fail(ErrorCode::bad_file, "{}: claims frames of {} pixels, more than the limit of {}", text, pixels,
         kMostImagePixels);
}

VideoReader::~VideoReader() = default;

std::optional<Image> VideoReader::read() {
  cv::Mat& frame = capture_->frame;
  if (!capture_->video.read(frame) || frame.empty() || frame.type() != CV_8UC3) return {};
  Image image{frame.cols, frame.rows, std::vector<std::uint8_t>(frame.total() * 3)};
  cv::Mat rgb(frame.rows, frame.cols, CV_8UC3, image.rgb.data());
  cv::cvtColor(frame, rgb, cv::COLOR_BGR2RGB);
  return image;
}

bool VideoReader::skip() { return capture_->video.grab(); }

double VideoReader::frames_per_second() const {
  const double rate = capture_->video.get(cv::CAP_PROP_FPS);
  return rate > 0 && rate <= 1000 ? rate : kUsualRate;
}

std::int64_t VideoReader::claimed_frames() const {
  const double count = capture_->video.get(cv::CAP_PROP_FRAME_COUNT);
  if (has_extension(name_, {"mkv", "webm"})) return 0;  // only estimated, from the duration
  return count > 0 && count < 1e12 ? std::llround(count) : 0;
}

VideoWriter::VideoWriter(const std::filesystem::path& file, double frames_per_second, int width, int height)
    : name_(file),
      file_(file, TemporaryName::with_extension),
      encoder_(std::make_unique<Encoder>()),
      width_(width),
      height_(height) {
  if (width < 2 || height < 2)
    fail(ErrorCode::unsupported, "{}: a video cannot have frames of {}x{}", file.string(), width, height);
  const std::string path = std::filesystem::absolute(file_.path()).string();
  for (const char* code : {"avc1", "mp4v"})
    if (encoder_->video.open(path, cv::CAP_FFMPEG,
                             cv::VideoWriter::fourcc(code[0], code[1], code[2], code[3]), frames_per_second,
                             {width, height}))
      return;
  fail(ErrorCode::unsupported, "{}: cannot be written, or OpenCV has no encoder for MP4 here", file.string());
}

VideoWriter::~VideoWriter() = default;

void VideoWriter::add(const ImageView& frame) {
  if (frame.width != width_ || frame.height != height_)
    fail(ErrorCode::invalid_argument, "{}: a frame of {}x{} does not fit among those of {}x{}",
         name_.string(), frame.width, frame.height, width_, height_);
  cv::cvtColor(borrow(frame), encoder_->frame, cv::COLOR_RGB2BGR);
  encoder_->video.write(encoder_->frame);
}

void VideoWriter::finish() {
  encoder_->video.release();
  file_.finish();
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "image/video.h"

#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "image/codec.h"
#include "image/plugin.h"

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

const VideoCodec& video_codec() {
  static const auto& kCodec = plugin<VideoCodec>("video_codec");
  return kCodec;
}

VideoCodec::CapturePtr open_file(const std::filesystem::path& file) {
  const std::string name = file.string();
  std::error_code status;
  const std::uintmax_t size = std::filesystem::file_size(file, status);
  if (status) fail(ErrorCode::not_found, "{}: {}", name, status.message());
  if (size == 0) fail(ErrorCode::bad_file, "{}: is empty", name);
  if (!begins_as_video(file)) fail(ErrorCode::bad_file, "{}: is no AVI, MP4, MOV, MKV or WebM file", name);
  return video_codec().open_file(std::filesystem::absolute(file).string());
}

VideoCodec::CapturePtr open(const std::filesystem::path& name) {
  if (is_camera(name)) return video_codec().open_camera(camera_number(name));
  return is_frame_pattern(name) ? video_codec().open_frames(name) : open_file(name);
}

}  // namespace

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

VideoReader::VideoReader(const std::filesystem::path& name) : name_(name), capture_(open(name)) {
  if (!capture_ && is_camera(name)) fail(ErrorCode::not_found, "{}: no camera can be opened", name.string());
  if (!capture_ && is_frame_pattern(name)) fail(ErrorCode::not_found, "{}: no frame matches", name.string());
  if (!capture_)
    fail(ErrorCode::bad_file, "{}: is a broken video, or of a kind that OpenCV has no decoder for",
         name.string());
  facts_ = video_codec().facts(*capture_);
  const double pixels = facts_.width * facts_.height;
  if (pixels > static_cast<double>(kMostImagePixels))
    fail(ErrorCode::bad_file, "{}: claims frames of {} pixels, more than the limit of {}", name.string(),
         pixels, kMostImagePixels);
}

std::optional<Image> VideoReader::read() {
  Image image;
  if (!video_codec().read(*capture_, image)) return {};
  return image;
}

bool VideoReader::skip() { return video_codec().skip(*capture_); }

double VideoReader::frames_per_second() const {
  const double rate = facts_.frames_per_second;
  return rate > 0 && rate <= 1000 ? rate : kUsualRate;
}

std::int64_t VideoReader::claimed_frames() const {
  const double count = facts_.frames;
  if (has_extension(name_, {"mkv", "webm"})) return 0;  // only estimated, from the duration
  return count > 0 && count < 1e12 ? std::llround(count) : 0;
}

VideoWriter::VideoWriter(const std::filesystem::path& file, double frames_per_second, int width, int height)
    : name_(file), file_(file, TemporaryName::with_extension), width_(width), height_(height) {
  if (width < 2 || height < 2)
    fail(ErrorCode::unsupported, "{}: a video cannot have frames of {}x{}", file.string(), width, height);
  const std::string path = std::filesystem::absolute(file_.path()).string();
  encoder_ = video_codec().create(path, frames_per_second, width, height);
  if (!encoder_)
    fail(ErrorCode::unsupported, "{}: cannot be written, or OpenCV has no encoder for MP4 here",
         file.string());
}

void VideoWriter::add(const ImageView& frame) {
  if (frame.width != width_ || frame.height != height_)
    fail(ErrorCode::invalid_argument, "{}: a frame of {}x{} does not fit among those of {}x{}",
         name_.string(), frame.width, frame.height, width_, height_);
  video_codec().add(*encoder_, frame);
}

void VideoWriter::finish() {
  encoder_.reset();
  file_.finish();
}

}  // namespace atrous

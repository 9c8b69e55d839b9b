// SPDX-License-Identifier: Apache-2.0
#include "pipeline/crops.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "image/people.h"

namespace atrous {
namespace {

/// One axis: [begin, begin + length) scaled about its middle, outward to whole numbers, within [0, extent).
struct Span {
  int begin = 0, end = 0;
};

Span clip_axis(double begin, double length, double enlarge, int extent) {
  const double middle = begin + length / 2, half = length * enlarge / 2;
  auto clip = [&](double at) { return static_cast<int>(std::clamp(at, 0.0, static_cast<double>(extent))); };
  return {clip(std::floor(middle - half)), clip(std::ceil(middle + half))};
}

void add_times(StageTimes& sum, const StageTimes& part) {
  for (double StageTimes::*stage : {&StageTimes::preprocess, &StageTimes::network, &StageTimes::upsample,
                                    &StageTimes::crf, &StageTimes::superpixels})
    sum.*stage += part.*stage;
}

/// The result of a photo before anything is pasted: all background.
void start(SegmentResult& whole, const ImageView& photo, int classes) {
  const auto pixels = static_cast<std::size_t>(photo.width) * static_cast<std::size_t>(photo.height);
  whole.labels = {photo.width, photo.height, std::vector<std::uint8_t>(pixels, 0)};
  if (classes == 0) return;
  whole.probabilities = {photo.width, photo.height, classes,
                         std::vector<float>(pixels * static_cast<std::size_t>(classes), 0)};
  for (std::size_t i = 0; i < pixels; ++i) whole.probabilities.pixel(i)[0] = 1;
}

void paste(SegmentResult& whole, const SegmentResult& part, const Crop& crop) {
  const ScoreMap& scores = part.probabilities;
  for (int y = 0; y < crop.height; ++y)
    for (int x = 0; x < crop.width; ++x) {
      const auto from =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(crop.width) + static_cast<std::size_t>(x);
      const auto to = static_cast<std::size_t>(crop.y + y) * static_cast<std::size_t>(whole.labels.width) +
                      static_cast<std::size_t>(crop.x + x);
      if (whole.labels.ids[to] != 0) continue;
      whole.labels.ids[to] = part.labels.ids[from];
      if (!scores.values.empty())
        std::copy_n(scores.pixel(from), scores.classes, whole.probabilities.pixel(to));
    }
}

/// A crop and its photo's index.
struct Part {
  std::size_t photo;
  Crop crop;
};

}  // namespace

Crop crop_of(const PhotoBox& box, double enlarge, int photo_width, int photo_height) {
  if (!(enlarge >= 0.1 && enlarge <= 10))
    fail(ErrorCode::invalid_argument, "enlarge: {} is not between 0.1 and 10", enlarge);
  constexpr double kFarthest = 1e9;  // more pixels than any photo has
  for (double value : {box.x, box.y, box.width, box.height})
    if (!(std::abs(value) <= kFarthest))
      fail(ErrorCode::invalid_argument, "box {},{},{},{} is no place in a photo", box.x, box.y, box.width,
           box.height);
  if (box.width <= 0 || box.height <= 0)
    fail(ErrorCode::invalid_argument, "box {},{},{},{} is empty", box.x, box.y, box.width, box.height);
  const Span columns = clip_axis(box.x, box.width, enlarge, photo_width),
             rows = clip_axis(box.y, box.height, enlarge, photo_height);
  if (columns.begin >= columns.end || rows.begin >= rows.end)
    fail(ErrorCode::invalid_argument, "box {},{},{},{} lies outside the photo ({}x{})", box.x, box.y,
         box.width, box.height, photo_width, photo_height);
  return {columns.begin, rows.begin, columns.end - columns.begin, rows.end - rows.begin};
}

std::vector<Crop> choose_crops(const ImageView& photo, std::span<const PhotoBox> boxes,
                               const CropOptions& options) {
  std::vector<PhotoBox> found;
  if (options.detect_people) boxes = found = detect_people(photo);
  std::vector<Crop> crops;
  for (const PhotoBox& box : boxes) crops.push_back(crop_of(box, options.enlarge, photo.width, photo.height));
  return crops;
}

std::vector<SegmentResult> segment_crops(Segmenter& segmenter, std::span<const CroppedPhoto> photos,
                                         int most) {
  std::vector<SegmentResult> results(photos.size());
  std::vector<Part> parts;
  for (std::size_t i = 0; i < photos.size(); ++i) {
    const auto& [photo, crops] = photos[i];
    if (crops.empty()) parts.push_back({i, {0, 0, photo.width, photo.height}});
    for (const Crop& crop : crops) parts.push_back({i, crop});
  }
  for (std::size_t begin = 0; begin < parts.size(); begin += static_cast<std::size_t>(most)) {
    const auto group =
        std::span(parts).subspan(begin, std::min(parts.size() - begin, static_cast<std::size_t>(most)));
    std::vector<ImageView> views;
    for (const Part& part : group) views.push_back(cut(photos[part.photo].photo, part.crop));
    std::vector<SegmentResult> pieces = segmenter.run(views);
    for (std::size_t i = 0; i < group.size(); ++i) {
      SegmentResult& whole = results[group[i].photo];
      const CroppedPhoto& source = photos[group[i].photo];
      if (source.crops.empty()) {
        whole = std::move(pieces[i]);
        continue;
      }
      if (whole.labels.ids.empty()) start(whole, source.photo, pieces[i].probabilities.classes);
      paste(whole, pieces[i], group[i].crop);
      if (whole.template_sheet.rgb.empty()) whole.template_sheet = std::move(pieces[i].template_sheet);
      add_times(whole.times, pieces[i].times);
      whole.tiles.all += pieces[i].tiles.all, whole.tiles.reused += pieces[i].tiles.reused;
    }
  }
  return results;
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "pipeline/outputs.h"

#include "image/codec.h"
#include "image/npy.h"
#include "image/overlay.h"
#include "image/polygons.h"
#include "image/rle.h"

namespace atrous {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

}  // namespace

std::vector<std::byte> encode_output(const OutputKind& kind, const ImageView& photo,
                                     const SegmentResult& result, const LabelSet& labels,
                                     const std::string& name) {
  if (kind.wanted == &SaveOptions::overlay) return encode_jpeg(overlay(photo, result.labels, labels).view());
  if (kind.wanted == &SaveOptions::color) return encode_png(color_map(result.labels, labels).view());
  if (kind.wanted == &SaveOptions::templates) return encode_jpeg(result.template_sheet.view());
  if (kind.wanted == &SaveOptions::probs) return encode_npy(result.probabilities);
  if (kind.wanted == &SaveOptions::rle) return bytes_of(encode_rle(result.labels, labels, name));
  if (kind.wanted == &SaveOptions::polygons) return bytes_of(encode_polygons(result.labels, labels, name));
  return encode_mask(result.labels, labels);
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "pipeline/segmenter.h"

namespace atrous {

/// The box scaled by `enlarge` about its centre, outward to whole pixels, then clipped to the photo. Throws
/// Error{invalid_argument} where the box is empty or nothing of it is left, and for a factor that is not
/// between 0.1 and 10.
Crop crop_of(const PhotoBox& box, double enlarge, int photo_width, int photo_height);

/// Where to look in a photo.
struct CropOptions {
  bool detect_people = false;  ///< find the boxes (image/people.h)
  double enlarge = 1;          ///< factor on every box, see crop_of
};

/// The crops of `boxes`, or of the people that are found; none: the whole photo. Throws as crop_of.
std::vector<Crop> choose_crops(const ImageView& photo, std::span<const PhotoBox> boxes,
                               const CropOptions& options);

/// A photo and what of it goes through the network; no crops: all of it.
struct CroppedPhoto {
  ImageView photo;
  std::span<const Crop> crops;
};

/// Segments every crop as a photo of its own, at most `most` in a run of the network (refinement sees the
/// crop too), and pastes the results into label maps and probabilities of the photos' sizes. What no crop
/// covers is class 0, with probability 1. Where crops overlap, a pixel takes label and probabilities from the
/// first crop that sees a class other than 0 there, else from the last. Neither `most` nor the company of
/// other photos changes a result. Throws what Segmenter::run throws.
std::vector<SegmentResult> segment_crops(Segmenter& segmenter, std::span<const CroppedPhoto> photos,
                                         int most);

}  // namespace atrous

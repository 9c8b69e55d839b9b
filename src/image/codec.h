// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "config/labels.h"
#include "core/image.h"

namespace atrous {

/// Pixels that an image may have: more than 23000x23000, and half of what OpenCV takes.
inline constexpr std::int64_t kMostImagePixels = std::int64_t{1} << 29;

/// Decodes JPEG, PNG, WebP, TIFF or BMP to 8-bit RGB: turned as EXIF says, of 16 bits the upper 8, grey
/// repeated, alpha dropped. `name` stands for the image in messages. A file that is empty, cut short, of
/// another kind or larger than kMostImagePixels is Error{bad_file} "NAME: reason"; one whose pixels find no
/// memory is Error{out_of_memory} or std::bad_alloc.
Image decode_image(std::span<const std::byte> file, const std::string& name);
Image load_image(const std::filesystem::path& file);

/// Is the name's extension that of an image?
bool has_image_extension(const std::filesystem::path& file);

std::vector<std::byte> encode_png(const ImageView& image);
std::vector<std::byte> encode_jpeg(const ImageView& image, int quality = 92);

/// 8-bit indexed PNG: pixel = class id, the palette of the label set, 255 = ignore.
std::vector<std::byte> encode_mask(const LabelMap& labels, const LabelSet& set);

/// The ids of an 8-bit indexed or grey PNG. Throws Error{not_found | bad_file}.
LabelMap load_mask(const std::filesystem::path& file);

}  // namespace atrous

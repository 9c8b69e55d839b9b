// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "core/image.h"

namespace atrous {

/// An image or a video (image/video.h) to work on, and the path of its outputs relative to the output folder,
/// without extension; of a video the folder of its frames' outputs. The names are somebody else's memory: a
/// folder has a hundred thousand of them.
struct InputFile {
  std::string_view file, stem;
  std::vector<PhotoBox> boxes = {};  ///< of the people to look at; none: the whole photo
};

/// Inputs in their order, with the memory of their names, which copies share.
struct InputList {
  std::vector<InputFile> files;
  std::shared_ptr<std::pmr::monotonic_buffer_resource> names =
      std::make_shared<std::pmr::monotonic_buffer_resource>();

  /// A copy of the text, as long-lived as `names`.
  std::string_view keep(std::string_view text);
};

/// Images, folders (their sub-folders too with `recurse`; sub-folders are kept in the stem), globs (* ? [])
/// and @lists of files, in sorted order within each, a file once; videos where they are named, not those in
/// folders, of which hidden files and folders are left out. Where two inputs have one stem, the later ones
/// keep their extension in it ("a.png" beside "a.jpg"), then get a number. Throws Error{not_found |
/// invalid_argument} where an input is missing or has no images.
InputList list_inputs(const std::vector<std::string>& inputs, bool recurse);

/// The words of a text file, spaces and line ends between them. Throws Error{not_found | io | bad_file}.
std::vector<std::string> read_words(const std::filesystem::path& file);

}  // namespace atrous

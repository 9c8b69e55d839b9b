// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inputs.h"

#include <glob.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <type_traits>
#include <unordered_set>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"
#include "image/video.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

std::string_view extension_of(std::string_view name) {
  return name.substr(name.size() - fs::path(name).extension().native().size());
}

std::string_view without_extension(std::string_view name) {
  return name.substr(0, name.size() - extension_of(name).size());
}

/// The order of paths, folder by folder: '/' comes before every other character.
bool is_before(const InputFile& a, const InputFile& b) {
  return std::lexicographical_compare(
      a.file.begin(), a.file.end(), b.file.begin(), b.file.end(), [](char left, char right) {
        auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
        return rank(left) < rank(right);
      });
}

/// The stem is the file's name without its first `folder` characters and its extension.
void add(InputList& list, std::string_view name, std::size_t folder) {
  const std::string_view file = list.keep(name);
  list.files.push_back({file, without_extension(file.substr(folder))});
}

void add_named(InputList& list, std::string_view name) { add(list, name, name.rfind('/') + 1); }

/// ".name": what a person does not mean by a folder's images, such as macOS's "._photo.jpg".
bool is_hidden(const fs::path& file) { return file.filename().native().starts_with('.'); }

template <typename Iterator>
void add_folder(const std::string& folder, InputList& list) {
  const std::size_t before = list.files.size();
  bool videos = false;
  std::error_code status;
  for (Iterator it(folder, status), end; !status && it != end; it.increment(status)) {
    const fs::path& file = it->path();
    if (is_hidden(file)) {
      if constexpr (std::is_same_v<Iterator, fs::recursive_directory_iterator>)
        it.disable_recursion_pending();
      continue;
    }
    if (!has_image_extension(file)) {
      videos = videos || is_video(file);
      continue;
    }
    std::error_code gone;  // a link to nowhere is listed, to fail alone as an image that cannot be read
    if (it->is_regular_file(gone) || (it->is_symlink(gone) && !fs::exists(it->status(gone))))
      add(list, file.native(), file.native().find_first_not_of('/', folder.size()));
  }
  if (status) fail(ErrorCode::io, "{}: {}", folder, status.message());
  if (list.files.size() == before)
    fail(ErrorCode::not_found, "{}: there are no images in this folder{}", folder,
         videos ? "; a video is taken where it is named itself" : "");
  std::sort(list.files.begin() + static_cast<std::ptrdiff_t>(before), list.files.end(), is_before);
}

void add_glob(const std::string& pattern, InputList& list) {
  glob_t matches{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &matches);
  const std::size_t before = list.files.size();
  std::error_code gone;
  for (std::size_t i = 0; status == 0 && i < matches.gl_pathc; ++i)
    if (fs::is_regular_file(matches.gl_pathv[i], gone)) add_named(list, matches.gl_pathv[i]);
  globfree(&matches);
  if (list.files.size() == before) fail(ErrorCode::not_found, "{}: no file matches", pattern);
}

void add_list(const std::string& name, InputList& list) {
  const std::vector<std::byte> content = read_file(name);
  std::string_view rest(reinterpret_cast<const char*>(content.data()), content.size());
  const std::size_t before = list.files.size();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) add_named(list, line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (list.files.size() == before) fail(ErrorCode::invalid_argument, "{}: the list names no files", name);
}

/// A file that several inputs name is one image.
void drop_repeated(InputList& list) {
  std::unordered_set<std::string_view> seen(list.files.size());
  std::erase_if(list.files, [&](const InputFile& input) { return !seen.insert(input.file).second; });
}

/// A camera's or a frame pattern's, which have no extension to leave out.
fs::path stem_of_stream(const std::string& name) {
  if (!is_camera(name)) {
    const fs::path folder = fs::path(name).parent_path().filename();
    return folder.empty() || folder == "." || folder == ".." ? "frames" : folder;
  }
  std::string stem = name;
  std::erase(stem, ':');
  return stem;
}

/// No two inputs may write the same file: neither the same stem nor, as X.color.png is the second output of
/// X, X beside X.color, nor anything in the folder of a video's frames. Videos give way to images.
void make_stems_unique(InputList& list) {
  constexpr std::string_view kColor = ".color";
  const bool has_videos = std::any_of(list.files.begin(), list.files.end(),
                                      [](const InputFile& input) { return is_video(input.file); });
  std::unordered_set<std::string_view> taken(list.files.size());
  auto is_free = [&](std::string_view stem) {
    if (taken.contains(stem) || taken.contains(std::string(stem).append(kColor))) return false;
    return !stem.ends_with(kColor) || !taken.contains(stem.substr(0, stem.size() - kColor.size()));
  };
  std::unordered_set<std::string> folders;  // of what is taken
  auto is_free_folder = [&](std::string_view stem) { return !folders.contains(std::string(stem)); };
  auto take = [&](std::string_view stem) {
    taken.insert(stem);
    if (!has_videos) return;
    for (fs::path folder = fs::path(stem).parent_path(); !folder.empty(); folder = folder.parent_path())
      if (!folders.insert(folder.string()).second || folder == folder.root_path()) break;
  };
  for (const bool videos : {false, true})
    for (InputFile& input : list.files) {
      if (is_video(input.file) != videos) continue;
      auto fits = [&](std::string_view stem) { return is_free(stem) && (!videos || is_free_folder(stem)); };
      if (!fits(input.stem)) {
        const std::string base = std::string(input.stem).append(extension_of(input.file));
        std::string stem = base;
        for (int i = 2; !fits(stem); ++i) stem = base + "-" + std::to_string(i);
        input.stem = list.keep(stem);
      }
      take(input.stem);
    }
}

}  // namespace

std::string_view InputList::keep(std::string_view text) {
  auto* copy = static_cast<char*>(names->allocate(text.size(), 1));
  return {copy, text.copy(copy, text.size())};
}

InputList list_inputs(const std::vector<std::string>& inputs, bool recurse) {
  InputList list;
  for (const std::string& input : inputs) {
    std::error_code status;
    if (fs::is_directory(input, status)) {
      recurse ? add_folder<fs::recursive_directory_iterator>(input, list)
              : add_folder<fs::directory_iterator>(input, list);
    } else if (input.starts_with('@')) {
      add_list(input.substr(1), list);
    } else if (fs::exists(input, status)) {
      add_named(list, input);
    } else if (is_camera(input) || is_frame_pattern(input)) {
      list.files.push_back({list.keep(input), list.keep(stem_of_stream(input).native())});
    } else if (input.find_first_of("*?[") != std::string::npos) {
      add_glob(input, list);
    } else {
      fail(ErrorCode::not_found, "{}: there is no such file or folder", input);
    }
  }
  drop_repeated(list);
  make_stems_unique(list);
  return list;
}

std::vector<std::string> read_words(const fs::path& file) {
  const std::vector<std::byte> content = read_file(file);
  std::istringstream stream(std::string(reinterpret_cast<const char*>(content.data()), content.size()));
  return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inputs.h"

#include <glob.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "image/codec.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

fs::path without_extension(fs::path path) { return path.replace_extension(); }

template <typename Iterator>
void add_folder(const fs::path& folder, std::vector<InputFile>& files) {
  std::vector<fs::path> found;
  std::error_code status;
  for (Iterator it(folder, status), end; !status && it != end; it.increment(status)) {
    std::error_code gone;  // a link to nowhere is listed, to fail alone as an image that cannot be read
    const fs::file_type type = it->status(gone).type();
    const bool wanted = type == fs::file_type::regular || type == fs::file_type::not_found;
    if (wanted && has_image_extension(it->path())) found.push_back(it->path());
  }
  if (status) fail(ErrorCode::io, "{}: {}", folder.string(), status.message());
  if (found.empty()) fail(ErrorCode::not_found, "{}: there are no images in this folder", folder.string());
  std::sort(found.begin(), found.end());
  for (const fs::path& file : found)
    files.push_back({file, without_extension(file.lexically_relative(folder))});
}

void add_glob(const std::string& pattern, std::vector<InputFile>& files) {
  glob_t matches{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &matches);
  std::vector<fs::path> found(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  globfree(&matches);
  std::erase_if(found, [](const fs::path& path) { return !fs::is_regular_file(path); });
  if (status != 0 || found.empty()) fail(ErrorCode::not_found, "{}: no file matches", pattern);
  for (const fs::path& file : found) files.push_back({file, file.stem()});
}

void add_list(const std::string& name, std::vector<InputFile>& files) {
  const std::vector<std::byte> content = read_file(name);
  std::string_view rest(reinterpret_cast<const char*>(content.data()), content.size());
  const std::size_t before = files.size();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) files.push_back({fs::path(line), fs::path(line).stem()});
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (files.size() == before) fail(ErrorCode::invalid_argument, "{}: the list names no files", name);
}

/// No two inputs may write the same file: neither the same stem nor, as X.color.png is the second output of
/// X, X beside X.color.
void make_stems_unique(std::vector<InputFile>& files) {
  constexpr std::string_view kColor = ".color";
  std::set<std::string> taken;
  auto is_free = [&](const std::string& stem) {
    if (taken.contains(stem) || taken.contains(stem + std::string(kColor))) return false;
    return !stem.ends_with(kColor) || !taken.contains(stem.substr(0, stem.size() - kColor.size()));
  };
  for (InputFile& input : files) {
    std::string stem = input.stem.string();
    if (!is_free(stem)) {
      const std::string base = stem += input.file.extension().string();
      for (int i = 2; !is_free(stem); ++i) stem = base + "-" + std::to_string(i);
    }
    taken.insert(stem);
    input.stem = stem;
  }
}

}  // namespace

std::vector<InputFile> list_inputs(const std::vector<std::string>& inputs, bool recurse) {
  std::vector<InputFile> files;
  for (const std::string& input : inputs) {
    std::error_code status;
    if (fs::is_directory(input, status)) {
      recurse ? add_folder<fs::recursive_directory_iterator>(input, files)
              : add_folder<fs::directory_iterator>(input, files);
    } else if (input.starts_with('@')) {
      add_list(input.substr(1), files);
    } else if (fs::exists(input, status)) {
      files.push_back({input, fs::path(input).stem()});
    } else if (input.find_first_of("*?[") != std::string::npos) {
      add_glob(input, files);
    } else {
      fail(ErrorCode::not_found, "{}: there is no such file or folder", input);
    }
  }
  make_stems_unique(files);
  return files;
}

std::vector<std::string> read_words(const fs::path& file) {
  const std::vector<std::byte> content = read_file(file);
  std::istringstream stream(std::string(reinterpret_cast<const char*>(content.data()), content.size()));
  return {std::istream_iterator<std::string>(stream), {}};
}

}  // namespace atrous

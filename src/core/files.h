// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace atrous {

/// A whole file, mapped read-only.
struct MappedFile {
  std::shared_ptr<const std::byte> data;
  std::size_t size = 0;
};
/// Throws Error{not_found | io}.
MappedFile map_file(const std::filesystem::path& file);

/// A whole file (or, for "-", standard input) of at most 1 GiB. Throws Error{not_found | io | bad_file}.
std::vector<std::byte> read_file(const std::filesystem::path& file);

/// While one lives, others of the same file wait in their constructor, those of other processes too. The
/// file, made where it is missing with its folders, stays and is never written. Throws Error{io}.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

/// Calls `write` with a temporary name beside `file` and renames it to `file` when that returns; nothing is
/// left where it throws. Makes missing parent folders. A device such as /dev/null is written in place. Throws
/// Error{io} naming `file`.
void replace_file(const std::filesystem::path& file,
                  const std::function<void(const std::filesystem::path&)>& write);

/// replace_file with these bytes as the content.
void write_file(const std::filesystem::path& file, std::span<const std::byte> content);

}  // namespace atrous

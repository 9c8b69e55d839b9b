// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atrous {

/// A whole file, mapped read-only.
struct MappedFile {
  std::shared_ptr<const std::byte> data;
  std::size_t size = 0;
};
/// Throws Error{not_found | io}.
MappedFile map_file(const std::filesystem::path& file);
/// Gives back the memory of that part of a mapped file; what is read again comes from the file again.
void forget_pages(const std::byte* begin, std::size_t size);

/// Of a file that is read whole: what OpenCV decodes, whose sizes are ints.
inline constexpr std::size_t kMostFileBytes = (std::size_t{1} << 31U) - 1;

/// A whole file (or, for "-", standard input) of less than 2 GiB. Throws Error{not_found | io | bad_file}.
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

/// A file that grows by lines at its end. A line is with the system when add() returns: it outlives the
/// process.
class LineWriter {
 public:
  /// Makes the file and missing parent folders. Throws Error{io}.
  explicit LineWriter(const std::filesystem::path& file);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  /// Adds the line and its end, or nothing at all. Throws Error{io}.
  void add(std::string_view line);

 private:
  std::string file_;
  int fd_;
};

/// Of a temporary name: an end of its own, or that of the file as well, for libraries that go by it.
enum class TemporaryName { of_its_own, with_extension };

/// A file that is written under a temporary name beside it, and not there before finish(). A device such as
/// /dev/null is written in place.
class TemporaryFile {
 public:
  /// Makes missing parent folders, not yet the file. Throws Error{io}.
  explicit TemporaryFile(const std::filesystem::path& file, TemporaryName name = TemporaryName::of_its_own);
  ~TemporaryFile();  ///< without finish(): nothing is left
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::filesystem::path& path() const { return path_; }  ///< the name to write to
  /// Gives what was written its name. Throws Error{io}.
  void finish();

 private:
  std::filesystem::path file_, path_;
  bool renames_;
};

/// Calls `write` with a temporary name beside `file` and renames it to `file` when that returns; nothing is
/// left where it throws. Makes missing parent folders. A device such as /dev/null is written in place. Throws
/// Error{io} naming `file`.
void replace_file(const std::filesystem::path& file,
                  const std::function<void(const std::filesystem::path&)>& write);

/// Is the name's extension one of these ("png", in lower case), in whatever case?
bool has_extension(const std::filesystem::path& name, std::initializer_list<std::string_view> known);

/// The file that a name of TemporaryFile stands for; none for any other name.
std::optional<std::filesystem::path> meant_by_temporary(const std::filesystem::path& file);

/// replace_file with these bytes as the content.
void write_file(const std::filesystem::path& file, std::span<const std::byte> content);

/// For work that takes long before it writes: throws Error{io} now where write_file() would then for want of
/// the place or the right. Makes nothing.
void check_writable(const std::filesystem::path& file);

}  // namespace atrous

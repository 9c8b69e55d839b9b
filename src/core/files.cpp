// SPDX-License-Identifier: Apache-2.0
#include "core/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "core/text.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPart = ".part";  ///< in temporary names, before the process and a number

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const fs::path& file, int flags)
      : fd_(::open(file.c_str(), flags | O_CLOEXEC, 0666)), file_(file.string()) {
    if (fd_ < 0) complain();
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  [[noreturn]] void complain() const {
    fail(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io, "{}: {}", file_, std::strerror(errno));
  }
  std::size_t size() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) complain();
    if (S_ISDIR(status.st_mode)) fail(ErrorCode::io, "{}: is a folder", file_);
    return static_cast<std::size_t>(status.st_size);
  }

 private:
  int fd_;
  std::string file_;
};

void make_parents(const fs::path& file) {
  std::error_code status;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), status);
  if (status) fail(ErrorCode::io, "{}: cannot be written: {}", file.string(), status.message());
}

}  // namespace

MappedFile map_file(const fs::path& file) {
  const Descriptor descriptor(file, O_RDONLY);
  const std::size_t size = descriptor.size();
  if (size == 0) return {};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (address == MAP_FAILED) descriptor.complain();
  return {{static_cast<const std::byte*>(address),
           [size](const std::byte* p) { ::munmap(const_cast<std::byte*>(p), size); }},
          size};
}

void forget_pages(const std::byte* begin, std::size_t size) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page,
             last = (reinterpret_cast<std::uintptr_t>(begin) + size) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

std::vector<std::byte> read_file(const fs::path& file) {
  const Descriptor descriptor(file == "-" ? fs::path("/dev/stdin") : file, O_RDONLY);
  auto refuse = [&] { fail(ErrorCode::bad_file, "{}: is larger than 2 GiB", file.string()); };
  if (descriptor.size() > kMostFileBytes) refuse();
  std::vector<std::byte> content(descriptor.size());
  std::size_t filled = 0;
  while (true) {  // a pipe has no size, and a file may grow or shrink while it is read
    if (filled > kMostFileBytes) refuse();
    if (filled == content.size()) content.resize(content.size() + (1U << 16U));
    const ssize_t got = ::read(descriptor.get(), content.data() + filled, content.size() - filled);
    if (got < 0) descriptor.complain();
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  content.resize(filled);
  return content;
}

FileLock::FileLock(const fs::path& file) {
  make_parents(file);
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  int status = fd_;
  if (fd_ >= 0) do
      status = ::flock(fd_, LOCK_EX);
    while (status != 0 && errno == EINTR);
  if (status >= 0) return;
  const std::string reason = std::strerror(errno);
  if (fd_ >= 0) ::close(fd_);
  fail(ErrorCode::io, "{}: cannot be locked: {}", file.string(), reason);
}

FileLock::~FileLock() { ::close(fd_); }

LineWriter::LineWriter(const fs::path& file) : file_(file.string()) {
  make_parents(file);
  fd_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(ErrorCode::io, "{}: cannot be written: {}", file_, std::strerror(errno));
}

LineWriter::~LineWriter() { ::close(fd_); }

void LineWriter::add(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  const off_t before = ::lseek(fd_, 0, SEEK_END);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(fd_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const std::string reason = std::strerror(errno);
      if (before >= 0 && done > 0 && ::ftruncate(fd_, before) != 0) ::write(fd_, "\n", 1);
      fail(ErrorCode::io, "{}: cannot be written: {}", file_, reason);
    }
    done += static_cast<std::size_t>(wrote);
  }
}

bool has_extension(const fs::path& name, std::initializer_list<std::string_view> known) {
  const std::string extension = lower(name.extension().string());
  return !extension.empty() && std::find(known.begin(), known.end(), extension.substr(1)) != known.end();
}

std::optional<fs::path> meant_by_temporary(const fs::path& file) {
  const std::string name = file.filename().string();
  const std::size_t at = name.rfind(kPart);
  if (at == name.npos || at == 0) return {};
  const std::string_view rest = std::string_view(name).substr(at + kPart.size());
  const std::string_view numbers = rest.substr(0, rest.find('.')), extension = rest.substr(numbers.size());
  const std::size_t dash = numbers.find('-');
  auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
  };
  if (dash == numbers.npos || !is_number(numbers.substr(0, dash)) || !is_number(numbers.substr(dash + 1)))
    return {};
  fs::path meant = file.parent_path() / name.substr(0, at);
  if (!extension.empty() && extension != meant.extension().string()) return {};
  return meant;
}

namespace {

/// A device or a pipe, which nothing can take the place of.
bool is_written_in_place(const fs::path& file) {
  std::error_code status;
  const fs::file_type type = fs::status(file, status).type();
  return type == fs::file_type::character || type == fs::file_type::fifo;
}

}  // namespace

TemporaryFile::TemporaryFile(const fs::path& file, TemporaryName name) : file_(file), path_(file) {
  static std::atomic<unsigned> counter{0};
  make_parents(file);
  renames_ = !is_written_in_place(file);
  if (!renames_) return;
  path_ += fmt::format("{}{}-{}", kPart, ::getpid(), counter++);
  if (name == TemporaryName::with_extension) path_ += file.extension();
}

TemporaryFile::~TemporaryFile() {
  std::error_code status;
  if (renames_) fs::remove(path_, status);
}

void TemporaryFile::finish() {
  std::error_code status;
  if (renames_) fs::rename(path_, file_, status);
  if (status) fail(ErrorCode::io, "{}: cannot be written: {}", file_.string(), status.message());
  renames_ = false;
}

void replace_file(const fs::path& file, const std::function<void(const fs::path&)>& write) {
  TemporaryFile temporary(file);
  try {
    write(temporary.path());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::io && error.code() != ErrorCode::not_found) throw;
    std::string reason = error.message();
    const std::string start = temporary.path().string() + ": ";
    if (reason.starts_with(start)) reason.erase(0, start.size());
    fail(ErrorCode::io, "{}: cannot be written: {}", file.string(), reason);
  }
  temporary.finish();
}

void check_writable(const fs::path& file) {
  std::error_code status;
  fs::path place = fs::absolute(file, status);  // the device, or the nearest folder that is there
  if (!is_written_in_place(file)) place = place.parent_path();
  while (!fs::exists(place, status) && place.has_relative_path()) place = place.parent_path();
  int error = ::access(place.c_str(), W_OK) == 0 ? 0 : errno;
  if (fs::is_directory(file, status)) error = EISDIR;
  if (fs::is_regular_file(place, status)) error = ENOTDIR;
  if (error != 0) fail(ErrorCode::io, "{}: cannot be written: {}", file.string(), std::strerror(error));
}

void write_file(const fs::path& file, std::span<const std::byte> content) {
  replace_file(file, [&](const fs::path& temporary) {
    const Descriptor descriptor(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    for (std::size_t done = 0; done < content.size();) {
      const ssize_t wrote = ::write(descriptor.get(), content.data() + done, content.size() - done);
      if (wrote < 0) descriptor.complain();
      done += static_cast<std::size_t>(wrote);
    }
  });
}

}  // namespace atrous

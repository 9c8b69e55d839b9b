// SPDX-License-Identifier: Apache-2.0
// Files are read whole or not at all and written whole or not at all.
#include "core/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/error.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

template <typename F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.message();
  }
  return "no error";
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

TEST(WriteFile, MakesFoldersAndReplaces) {
  const test::TempFolder folder;
  const fs::path file = folder / "new/deep er/é.txt";
  write_file(file, bytes("one"));
  write_file(file, bytes("two"));
  EXPECT_EQ(read_file(file).size(), 3U);
  EXPECT_EQ(static_cast<char>(read_file(file)[0]), 't');
  EXPECT_EQ(files_in(file.parent_path()), 1U);
}

TEST(WriteFile, LeavesNothingWhereItFails) {
  const test::TempFolder folder;
  fs::create_directories(folder / "taken");
  EXPECT_EQ(message_of([&] { write_file(folder / "taken", bytes("x")); }),
            (folder / "taken").string() + ": cannot be written: Is a directory");
  folder.write("file", "");
  EXPECT_EQ(message_of([&] { write_file(folder / "file/x", bytes("x")); }),
            (folder / "file/x").string() + ": cannot be written: Not a directory");
  EXPECT_EQ(message_of([&] {
              replace_file(folder / "half", [](const fs::path& temporary) {
                write_file(temporary, bytes("half"));
                fail(ErrorCode::io, "{}: No space left on device", temporary.string());
              });
            }),
            (folder / "half").string() + ": cannot be written: No space left on device");
  EXPECT_EQ(files_in(folder.path()), 2U);
  fs::permissions(folder / "taken", fs::perms::owner_read | fs::perms::owner_exec);
  if (geteuid() != 0) {  // root may write anywhere
    EXPECT_EQ(message_of([&] { write_file(folder / "taken/x", bytes("x")); }),
              (folder / "taken/x").string() + ": cannot be written: Permission denied");
  }
}

TEST(WriteFile, IsTriedBeforehandWithoutATrace) {
  const test::TempFolder folder;
  const fs::path file = folder.write("taken/file", "content");
  for (const fs::path& refused : {folder / "taken", file / "x"})
    EXPECT_EQ(message_of([&] { check_writable(refused); }),
              message_of([&] { write_file(refused, bytes("x")); }));
  check_writable(file), check_writable(folder / "taken/a/b"), check_writable("here"),
      check_writable("/dev/null");
  EXPECT_EQ(read_file(file).size(), 7U);
  EXPECT_EQ(files_in(folder / "taken"), 1U);
}

TEST(WriteFile, DevicesAreWrittenInPlace) {
  EXPECT_EQ(message_of([] { write_file("/dev/full", bytes("x")); }),
            "/dev/full: cannot be written: No space left on device");
  write_file("/dev/null", bytes("x"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(ReadFile, RefusesWhatIsNoFileOrTooLarge) {
  const test::TempFolder folder;
  EXPECT_EQ(message_of([&] { read_file(folder / "no"); }),
            (folder / "no").string() + ": No such file or directory");
  EXPECT_EQ(message_of([&] { read_file(folder.path()); }), folder.path().string() + ": is a folder");
  EXPECT_EQ(message_of([&] { map_file(folder.path()); }), folder.path().string() + ": is a folder");
  const fs::path sparse = folder.write("sparse", "");
  fs::resize_file(sparse, std::uintmax_t{1} << 40U);
  EXPECT_EQ(message_of([&] { read_file(sparse); }), sparse.string() + ": is larger than 2 GiB");
  EXPECT_TRUE(read_file(folder.write("empty", "")).empty());
  EXPECT_EQ(map_file(folder / "empty").size, 0U);
}

TEST(ReplaceFile, ItsTemporaryNamesAreKnown) {
  const test::TempFolder folder;
  fs::path used;
  replace_file(folder / "a.png", [&](const fs::path& temporary) {
    used = temporary;
    folder.write(temporary.filename().string(), "x");
  });
  EXPECT_EQ(meant_by_temporary(used), folder / "a.png");
  EXPECT_EQ(meant_by_temporary("x/a.part.part12-3"), "x/a.part");
  EXPECT_EQ(meant_by_temporary("x/a.b.mp4.part12-3.mp4"), "x/a.b.mp4");
  const fs::path video = TemporaryFile(folder / "a.mp4", TemporaryName::with_extension).path();
  EXPECT_EQ(video.extension(), ".mp4");
  EXPECT_EQ(meant_by_temporary(video), folder / "a.mp4");
  for (const char* name : {"a.png", "a.part", "a.part1", "a.part1-", "a.part-1", "a.part1-2x", "a.partx-2",
                           ".part1-2", "a.part1-2.png", "a.part1 -2"})
    EXPECT_EQ(meant_by_temporary(name), std::nullopt) << name;
}

TEST(LineWriter, AddsToWhatIsThere) {
  const test::TempFolder folder;
  for (const char* line : {"one", "two"}) {
    LineWriter writer(folder / "new/log");
    writer.add(line);
    writer.add("");
  }
  const std::vector<std::byte> content = read_file(folder / "new/log");
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(content.data()), content.size()),
            "one\n\ntwo\n\n");
  EXPECT_EQ(message_of([&] { LineWriter writer(folder / "new"); }),
            (folder / "new").string() + ": cannot be written: Is a directory");
  LineWriter full("/dev/full");
  EXPECT_EQ(message_of([&] { full.add("x"); }), "/dev/full: cannot be written: No space left on device");
}

}  // namespace
}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "pipeline/inputs.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

std::vector<std::string> stems(const InputList& list) {
  std::vector<std::string> result;
  for (const InputFile& input : list.files) result.emplace_back(input.stem);
  return result;
}

using Names = std::vector<std::string>;

TEST(Inputs, FoldersGlobsAndLists) {
  const test::TempFolder folder;
  for (const char* name :
       {"b.jpg", "a.png", "a.JPG", "notes.txt", "deep/b.jpg", "deep/er/c.webp", "x.tar.png"})
    folder.write(name, "");
  const std::string root = folder.path().string();
  EXPECT_EQ(stems(list_inputs({root}, false)), (Names{"a", "a.png", "b", "x.tar"}));
  EXPECT_EQ(stems(list_inputs({root}, true)), (Names{"a", "a.png", "b", "deep/b", "deep/er/c", "x.tar"}));
  EXPECT_EQ(stems(list_inputs({root + "/[ab].*"}, false)), (Names{"a", "a.png", "b"}));
  const std::string list = folder.write("list.txt", root + "/b.jpg\r\n\n" + root + "/deep/b.jpg\n").string();
  EXPECT_EQ(stems(list_inputs({"@" + list}, false)), (Names{"b", "b.jpg"}));
  folder.write("other/b.jpg", "");
  EXPECT_EQ(stems(list_inputs({root + "/b.jpg", root + "/deep/b.jpg", root + "/other/b.jpg"}, false)),
            (Names{"b", "b.jpg", "b.jpg-2"}));
}

TEST(Inputs, NoTwoWriteTheSameFile) {
  const test::TempFolder folder;
  for (const char* name : {"one/a.jpg", "two/a.jpg", "two/a.png", "three/a b é.png"}) folder.write(name, "");
  const std::string root = folder.path().string();
  EXPECT_EQ(stems(list_inputs({root + "/one", root + "/two", root + "/three"}, false)),
            (Names{"a", "a.jpg", "a.png", "a b é"}));
  EXPECT_EQ(stems(list_inputs({root}, true)), (Names{"one/a", "three/a b é", "two/a", "two/a.png"}));
  folder.write("masks/a.color.png", ""), folder.write("masks/a.png", "");
  EXPECT_EQ(stems(list_inputs({root + "/masks"}, false)), (Names{"a.color", "a.png"}))
      << "a's color image would be the mask of a.color";
  EXPECT_EQ(stems(list_inputs({root + "/masks/a.png", root + "/masks/a.color.png"}, false)),
            (Names{"a", "a.color.png"}));
}

TEST(Inputs, VideosGiveWayToImages) {
  const test::TempFolder folder;
  for (const char* name :
       {"clip.mp4", "clip.AVI", "clip.png", "deep/film/000000.png", "film.webm", "100%d.png"})
    folder.write(name, "");
  const std::string root = folder.path().string();
  EXPECT_EQ(stems(list_inputs({root + "/clip.*"}, false)), (Names{"clip.AVI", "clip.mp4", "clip"}));
  EXPECT_EQ(stems(list_inputs({root + "/film.webm", root + "/deep"}, true)),
            (Names{"film.webm", "film/000000"}))
      << "a folder of frames would hold another image's mask";
  EXPECT_EQ(stems(list_inputs({root}, false)), (Names{"100%d", "clip"})) << "videos are not looked for";
  EXPECT_EQ(stems(list_inputs({"camera:0", root + "/in/%04d.jpg", "%d.png", root + "/100%d.png"}, false)),
            (Names{"camera0", "in", "frames", "100%d"}));
  for (const char* name :
       {"camera:", "camera:x", "%s.png", "%04d", "%4d.png", "%0d.png", "%d%d.png", "%d%s.png", "%n.png"})
    EXPECT_THROW(list_inputs({name}, false), Error) << name;
}

TEST(Inputs, ALinkToNowhereStopsNoFolder) {
  const test::TempFolder folder;
  folder.write("a.png", ""), folder.write("c.png", "");
  std::filesystem::create_symlink("nowhere", folder / "b.png");
  std::filesystem::create_directory(folder / "d.png");
  std::filesystem::create_symlink("e.png", folder / "e.png");
  std::filesystem::create_directory_symlink(folder.path(), folder / "round");  // not gone into
  for (const bool recurse : {false, true})
    EXPECT_EQ(stems(list_inputs({folder.path().string()}, recurse)), (Names{"a", "b", "c", "e"}));
}

TEST(Inputs, HiddenFilesOfFoldersAreLeftOut) {
  const test::TempFolder folder;
  for (const char* name : {"a.png", "._a.png", ".trash/b.png", "c/.d.png", "c/e.png"}) folder.write(name, "");
  const std::string root = folder.path().string();
  EXPECT_EQ(stems(list_inputs({root}, false)), (Names{"a"}));
  EXPECT_EQ(stems(list_inputs({root}, true)), (Names{"a", "c/e"}));
  EXPECT_EQ(stems(list_inputs({root + "/.trash"}, true)), (Names{"b"})) << "named, it is meant";
  EXPECT_EQ(stems(list_inputs({root + "/._a.png"}, false)), (Names{"._a"}));
}

TEST(Inputs, AFileNamedTwiceIsOne) {
  const test::TempFolder folder;
  for (const char* name : {"a.png", "b.png", "c/a.png"}) folder.write(name, "");
  const std::string root = folder.path().string(),
                    list = folder.write("list", root + "/b.png\n" + root + "/b.png\n").string();
  EXPECT_EQ(stems(list_inputs({root + "/b.png", root, root + "/*.png", "@" + list, root + "/c"}, false)),
            (Names{"b", "a", "a.png"}));
}

TEST(Inputs, FoldersAreSortedAsPaths) {
  const test::TempFolder folder;
  std::vector<std::filesystem::path> sorted;
  for (const char* name : {"Z", "a", "a/x", "a/x/y", "a b", "a-b/x", "a.b/x", "ab", "a!", "\xc3\xa4", "\xff"})
    sorted.push_back(folder.write(name + std::string(".png"), ""));
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::filesystem::path> found;
  const InputList list = list_inputs({folder.path().string()}, true);
  for (const InputFile& input : list.files) found.emplace_back(input.file);
  EXPECT_EQ(found, sorted);
  EXPECT_EQ(stems(list_inputs({folder.path().string() + "//"}, true)), stems(list));
}

TEST(Inputs, WhatIsNotThereIsNamed) {
  const test::TempFolder folder;
  folder.write("empty/notes.txt", "");
  const std::string root = folder.path().string();
  for (const std::string& input :
       {root + "/empty", root + "/missing.jpg", root + "/*.jpg", "@" + root + "/list"})
    try {
      list_inputs({input}, true);
      ADD_FAILURE() << input;
    } catch (const Error& error) {
      EXPECT_NE(error.message().find(root), std::string::npos) << error.message();
    }
  EXPECT_THROW(list_inputs({"@" + folder.write("none.txt", "\n\n").string()}, false), Error);
}

}  // namespace
}  // namespace atrous

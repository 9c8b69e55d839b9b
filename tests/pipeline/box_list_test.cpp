// SPDX-License-Identifier: Apache-2.0
#include "pipeline/box_list.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "support/temp_folder.h"

namespace atrous {
namespace {

using Numbers = std::vector<double>;
Numbers numbers(const PhotoBox& box) { return {box.x, box.y, box.width, box.height}; }

std::string complaint(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.message();
  }
  return "nothing was wrong";
}

TEST(Boxes, FourNumbers) {
  EXPECT_EQ(numbers(parse_box("1,2,3,4")), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(numbers(parse_box(" -1.5 ,0, 1e2,+4")), (Numbers{-1.5, 0, 100, 4}));
  for (const char* wrong :
       {"", "1,2,3", "1,2,3,4,5", "a,1,2,3,4", "1,2,3,x", "1,2,,4", "nan,1,2,3", "1,2,3,1e999"})
    EXPECT_NE(complaint([&] { parse_box(wrong); }).find("is not x,y,w,h"), std::string::npos) << wrong;
}

TEST(Boxes, LinesOfAFile) {
  const test::TempFolder folder;
  const auto file = folder.write("b.csv",
                                 "\xEF\xBB\xBF# people\r\n\r\nfile,x,y,w,h\r\na.png,1,2,3,4\r\n"
                                 "\"odd, \"\"one\"\".png\",5,6,7,8\nodd, two.png, 9, 10, 11, 12");
  const std::vector<BoxLine> boxes = load_boxes(file);
  ASSERT_EQ(boxes.size(), 3U);
  EXPECT_EQ(boxes[0].file, "a.png");
  EXPECT_EQ(boxes[0].line, 4);
  EXPECT_EQ(boxes[1].file, "odd, \"one\".png");
  EXPECT_EQ(boxes[2].file, "odd, two.png");
  EXPECT_EQ(numbers(boxes[2].box), (Numbers{9, 10, 11, 12}));
  EXPECT_TRUE(load_boxes(folder.write("e.csv", "")).empty());
  const auto broken = folder.write("x.csv", "file,x,y,w,h\na.png,1,2,3,4\nb.png,1,2,three,4\n");
  EXPECT_NE(complaint([&] { load_boxes(broken); }).find("x.csv:3: 'b.png,1,2,three,4'"), std::string::npos);
}

TEST(Boxes, GoToTheInputsTheyName) {
  std::vector<InputFile> inputs{
      {"in/a.png", "a"}, {"in/b.png", "b"}, {"in/deep/a.png", "deep/a"}, {"in/deep/c.png", "deep/c"}};
  const std::vector<BoxLine> lines{{"a.png", {1, 0, 1, 1}, 1},    {"./deep/a.png", {2, 0, 1, 1}, 2},
                                   {"in/b.png", {3, 0, 1, 1}, 3}, {"c.png", {4, 0, 1, 1}, 4},
                                   {"b.png", {5, 0, 1, 1}, 5},    {"d.png", {6, 0, 1, 1}, 6},
                                   {"elsewhere/b.png", {}, 7}};
  const std::vector<BoxLine> strangers = assign_boxes("b.csv", lines, inputs);
  ASSERT_EQ(strangers.size(), 2U);
  EXPECT_EQ(strangers[0].line, 6);
  EXPECT_EQ(strangers[1].line, 7);
  std::vector<std::vector<double>> found;
  for (const InputFile& input : inputs) {
    found.emplace_back();
    for (const PhotoBox& box : input.boxes) found.back().push_back(box.x);
  }
  EXPECT_EQ(found, (std::vector<std::vector<double>>{{1}, {3, 5}, {2}, {4}}));

  std::vector<InputFile> twins{{"one/a.png", "a"}, {"two/a.png", "a.png"}};
  const std::string message = complaint([&] { assign_boxes("b.csv", std::span(lines).first(1), twins); });
  EXPECT_NE(message.find("b.csv:1: 'a.png' is the name of 2 inputs"), std::string::npos) << message;
}

}  // namespace
}  // namespace atrous

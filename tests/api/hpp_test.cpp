// SPDX-License-Identifier: Apache-2.0
// The C++ header, as C++17 and with no internals in sight.
#include <atrous.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace {

struct Picture {
  std::vector<std::uint8_t> pixels;
  atrous_image image{};

  Picture(int width, int height)
      : pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3) {
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * i % 253);
    image.pixels = pixels.data();
    image.width = width;
    image.height = height;
  }
};

TEST(Hpp, SaysWhatAModelIs) {
  const atrous::Model model("", "cpu", "fp32");
  EXPECT_EQ(model.name(), "clothing-lite0");
  EXPECT_EQ(model.classes(), 14);
  EXPECT_EQ(model.class_name(2), "hair");
  EXPECT_EQ(model.class_color(0), (std::array<std::uint8_t, 3>{0, 0, 0}));
  EXPECT_THROW(model.class_color(14), atrous::Exception);
}

TEST(Hpp, GivesTheSameInEveryWay) {
  const atrous::Model model;
  atrous_session_options options{};
  options.probabilities = 1;
  atrous::Session session(model, options);
  const Picture picture(50, 30);
  const atrous::Result result = session.segment(picture.image);
  ASSERT_EQ(result.width(), 50);
  ASSERT_EQ(result.height(), 30);
  const std::vector<std::uint8_t> labels(result.labels(), result.labels() + 1500);
  const std::vector<float> probabilities = result.probabilities(model.classes());

  std::vector<std::uint8_t> own_labels(1500);
  std::vector<float> own_probabilities(probabilities.size());
  atrous_output output{};
  output.labels = own_labels.data();
  output.label_count = own_labels.size();
  output.probabilities = own_probabilities.data();
  output.probability_count = own_probabilities.size();
  session.segment_into(picture.image, output);
  EXPECT_EQ(own_labels, labels);
  EXPECT_EQ(own_probabilities, probabilities);

  std::uint64_t job = 0;
  std::future<atrous::Result> future = session.submit(picture.image, &job);
  EXPECT_EQ(job, 3U);  // the calls before were jobs too
  const atrous::Result later = future.get();
  EXPECT_TRUE(std::equal(labels.begin(), labels.end(), later.labels()));
}

TEST(Hpp, ThrowsWhatTheCallSays) {
  const atrous::Model model;
  atrous::Session session(model);
  try {
    session.segment("no-such.jpg");
    FAIL();
  } catch (const atrous::Exception& error) {
    EXPECT_EQ(error.status(), ATROUS_NOT_FOUND);
    EXPECT_STREQ(error.what(), "no-such.jpg: No such file or directory");
  }
  Picture picture(8, 8);
  EXPECT_THROW(session.segment(picture.image).probabilities(14), atrous::Exception);
  picture.image.width = 0;
  EXPECT_THROW(session.submit(picture.image), atrous::Exception);
}

TEST(Hpp, FuturesThrowWhatWasCancelled) {
  const atrous::Model model;
  atrous_session_options options{};
  options.crf = "iterations=1000";
  auto session = std::make_unique<atrous::Session>(model, options);
  const Picture picture(300, 300);
  std::future<atrous::Result> first = session->submit(picture.image), second = session->submit(picture.image);
  session->cancel();
  std::future<atrous::Result> third = session->submit(picture.image);
  session.reset();
  for (std::future<atrous::Result>* future : {&first, &second, &third}) try {
      future->get();
      FAIL();
    } catch (const atrous::Exception& error) {
      EXPECT_EQ(error.status(), ATROUS_CANCELLED);
    }
}

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// Each allocation in turn fails while a model is opened and photos are segmented: the call says so, nothing
// leaks (the sanitizers look), and the next call works.
#include <atrous.h>

#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "failing_allocator.h"
#include "support/temp_folder.h"

namespace {

using atrous::test::Allocation;

constexpr int kWidth = 120, kHeight = 90;
constexpr const char* kModel = R"(
name: tiny
labels: {classes: [background, left, right, shoe], flip_pairs: [[left, right]]}
input: {policy: long_side, size: 64, multiple: 4, offset: 1, scale: 1/255, mean: [0.5, 0.5, 0.5]}
weights: tiny.safetensors
network:
  - {name: a, op: conv2d, out: 16, kernel: 3, stride: 2}
  - {name: a_relu, op: relu6}
  - {name: b, op: conv2d, kernel: 3, groups: depthwise, dilation: 2}
  - {name: c, op: conv2d, out: 16, kernel: 3, dilation: 2}
  - {name: sum, op: add, inputs: [c, a_relu]}
  - {name: logits, op: conv2d, out: 4}
)";

/// A safetensors file with these float tensors.
std::string safetensors(const std::vector<std::pair<std::string, std::vector<int>>>& tensors) {
  std::string header, data;
  for (const auto& [name, dims] : tensors) {
    std::string shape;
    std::size_t count = 1;
    for (int dim : dims)
      shape += (shape.empty() ? "" : ",") + std::to_string(dim), count *= static_cast<std::size_t>(dim);
    header += (header.empty() ? "{\"" : ",\"") + name + "\":{\"dtype\":\"F32\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(data.size()) + ",";
    for (std::size_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(i * i % 17) / 16 - 0.5F;
      data.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof(size)) + header + data;
}

/// The status of a call that had an allocation fail: success all the same, or a line that says why.
void expect_known(atrous_status status) {
  EXPECT_TRUE(status == ATROUS_OK || status == ATROUS_OUT_OF_MEMORY) << status << ": " << atrous_last_error();
  EXPECT_EQ(std::strlen(atrous_last_error()) == 0, status == ATROUS_OK);
  EXPECT_EQ(std::strchr(atrous_last_error(), '\n'), nullptr);
}

#ifdef ATROUS_SANITIZED
constexpr long kAllUpTo = 15;  // each call takes several times as long
#else
constexpr long kAllUpTo = 60;
#endif

/// Calls `work` with the first allocation failing, then with the second, ... until none fails any more. Far
/// from the first only every so many, so that it takes seconds. `work` calls what it is given with what is to
/// fail, which allocates nothing of the test's own.
template <typename Work>
void fail_each(Allocation kind, const Work& work, long all_up_to = kAllUpTo) {
  for (long n = 1; !testing::Test::HasFailure(); n += 1 + n / all_up_to) {
    SCOPED_TRACE(testing::Message() << "allocation " << n << " fails");
    bool failed = false;
    work([&](const auto& call) {
      atrous::test::fail_allocation(kind, n);
      const atrous_status status = call();
      failed = atrous::test::stop_failing();
      expect_known(status);
      return status;
    });
    if (!failed) {
      std::printf("%ld allocations\n", n - 1);
      return;
    }
  }
}

class OutOfMemory : public testing::TestWithParam<Allocation> {
 protected:
  OutOfMemory() {
    folder_.write("tiny.safetensors", safetensors({{"a.weight", {16, 3, 3, 3}},
                                                   {"b.weight", {16, 1, 3, 3}},
                                                   {"c.weight", {16, 16, 3, 3}},
                                                   {"logits.weight", {4, 16, 1, 1}}}));
    config_ = folder_.write("tiny.yaml", kModel).string();
    for (std::size_t i = 0; i < pixels_.size(); ++i)
      pixels_[i] = static_cast<std::uint8_t>(i / 40 * 7 + i % 3 * 50 + i % 11);
    image_ = {sizeof(image_), pixels_.data(), kWidth, kHeight, 0, ATROUS_RGB};
    EXPECT_EQ(atrous_model_open(config_.c_str(), &on_cpu_, &model_), ATROUS_OK) << atrous_last_error();
  }
  ~OutOfMemory() override { atrous_model_close(model_); }

  /// A model's first image with an allocation failing, from the session's making on; then the same again.
  void segment_with(const atrous_session_options& options) {
    const std::vector<std::uint8_t> expected = segment(options);
    fail_each(GetParam(), [&](const auto& failing) {
      atrous_model* model = nullptr;  // a new one: the first run packs the weights
      atrous_session* session = nullptr;
      atrous_result* result = nullptr;
      EXPECT_EQ(atrous_model_open(config_.c_str(), &on_cpu_, &model), ATROUS_OK);
      const atrous_status status = failing([&] {
        const atrous_status created = atrous_session_create(model, &options, &session);
        return created != ATROUS_OK ? created : atrous_segment(session, &image_, &result);
      });
      EXPECT_EQ(result != nullptr, status == ATROUS_OK);
      if (result != nullptr) {
        EXPECT_EQ(labels(result), expected);
      }
      atrous_result_free(result);
      if (session == nullptr) {
        EXPECT_EQ(atrous_session_create(model, &options, &session), ATROUS_OK);
      }
      EXPECT_EQ(atrous_segment(session, &image_, &result), ATROUS_OK) << atrous_last_error();
      EXPECT_EQ(labels(result), expected);
      atrous_result_free(result);
      atrous_session_destroy(session);
      atrous_model_close(model);
    });
  }

  std::vector<std::uint8_t> segment(const atrous_session_options& options) {
    atrous_session* session = nullptr;
    atrous_result* result = nullptr;
    EXPECT_EQ(atrous_session_create(model_, &options, &session), ATROUS_OK) << atrous_last_error();
    EXPECT_EQ(atrous_segment(session, &image_, &result), ATROUS_OK) << atrous_last_error();
    std::vector<std::uint8_t> found = labels(result);
    atrous_result_free(result);
    atrous_session_destroy(session);
    return found;
  }

  static std::vector<std::uint8_t> labels(const atrous_result* result) {
    const std::uint8_t* ids = atrous_result_labels(result);
    return ids == nullptr ? std::vector<std::uint8_t>() : std::vector(ids, ids + kWidth * kHeight);
  }

  atrous::test::TempFolder folder_;
  std::string config_;
  std::vector<std::uint8_t> pixels_ = std::vector<std::uint8_t>(std::size_t{3} * kWidth * kHeight);
  atrous_image image_{};
  atrous_model_options on_cpu_{sizeof(on_cpu_), "cpu", nullptr};
  atrous_session_options plain_{sizeof(plain_), 1, 0, 0, -1, "off", nullptr, 0};
  atrous_model* model_ = nullptr;
};

TEST_P(OutOfMemory, OpeningAModel) {
  const std::vector<std::uint8_t> expected = segment(plain_);
  fail_each(GetParam(), [&](const auto& failing) {
    atrous_model* model = nullptr;
    const atrous_status status =
        failing([&] { return atrous_model_open(config_.c_str(), &on_cpu_, &model); });
    EXPECT_EQ(model != nullptr, status == ATROUS_OK);
    if (model == nullptr) return;
    std::swap(model, model_);
    EXPECT_EQ(segment(plain_), expected) << "opened, but not as it should be";
    std::swap(model, model_);
    atrous_model_close(model);
  });
}

TEST_P(OutOfMemory, Segmenting) { segment_with(plain_); }

TEST_P(OutOfMemory, Refining) {
  const double scales[] = {0.75, 1};
  segment_with({sizeof(plain_), 1, 1, 1, 30, "iterations=2", scales, 2});
}

TEST_P(OutOfMemory, WritingAMask) {
  atrous_session* session = nullptr;
  atrous_result* result = nullptr;
  ASSERT_EQ(atrous_session_create(model_, &plain_, &session), ATROUS_OK);
  ASSERT_EQ(atrous_segment(session, &image_, &result), ATROUS_OK);
  const std::filesystem::path mask = folder_ / "out/mask.png";
  const std::string name = mask.string();
  fail_each(GetParam(), [&](const auto& failing) {
    const atrous_status status = failing([&] { return atrous_result_write_mask(result, name.c_str()); });
    EXPECT_EQ(std::filesystem::exists(mask), status == ATROUS_OK);
    std::filesystem::create_directory(mask.parent_path());
    std::filesystem::remove(mask);
    EXPECT_TRUE(std::filesystem::is_empty(mask.parent_path())) << "a temporary file is left";
  });
  ASSERT_EQ(atrous_result_write_mask(result, name.c_str()), ATROUS_OK);
  atrous_result_free(result);
  atrous_session_destroy(session);
}

/// What the decoder's own libraries make of it is a broken file.
TEST_P(OutOfMemory, ReadingAFile) {
  const std::string photo = std::string(ATROUS_TEST_SOURCE_DIR) + "/tests/image/data/cmyk.jpg";
  atrous_session* session = nullptr;
  ASSERT_EQ(atrous_session_create(model_, &plain_, &session), ATROUS_OK);
  fail_each(GetParam(), [&](const auto& failing) {
    atrous_result* result = nullptr;
    failing([&] {
      const atrous_status status = atrous_segment_file(session, photo.c_str(), &result);
      return status == ATROUS_BAD_FILE ? ATROUS_OUT_OF_MEMORY : status;
    });
    atrous_result_free(result);
    EXPECT_EQ(atrous_segment_file(session, photo.c_str(), &result), ATROUS_OK) << atrous_last_error();
    atrous_result_free(result);
  });
  atrous_session_destroy(session);
}

TEST_P(OutOfMemory, JobsInTheBackground) {
  struct Over {
    std::promise<void> called;
    atrous_status status = ATROUS_OK;
    bool has_result = false;
  };
  const auto note = [](void* user, std::uint64_t, atrous_status status, atrous_result* result) {
    auto* over = static_cast<Over*>(user);
    over->status = status, over->has_result = result != nullptr;
    atrous_result_free(result);
    over->called.set_value();
  };
  fail_each(
      GetParam(),
      [&](const auto& failing) {
        Over over, again;
        std::future<void> called = over.called.get_future();
        atrous_session* session = nullptr;
        ASSERT_EQ(atrous_session_create(model_, &plain_, &session), ATROUS_OK);
        bool submitted = false;
        failing([&] {
          const atrous_status status = atrous_submit(session, &image_, nullptr, note, &over, nullptr);
          submitted = status == ATROUS_OK;
          if (submitted) called.wait();
          return status;
        });
        if (submitted) {
          EXPECT_TRUE(over.status == ATROUS_OK || over.status == ATROUS_OUT_OF_MEMORY) << over.status;
          EXPECT_EQ(over.has_result, over.status == ATROUS_OK);
        }
        EXPECT_EQ(atrous_submit(session, &image_, nullptr, note, &again, nullptr), ATROUS_OK);
        again.called.get_future().wait();
        EXPECT_EQ(again.status, ATROUS_OK);
        atrous_session_destroy(session);
      },
      30);
}

INSTANTIATE_TEST_SUITE_P(Any, OutOfMemory, testing::Values(Allocation::any_new));
INSTANTIATE_TEST_SUITE_P(Large, OutOfMemory, testing::Values(Allocation::large));

}  // namespace

// SPDX-License-Identifier: Apache-2.0
// atrous for C++17: owners and exceptions over atrous.h, header only. What it says of shapes and threads
// holds here.
#pragma once

#include <atrous.h>

#include <array>
#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace atrous {
inline namespace client {

/// What every failing call throws; what() is one line.
class Exception : public std::runtime_error {
 public:
  Exception(atrous_status status, const char* message) : std::runtime_error(message), status_(status) {}
  atrous_status status() const { return status_; }

 private:
  atrous_status status_;
};

inline void check(atrous_status status) {
  if (status != ATROUS_OK) throw Exception(status, atrous_last_error());
}

namespace detail {
template <auto Release>
struct Deleter {
  template <typename T>
  void operator()(T* handle) const {
    Release(handle);
  }
};
template <typename T, auto Release>
using Handle = std::unique_ptr<T, Deleter<Release>>;
}  // namespace detail

/// Label map and probabilities of one image.
class Result {
 public:
  explicit Result(atrous_result* handle) : handle_(handle) {}

  int width() const { return atrous_result_width(handle_.get()); }
  int height() const { return atrous_result_height(handle_.get()); }
  /// Class ids [height, width]; belongs to the result.
  const std::uint8_t* labels() const { return atrous_result_labels(handle_.get()); }
  /// Into memory of the caller; its struct_size is set here.
  void copy(atrous_output output) const {
    output.struct_size = sizeof(output);
    check(atrous_result_copy(handle_.get(), &output));
  }
  /// f32 [classes, height, width].
  std::vector<float> probabilities(int classes) const {
    std::vector<float> values(static_cast<std::size_t>(classes) * static_cast<std::size_t>(width()) *
                              static_cast<std::size_t>(height()));
    atrous_output output{};
    output.probabilities = values.data();
    output.probability_count = values.size();
    copy(output);
    return values;
  }
  void write_mask(const std::string& file) const {
    check(atrous_result_write_mask(handle_.get(), file.c_str()));
  }

 private:
  detail::Handle<atrous_result, atrous_result_free> handle_;
};

/// An immutable model; share it between threads.
class Model {
 public:
  /// A name on the model path, a path to a YAML or ONNX file, or "" for the embedded model.
  explicit Model(const std::string& name_or_path = "", const std::string& device = "auto",
                 const std::string& precision = "auto") {
    atrous_model_options options{};
    options.struct_size = sizeof(options);
    options.device = device.c_str();
    options.precision = precision.c_str();
    atrous_model* handle = nullptr;
    check(atrous_model_open(name_or_path.empty() ? nullptr : name_or_path.c_str(), &options, &handle));
    handle_.reset(handle);
  }
  std::string name() const { return atrous_model_name(handle_.get()); }
  int classes() const { return atrous_model_class_count(handle_.get()); }
  std::string class_name(int id) const {
    const char* name = atrous_model_class_name(handle_.get(), id);
    return name != nullptr ? name : "";
  }
  /// Red, green, blue.
  std::array<std::uint8_t, 3> class_color(int id) const {
    std::array<std::uint8_t, 3> rgb{};
    check(atrous_model_class_color(handle_.get(), id, rgb.data()));
    return rgb;
  }
  const atrous_model* get() const { return handle_.get(); }

 private:
  detail::Handle<atrous_model, atrous_model_close> handle_;
};

/// Working memory; one job at a time.
class Session {
 public:
  /// struct_size of `options` is set here.
  explicit Session(const Model& model, atrous_session_options options = {}) {
    options.struct_size = sizeof(options);
    atrous_session* handle = nullptr;
    check(atrous_session_create(model.get(), &options, &handle));
    handle_.reset(handle);
  }
  Result segment(const std::string& file) {
    atrous_result* result = nullptr;
    check(atrous_segment_file(handle_.get(), file.c_str(), &result));
    return Result(result);
  }
  /// struct_size of `image` is set here.
  Result segment(atrous_image image) {
    image.struct_size = sizeof(image);
    atrous_result* result = nullptr;
    check(atrous_segment(handle_.get(), &image, &result));
    return Result(result);
  }
  /// Only these boxes {x, y, width, height}; see atrous_segment_boxes.
  Result segment(atrous_image image, const std::vector<std::array<double, 4>>& boxes, double enlarge = 1) {
    image.struct_size = sizeof(image);
    atrous_result* result = nullptr;
    const double* numbers = boxes.empty() ? nullptr : boxes.front().data();
    check(atrous_segment_boxes(handle_.get(), &image, numbers, boxes.size(), enlarge, &result));
    return Result(result);
  }

  /// Into memory of the caller. struct_size of both is set here.
  void segment_into(atrous_image image, atrous_output output) {
    image.struct_size = sizeof(image);
    output.struct_size = sizeof(output);
    check(atrous_segment_into(handle_.get(), &image, &output));
  }
  /// In the background; see atrous_submit. The pixels must live until the future is ready: get() then returns
  /// the result or throws Exception. `job`, unless null, is set to the number for cancel().
  std::future<Result> submit(atrous_image image, std::uint64_t* job = nullptr) {
    image.struct_size = sizeof(image);
    auto promise = std::make_unique<std::promise<Result>>();
    std::future<Result> future = promise->get_future();
    const auto deliver = [](void* user, std::uint64_t, atrous_status status, atrous_result* result) {
      const std::unique_ptr<std::promise<Result>> given(static_cast<std::promise<Result>*>(user));
      if (status == ATROUS_OK)
        given->set_value(Result(result));
      else
        given->set_exception(std::make_exception_ptr(Exception(status, atrous_last_error())));
    };
    check(atrous_submit(handle_.get(), &image, nullptr, deliver, promise.get(), job));
    promise.release();  // deliver owns it
    return future;
  }
  /// A job, or with 0 all of this session's; from any thread.
  void cancel(std::uint64_t job = 0) { atrous_cancel(handle_.get(), job); }

 private:
  detail::Handle<atrous_session, atrous_session_destroy> handle_;
};

}  // namespace client
}  // namespace atrous

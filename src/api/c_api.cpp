// SPDX-License-Identifier: Apache-2.0
// The one place where exceptions become status codes.
#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

#include "api/atrous.h"
#include "api/job_queue.h"
#include "core/error.h"
#include "core/files.h"
#include "core/half.h"
#include "image/codec.h"
#include "pipeline/crops.h"
#include "refine/superpixel.h"

struct atrous_model {
  std::shared_ptr<const atrous::Model> model;
};
struct atrous_session {
  std::shared_ptr<const atrous::Model> model;
  atrous::Segmenter segmenter;
  bool has_probabilities;
  atrous::JobQueue jobs;  ///< last: gone before what its jobs use
};
struct atrous_result {
  atrous::SegmentResult result;
  std::shared_ptr<const atrous::Model> model;
};

namespace {

using atrous::ErrorCode;
using atrous::fail;

thread_local std::string last_error;

/// Keeps the message; where memory lacks even for that, one that fits into any string.
atrous_status fail_with(atrous_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
  }
  return status;
}

template <typename Work>
atrous_status guarded(const Work& work) noexcept {
  try {
    last_error.clear();
    work();
    return ATROUS_OK;
  } catch (const atrous::Error& error) {
    return fail_with(static_cast<atrous_status>(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return fail_with(ATROUS_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return fail_with(ATROUS_INTERNAL, error.what());
  } catch (...) {
    return fail_with(ATROUS_INTERNAL, "an unknown exception");
  }
}

template <typename T>
void require(const T* pointer, const char* name) {
  if (pointer == nullptr) fail(ErrorCode::invalid_argument, "'{}' is null", name);
}

/// A caller's struct, which may be older (shorter: the rest keeps its default, zero) or newer (longer: what
/// this version does not know must be zero) than ours.
template <typename Struct>
Struct read_struct(const Struct* given, const char* name) {
  Struct known{};
  if (given == nullptr) return known;
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  if (size < sizeof(size) || size > 4096)
    fail(ErrorCode::invalid_argument, "'{}': its struct_size is {}, not sizeof(the struct)", name, size);
  std::memcpy(&known, given, std::min(size, sizeof(Struct)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t i = sizeof(Struct); i < size; ++i)
    if (bytes[i] != 0) fail(ErrorCode::unsupported, "'{}' sets fields that this version does not know", name);
  return known;
}

const char* text_or(const char* text, const char* fallback) { return text != nullptr ? text : fallback; }

atrous::SegmentOptions convert(const atrous_session_options& given) {
  atrous::SegmentOptions options;
  if (given.threads < 0 || given.threads > 1024)
    fail(ErrorCode::invalid_argument, "threads: {} is not between 0 and 1024", given.threads);
  options.threads = given.threads;
  options.flip = given.flip != 0;
  options.want_probabilities = given.probabilities != 0;
  if (given.superpixels == -1)
    options.superpixels = 0;
  else if (given.superpixels == -2)
    options.superpixels = atrous::kDefaultSuperpixels;
  else if (given.superpixels != 0)
    options.superpixels = given.superpixels;
  if (given.crf != nullptr) options.crf = given.crf;
  if (given.scales != nullptr) options.scales.assign(given.scales, given.scales + given.scale_count);
  return options;
}

/// Where red, green and blue lie in a pixel.
struct Layout {
  int channels, red, green, blue;
};

Layout layout_of(std::int32_t format) {
  constexpr Layout kLayouts[] = {{3, 0, 1, 2}, {3, 2, 1, 0}, {4, 0, 1, 2}, {4, 2, 1, 0}, {1, 0, 0, 0}};
  const auto index = static_cast<std::size_t>(format);
  if (index >= std::size(kLayouts)) fail(ErrorCode::invalid_argument, "image: {} is no pixel format", format);
  return kLayouts[index];
}

/// The caller's image with its stride filled in. Throws Error{invalid_argument} where it makes no sense.
atrous_image read_image(const atrous_image* image) {
  require(image, "image");
  atrous_image given = read_struct(image, "image");
  require(given.pixels, "image.pixels");
  if (given.width < 1 || given.height < 1 ||
      std::int64_t{given.width} * given.height > atrous::kMostImagePixels)
    fail(ErrorCode::invalid_argument, "image: {}x{} is no extent it can have", given.width, given.height);
  const std::ptrdiff_t packed = std::ptrdiff_t{given.width} * layout_of(given.format).channels;
  if (given.stride == 0) given.stride = packed;
  if (given.stride < packed)
    fail(ErrorCode::invalid_argument, "image: its stride is {} but a row has {} bytes", given.stride, packed);
  return given;
}

/// The caller's pixels as RGB: where they lie if they are that, else converted.
class RgbPixels {
 public:
  explicit RgbPixels(const atrous_image& given)
      : view_{given.pixels, given.width, given.height, given.stride} {
    if (given.format == ATROUS_RGB) return;
    const Layout layout = layout_of(given.format);
    converted_ = {given.width, given.height, {}};
    converted_.rgb.reserve(static_cast<std::size_t>(given.width) * static_cast<std::size_t>(given.height) *
                           3);
    for (int y = 0; y < given.height; ++y)
      for (int x = 0; x < given.width; ++x) {
        const std::uint8_t* pixel = view_.row(y) + std::ptrdiff_t{x} * layout.channels;
        for (int channel : {layout.red, layout.green, layout.blue}) converted_.rgb.push_back(pixel[channel]);
      }
    view_ = converted_.view();
  }
  const atrous::ImageView& view() const { return view_; }

 private:
  atrous::ImageView view_;
  atrous::Image converted_;
};

/// The caller's output. Throws Error{invalid_argument} where a result of `pixels` and `classes` (0: it has no
/// probabilities) is not what it wants or does not fit.
atrous_output read_output(const atrous_output* output, std::size_t pixels, int classes) {
  require(output, "output");
  const atrous_output given = read_struct(output, "output");
  if (given.labels != nullptr && given.label_count < pixels)
    fail(ErrorCode::invalid_argument, "output: room for {} labels, {} are needed", given.label_count, pixels);
  if (given.probabilities == nullptr) return given;
  if (classes == 0) fail(ErrorCode::invalid_argument, "the session was made without 'probabilities'");
  if (given.probability_type != ATROUS_FLOAT32 && given.probability_type != ATROUS_FLOAT16)
    fail(ErrorCode::invalid_argument, "output: {} is no type of numbers", given.probability_type);
  const std::size_t needed = pixels * static_cast<std::size_t>(classes);
  if (given.probability_count < needed)
    fail(ErrorCode::invalid_argument, "output: room for {} probabilities, {} are needed",
         given.probability_count, needed);
  return given;
}

/// out [classes, height, width] <- scores [height, width, classes]
template <typename T, typename Convert>
void copy_planes(const atrous::ScoreMap& scores, T* out, const Convert& convert) {
  for (int c = 0; c < scores.classes; ++c)
    for (std::size_t i = 0; i < scores.pixels(); ++i) *out++ = convert(scores.pixel(i)[c]);
}

void copy(const atrous::SegmentResult& result, const atrous_output& output) {
  const std::vector<std::uint8_t>& ids = result.labels.ids;
  if (output.labels != nullptr) std::copy(ids.begin(), ids.end(), output.labels);
  if (output.probabilities == nullptr) return;
  if (output.probability_type == ATROUS_FLOAT16)
    copy_planes(result.probabilities, static_cast<std::uint16_t*>(output.probabilities),
                atrous::float_to_half);
  else
    copy_planes(result.probabilities, static_cast<float*>(output.probabilities), [](float p) { return p; });
}

/// read_output for what the session will make of the image.
atrous_output read_output(const atrous_output* output, const atrous_session& session,
                          const atrous_image& image) {
  return read_output(output, static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height),
                     session.has_probabilities ? session.model->labels().size() : 0);
}

/// Does `work` when it is its turn in the session and gives its result to the caller.
template <typename Work>
atrous_status segment(atrous_session* session, atrous_result** result, const Work& work) {
  return guarded([&] {
    require(result, "result");
    *result = nullptr;
    require(session, "session");
    session->jobs.run([&] { *result = new atrous_result{work(), session->model}; });
  });
}

const atrous::LabelClass* class_of(const atrous_model* model, std::int32_t id) {
  if (model == nullptr || id < 0 || id >= model->model->labels().size()) return nullptr;
  return &model->model->labels().classes[static_cast<std::size_t>(id)];
}

}  // namespace

const char* atrous_version() { return ATROUS_VERSION; }
const char* atrous_last_error() { return last_error.c_str(); }

atrous_status atrous_model_open(const char* name_or_path, const atrous_model_options* options,
                                atrous_model** model) {
  return guarded([&] {
    require(model, "model");
    *model = nullptr;
    const atrous_model_options given = read_struct(options, "options");
    atrous::ModelOptions internal;
    internal.device = text_or(given.device, "auto");
    internal.precision = text_or(given.precision, "auto");
    *model = new atrous_model{atrous::Model::open(text_or(name_or_path, ""), internal)};
  });
}

void atrous_model_close(atrous_model* model) { delete model; }

const char* atrous_model_name(const atrous_model* model) {
  return model != nullptr ? model->model->config().name.c_str() : nullptr;
}

std::int32_t atrous_model_class_count(const atrous_model* model) {
  return model != nullptr ? model->model->labels().size() : 0;
}

const char* atrous_model_class_name(const atrous_model* model, std::int32_t id) {
  const atrous::LabelClass* info = class_of(model, id);
  return info != nullptr ? info->name.c_str() : nullptr;
}

atrous_status atrous_model_class_color(const atrous_model* model, std::int32_t id, std::uint8_t rgb[3]) {
  return guarded([&] {
    require(model, "model");
    require(rgb, "rgb");
    const atrous::LabelClass* info = class_of(model, id);
    if (info == nullptr) fail(ErrorCode::invalid_argument, "the model has no class {}", id);
    std::copy(info->color.begin(), info->color.end(), rgb);
  });
}

atrous_status atrous_session_create(const atrous_model* model, const atrous_session_options* options,
                                    atrous_session** session) {
  return guarded([&] {
    require(session, "session");
    *session = nullptr;
    require(model, "model");
    const atrous::SegmentOptions given = convert(read_struct(options, "options"));
    *session = new atrous_session{
        model->model, atrous::Segmenter(model->model, given), given.want_probabilities, {}};
  });
}

void atrous_session_destroy(atrous_session* session) { delete session; }

atrous_status atrous_segment(atrous_session* session, const atrous_image* image, atrous_result** result) {
  return segment(session, result,
                 [&] { return session->segmenter.run(RgbPixels(read_image(image)).view()); });
}

atrous_status atrous_segment_file(atrous_session* session, const char* file, atrous_result** result) {
  return segment(session, result, [&] {
    require(file, "file");
    return session->segmenter.run(atrous::load_image(file).view());
  });
}

atrous_status atrous_segment_boxes(atrous_session* session, const atrous_image* image, const double* boxes,
                                   std::size_t count, double enlarge, atrous_result** result) {
  return segment(session, result, [&] {
    const RgbPixels photo(read_image(image));
    const auto [data, width, height, stride] = photo.view();
    if (count > 0) require(boxes, "boxes");
    std::vector<atrous::Crop> crops;
    for (const double* box = boxes; crops.size() < count; box += 4)
      crops.push_back(
          atrous::crop_of({box[0], box[1], box[2], box[3]}, enlarge == 0 ? 1 : enlarge, width, height));
    const atrous::CroppedPhoto cropped{photo.view(), crops};
    return std::move(atrous::segment_crops(session->segmenter, std::span(&cropped, 1), 1).front());
  });
}

atrous_status atrous_segment_into(atrous_session* session, const atrous_image* image,
                                  const atrous_output* output) {
  return guarded([&] {
    require(session, "session");
    const atrous_image photo = read_image(image);
    const atrous_output wanted = read_output(output, *session, photo);
    session->jobs.run([&] { copy(session->segmenter.run(RgbPixels(photo).view()), wanted); });
  });
}

atrous_status atrous_submit(atrous_session* session, const atrous_image* image, const atrous_output* output,
                            atrous_callback callback, void* user, std::uint64_t* job) {
  return guarded([&] {
    require(session, "session");
    if (callback == nullptr) fail(ErrorCode::invalid_argument, "'callback' is null");
    const atrous_image photo = read_image(image);
    std::optional<atrous_output> wanted;
    if (output != nullptr) wanted = read_output(output, *session, photo);
    const auto made = std::make_shared<std::unique_ptr<atrous_result>>();
    auto work = [=] {
      atrous::SegmentResult result = session->segmenter.run(RgbPixels(photo).view());
      if (wanted)
        copy(result, *wanted);
      else
        made->reset(new atrous_result{std::move(result), session->model});
    };
    auto done = [=](std::uint64_t number, const std::exception_ptr& error) {
      const atrous_status status = guarded([&] {
        if (error) std::rethrow_exception(error);
      });
      callback(user, number, status, made->release());
    };
    session->jobs.submit(work, done, job);
  });
}

void atrous_cancel(atrous_session* session, std::uint64_t job) {
  if (session != nullptr) session->jobs.cancel(job);
}

void atrous_result_free(atrous_result* result) { delete result; }

std::int32_t atrous_result_width(const atrous_result* result) {
  return result != nullptr ? result->result.labels.width : 0;
}
std::int32_t atrous_result_height(const atrous_result* result) {
  return result != nullptr ? result->result.labels.height : 0;
}
const std::uint8_t* atrous_result_labels(const atrous_result* result) {
  return result != nullptr ? result->result.labels.ids.data() : nullptr;
}

atrous_status atrous_result_copy(const atrous_result* result, const atrous_output* output) {
  return guarded([&] {
    require(result, "result");
    const atrous::SegmentResult& made = result->result;
    copy(made, read_output(output, made.labels.ids.size(), made.probabilities.classes));
  });
}

atrous_status atrous_result_write_mask(const atrous_result* result, const char* file) {
  return guarded([&] {
    require(result, "result");
    require(file, "file");
    atrous::write_file(file, atrous::encode_mask(result->result.labels, result->model->labels()));
  });
}

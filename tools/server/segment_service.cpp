// SPDX-License-Identifier: Apache-2.0
#include "segment_service.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "core/error.h"
#include "core/stopwatch.h"
#include "core/text.h"
#include "core/value.h"
#include "image/codec.h"
#include "image/sniff.h"

namespace atrous::cli {
namespace {

using Json = nlohmann::ordered_json;

/// All but the template sheet, which few models have.
const OutputKind* find_output(const std::string& name) {
  const auto* kind = std::find_if(std::begin(kOutputKinds), std::end(kOutputKinds),
                                  [&](const OutputKind& known) { return name == known.name; });
  return kind == std::end(kOutputKinds) || kind->wanted == &SaveOptions::templates ? nullptr : kind;
}

DynamicBatchOptions counted(DynamicBatchOptions options, ServerMetrics& metrics) {
  options.started = [&metrics](std::size_t photos) { metrics.add_batch(photos); };
  return options;
}

}  // namespace

SegmentService::SegmentService(const std::vector<std::shared_ptr<const Model>>& models,
                               const SegmentOptions& segment, const DynamicBatchOptions& batch,
                               std::int64_t most_pixels, ServerMetrics& metrics)
    : model_(*models.front()),
      most_pixels_(most_pixels),
      metrics_(metrics),
      batcher_(models, segment, counted(batch, metrics)) {}

HttpAnswer SegmentService::segment(HttpUpload upload) {
  std::string output = "mask";
  for (const auto& [key, value] : upload.query) {
    if (key != "output" || upload.query.count(key) > 1)
      return refuse(400, fmt::format("the query may hold output=KIND, once; it holds '{}'", shorten(key)));
    output = value;
  }
  const OutputKind* kind = find_output(output);
  if (kind == nullptr)
    return refuse(400, fmt::format("output: '{}' is none of mask, overlay, color, probs, rle, polygons",
                                   shorten(output)));
  try {
    return answer(std::move(upload), *kind);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) return refuse(504, "the image was not done in time");
    if (error.code() == ErrorCode::out_of_memory) return refuse(503, error.message());
    return refuse(error.code() == ErrorCode::bad_file ? 400 : 500, error.message());
  } catch (const std::bad_alloc&) {
    return refuse(503, "out of memory");
  }
}

HttpAnswer SegmentService::answer(HttpUpload upload, const OutputKind& kind) {
  constexpr const char* kName = "the image";
  Stopwatch watch;
  const ImageHeader header = sniff(std::as_bytes(std::span(upload.content)), kName);
  if (header.width > 0 && header.height > most_pixels_ / header.width)
    return refuse(413, fmt::format("the image has {}x{} pixels, more than the {} allowed", header.width,
                                   header.height, most_pixels_));
  Image photo = decode_image(std::as_bytes(std::span(upload.content)), kName);
  std::string().swap(upload.content);
  const double decoded = watch.lap();
  const DynamicBatcher::Answer done =
      batcher_.run(std::move(photo), kind.wanted == &SaveOptions::probs, upload.deadline);
  StageTimes times = done.result.times;
  times.decode = decoded;
  watch.lap();
  const std::vector<std::byte> bytes = encode_output(kind, done.photo.view(), done.result, model_.labels(),
                                                     upload.file_name.empty() ? "image" : upload.file_name);
  times.encode = watch.lap();

  std::vector<std::pair<std::string_view, double>> stages{{"queue", done.queued}};
  for (const Stage& stage : kStages)
    if (times.*stage.ms > 0) stages.emplace_back(stage.name, times.*stage.ms);
  metrics_.add_image(stages);
  std::string timing;
  for (const auto& [stage, ms] : stages)
    timing += fmt::format("{}{};dur={:.2f}", timing.empty() ? "" : ", ", stage, ms);
  return {200,
          kind.media_type,
          {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
          {{"Atrous-Width", std::to_string(done.photo.width)},
           {"Atrous-Height", std::to_string(done.photo.height)},
           {"Atrous-Model", model_.config().name},
           {"Server-Timing", timing}}};
}

HttpAnswer SegmentService::describe_model() const {
  const ModelConfig& config = model_.config();
  const InputSpec& input = config.input;
  Json labels = Json::array(), palette = Json::array();
  for (const LabelClass& label : model_.labels().classes) {
    labels.push_back(label.name);
    palette.push_back(label.color);
  }
  const Json model{{"name", config.name},
                   {"task", config.task},
                   {"digest", model_.digest()},
                   {"device", to_string(model_.backend().device())},
                   {"labels", labels},
                   {"palette", palette},
                   {"input",
                    {{"policy", kSizePolicies[static_cast<std::size_t>(input.policy)]},
                     {"height", input.height},
                     {"width", input.width}}},
                   {"most_pixels", most_pixels_}};
  return {200, "application/json", model.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

}  // namespace atrous::cli

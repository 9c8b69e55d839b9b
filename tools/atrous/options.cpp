// SPDX-License-Identifier: Apache-2.0
#include "options.h"

#include <algorithm>

#include "core/error.h"
#include "core/value.h"
#include "refine/crf_params.h"
#include "refine/superpixel.h"

namespace atrous::cli {

void ModelArguments::add_to(CLI::App& command, bool model_is_positional) {
  command.add_option(model_is_positional ? "model" : "-m,--model", model,
                     "a model's name, or a path to its YAML or to an ONNX file; default: the embedded one");
  command.add_option("--device", options.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
  command.add_option("--precision", options.precision, "auto, fp32, tf32 (GPU), fp16, bf16 or int8")
      ->capture_default_str();
  command.add_flag_callback(
      "--no-tune", [this] { options.tune = false; },
      "on a GPU take the first implementation that accepts a node instead of measuring them");
  command
      .add_option(
          "--output-stride", options.output_stride,
          "8, 16 or 32: denser or coarser features than the model's own, by rates in place of strides")
      ->check(CLI::IsMember({8, 16, 32}));
  command.add_option("--threads", threads, "CPU threads; default: all cores")->check(CLI::Range(1, 1024));
}

void SegmentArguments::add_to(CLI::App& command) {
  command.add_option("--crf", crf, "dense CRF: --crf, --crf=PRESET, --crf=KEY=VALUE,... or --crf=off")
      ->type_name("");
  add_crf_on(command, crf_on);
  command
      .add_option("--superpixels", superpixels,
                  "superpixel smoothing: --superpixels, --superpixels=N or --superpixels=off")
      ->type_name("");
  command.add_option("--scales", scales, "multi-scale inference, e.g. 0.5,0.75,1");
  command.add_flag("--flip", flip, "mirrored inference too");
  command.add_option(
      "--tile", tile,
      "N or N:OVERLAP: for images that do not fit, overlapping tiles of at most NxN pixels of the network's "
      "input, which is the image at its own size times --scales, whatever size the model asks for; "
      "default overlap: what its receptive field needs (`atrous inspect`), N/4 where N/2 is less");
}

SegmentOptions SegmentArguments::parse(int threads) const {
  SegmentOptions options;
  options.threads = threads;
  options.flip = flip;
  if (const std::string text = crf_text(crf, crf_on); !text.empty()) options.crf = text;
  if (options.crf && *options.crf != "off") parse_crf(*options.crf);
  if (!superpixels.empty()) options.superpixels = parse_superpixels(superpixels);
  if (!tile.empty()) options.tile = parse_tile(tile);
  if (!scales.empty()) {
    options.scales.clear();
    for (const std::string& part : split(scales)) {
      const auto scale = parse_number(part);
      if (!scale) fail(ErrorCode::invalid_argument, "--scales: '{}' is no number", part);
      options.scales.push_back(*scale);
    }
  }
  return options;
}

void add_crf_on(CLI::App& command, std::string& crf_on) {
  command
      .add_option("--crf-on", crf_on,
                  "the CRF's nodes: pixels; squares of 2x2 or superpixels, which is faster")
      ->check(CLI::IsMember({"pixels", "squares", "superpixels"}));
}

std::string crf_text(const std::string& crf, const std::string& crf_on) {
  std::string text = crf == "default" || (crf.empty() && !crf_on.empty()) ? std::string(kDefaultCrf) : crf;
  if (crf_on.empty()) return text;
  if (text == "off") fail(ErrorCode::invalid_argument, "--crf-on {}: the CRF is off", crf_on);
  return text + ",on=" + crf_on;
}

int parse_superpixels(const std::string& text) {
  if (text == "default") return kDefaultSuperpixels;
  if (text == "off") return 0;
  const auto count = parse_integer(text);
  if (!count || *count < 1 || *count > 100'000'000)
    fail(ErrorCode::invalid_argument, "--superpixels: '{}' is neither a number from 1 nor off", text);
  return static_cast<int>(*count);
}

TileOptions parse_tile(const std::string& text) {
  constexpr std::int64_t kLargest = 1 << 16;
  const std::size_t colon = text.find(':');
  auto pixels = [&](const std::string& part, std::int64_t least) {
    const std::int64_t value = parse_integer(part).value_or(-1);
    if (value < least || value > kLargest)
      fail(ErrorCode::invalid_argument, "--tile: '{}' is neither N nor N:OVERLAP, pixels up to {}", text,
           kLargest);
    return static_cast<int>(value);
  };
  TileOptions options{pixels(text.substr(0, colon), 1), {}};
  if (colon != text.npos) options.overlap = pixels(text.substr(colon + 1), 0);
  return options;
}

Extent parse_extent(const std::string& text) {
  const std::size_t x = text.find('x');
  const auto height = parse_integer(std::string_view(text).substr(0, x));
  const auto width = x == std::string::npos ? height : parse_integer(std::string_view(text).substr(x + 1));
  if (!height || !width || *height < 1 || *width < 1 || *height > 65536 || *width > 65536)
    fail(ErrorCode::invalid_argument, "--size: '{}' is no HxW", text);
  return {static_cast<int>(*height), static_cast<int>(*width)};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

CLI::Validator real_range(double low, double high) {
  const CLI::Range range(low, high);
  return CLI::Validator(
      [range](std::string& text) {
        return parse_number(text) ? range(text) : fmt::format("'{}' is no number", text);
      },
      range.get_description());
}

SaveOptions parse_save(const std::string& list) {
  SaveOptions save;
  save.mask = false;
  const std::vector<std::string> parts = split(list);
  if (parts.empty()) fail(ErrorCode::invalid_argument, "--save names nothing");
  for (const std::string& part : parts) {
    const auto* kind = std::find_if(std::begin(kOutputKinds), std::end(kOutputKinds),
                                    [&](const OutputKind& known) { return part == known.name; });
    if (kind == std::end(kOutputKinds))
      fail(ErrorCode::invalid_argument, "--save: there is no '{}' ({})", part, list_output_kinds());
    save.*kind->wanted = true;
  }
  return save;
}

std::string list_output_kinds() {
  std::string list;
  for (const OutputKind& kind : kOutputKinds) list += (list.empty() ? "" : ", ") + std::string(kind.name);
  return list;
}

}  // namespace atrous::cli

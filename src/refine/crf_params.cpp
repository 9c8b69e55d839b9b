// SPDX-License-Identifier: Apache-2.0
#include "refine/crf_params.h"

#include <algorithm>

#include "core/error.h"
#include "core/value.h"

namespace atrous {
namespace {

struct Preset {
  std::string_view name;
  float gaussian_weight, gaussian_sxy, bilateral_weight, bilateral_sxy, bilateral_srgb;
  int iterations;
};

constexpr Preset kPresets[] = {
    {"deeplab-v1", 3, 3, 5, 50, 10, 10},        // the CRF layer of v1's released deploy network
    {"deeplab-v1-script", 3, 3, 4, 49, 5, 10},  // v1's released run script
    {"deeplab-v2-vgg", 2, 2, 4, 65, 3, 10},
    {"deeplab-v2-resnet", 3, 1, 4, 67, 3, 10},
    {"kk", 3, 3, 10, 60, 20, 10},         // the sample program of Kraehenbuehl and Koltun's library
    {"pydensecrf", 3, 3, 10, 80, 13, 5},  // the examples of its Python wrapper
    {"crf-rnn", 3, 3, 5, 160, 3, 10},     // initial values of CRF-RNN
};

CrfParams from_preset(const Preset& p) {
  CrfParams params;
  params.iterations = p.iterations;
  params.gaussian = {{p.gaussian_sxy, p.gaussian_weight}};
  params.bilateral = {{p.bilateral_sxy, p.bilateral_srgb, p.bilateral_weight}};
  return params;
}

CrfParams preset_named(std::string_view name) {
  for (const Preset& preset : kPresets)
    if (preset.name == name) return from_preset(preset);
  fail(ErrorCode::invalid_argument, "crf: there is no preset '{}'{}", name,
       did_you_mean(name, crf_preset_names()));
}

float number_in(std::string_view key, std::string_view text, double low, double high) {
  const auto value = parse_number(text);
  if (!value || *value < low || *value > high)
    fail(ErrorCode::invalid_argument, "crf: {} must be a number from {} to {}, not '{}'", key, low, high,
         text);
  return static_cast<float>(*value);
}

Normalization normalization_named(std::string_view text) {
  constexpr std::string_view kNames[] = {"none", "before", "after", "symmetric"};
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (text == kNames[i]) return static_cast<Normalization>(i);
  fail(ErrorCode::invalid_argument, "crf: normalization must be none, before, after or symmetric, not '{}'",
       text);
}

CrfNodes nodes_named(std::string_view text) {
  if (text == "pixels") return CrfNodes::pixels;
  if (text == "squares") return CrfNodes::squares;
  if (text == "superpixels") return CrfNodes::superpixels;
  fail(ErrorCode::invalid_argument, "crf: its nodes are pixels, squares or superpixels, not '{}'", text);
}

void set(CrfParams& params, std::string_view key, std::string_view value) {
  constexpr double kTiny = 1e-3, kHuge = 1e5;
  if (key == "iterations") {
    const auto count = parse_integer(value);
    if (!count || *count < 0 || *count > 1000)
      fail(ErrorCode::invalid_argument, "crf: iterations must be a whole number from 0 to 1000, not '{}'",
           value);
    params.iterations = static_cast<int>(*count);
  } else if (key == "gaussian_sxy") {
    params.gaussian[0].sxy = number_in(key, value, kTiny, kHuge);
  } else if (key == "gaussian_weight") {
    params.gaussian[0].weight = number_in(key, value, 0, kHuge);
  } else if (key == "bilateral_sxy") {
    params.bilateral[0].sxy = number_in(key, value, kTiny, kHuge);
  } else if (key == "bilateral_srgb") {
    params.bilateral[0].srgb = number_in(key, value, kTiny, kHuge);
  } else if (key == "bilateral_weight") {
    params.bilateral[0].weight = number_in(key, value, 0, kHuge);
  } else if (key == "normalization") {
    params.normalization = normalization_named(value);
  } else if (key == "stop") {
    params.stop = number_in(key, value, 0, 1);
  } else if (key == "prune") {
    params.prune = number_in(key, value, 0, 1);
  } else if (key == "on") {
    params.on = nodes_named(value);
  } else {
    fail(ErrorCode::invalid_argument, "crf: unknown key '{}'{}", key,
         did_you_mean(key, {"iterations", "gaussian_sxy", "gaussian_weight", "bilateral_sxy",
                            "bilateral_srgb", "bilateral_weight", "normalization", "on", "stop", "prune"}));
  }
}

}  // namespace

std::vector<std::string> crf_preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

CrfParams parse_crf(std::string_view text) {
  CrfParams params = preset_named(kDefaultCrf);
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = part.find('=');
    if (equals != part.npos)
      set(params, part.substr(0, equals), part.substr(equals + 1));
    else if (first)
      params = preset_named(part);
    else
      fail(ErrorCode::invalid_argument, "crf: '{}' is no KEY=VALUE", part);
  }
  return params;
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/labels.h"
#include "core/types.h"
#include "core/value.h"

namespace atrous {

/// One operator after blocks, repeats, parameters and conditions are expanded.
struct NodeSpec {
  std::string name;                 ///< full path, unique: "backbone.layer1.0.conv1"
  std::string op;                   ///< a config name of an OpSchema: "conv2d", "relu", ...
  std::vector<std::string> inputs;  ///< full paths of earlier nodes, or "input"
  Value params;                     ///< the remaining keys of the node, for OpSchema::parse
  std::string weights;  ///< prefix of its tensors in the weights file (the name where not overridden)
  std::optional<ValueRange> range = {};  ///< of the value it makes, in a quantised model
};

/// How a photo's size becomes the network's input size.
enum class SizePolicy : std::uint8_t {
  native,      ///< as it is
  stretch,     ///< to exactly height x width, aspect ratio lost
  fit,         ///< scaled to fit into height x width, rest padded at the bottom and right with the mean
  short_side,  ///< scaled so that the shorter side is `height`
  long_side    ///< scaled so that the longer side is `height`
};
inline constexpr std::string_view kSizePolicies[] = {"native", "stretch", "fit", "short_side",
                                                     "long_side"};  ///< as a config names them

/// From 8-bit pixels to the network's input: value = (pixel * scale - mean) / std, channel by channel in
/// `color` order.
struct InputSpec {
  bool bgr = false;  ///< channel order of mean, std and of the network's input
  float scale = 1.0F / 255.0F;
  std::array<float, 3> mean{};
  std::array<float, 3> std{1, 1, 1};
  SizePolicy policy = SizePolicy::native;
  int height = 0,
      width = 0;  ///< of the policy; also the nominal size for `inspect` and `bench` (native: of those only)
  int multiple = 1;  ///< then padded at the bottom and right with the mean to a multiple of this
  int offset = 0;    ///< ... plus this: multiple 16, offset 1 gives DeepLab's output stride x k + 1
};

enum class Fusion : std::uint8_t {
  mean,
  max
};  ///< of scales and flips: mean of probabilities (v3), max of raw scores (v2)

/// A safetensors file a config names.
struct WeightsFile {
  std::string name;
  std::filesystem::path path;  ///< as found beside the YAML or on the search path; empty where there is none
};

/// Where to get weights that are not shipped. For people to read: nothing is fetched or run.
struct WeightsOrigin {
  std::string file;       ///< name of the file to get
  std::string publisher;  ///< who published it, and as what
  std::string url;        ///< of the file or of an archive that holds it; "" = not known for sure
  std::string import;     ///< the command, in the source tree, that makes the config's weights of it
  std::string none;       ///< why there is nothing to get; then the others are ""
};

/// What the config asks of the host refinement; texts as `--crf` and `--superpixels` take them.
struct RefineSpec {
  std::string crf;      ///< "" = off
  int superpixels = 0;  ///< 0 = off
};

/// A model as its YAML says, blocks expanded. No weights are read and no operator is checked yet
/// (graph/builder.h does).
struct ModelConfig {
  std::string name, task;
  std::filesystem::path file;        ///< the YAML
  std::vector<WeightsFile> weights;  ///< what they hold together are the network's tensors
  std::optional<WeightsOrigin> weights_from;
  LabelSet labels;
  InputSpec input;
  std::vector<NodeSpec> nodes;       ///< in an order that respects inputs
  std::string output;                ///< the node whose value is the scores [n, h, w, classes]
  bool probabilities = false;        ///< the scores are probabilities that sum to 1, not logits
  std::optional<int> output_stride;  ///< of the nodes in `backbone`; none: strides are as written
  bool align_corners = false;  ///< how logits are brought to the photo's size (TensorFlow's DeepLab: true)
  Fusion fusion = Fusion::mean;
  RefineSpec refine;
  std::vector<std::pair<std::string, double>> accuracy;  ///< measured figures, e.g. {"mean_f1", 0.56}

  /// The first node of that operator, e.g. to keep the values of its inputs (ModelOptions::outputs); null
  /// where there is none.
  const NodeSpec* first_node(std::string_view op) const;
  /// It names weights and all the files are there.
  bool has_weights() const;
};

/// What a caller may ask to have otherwise than the YAML says.
struct ConfigOptions {
  std::optional<int> output_stride;  ///< 8, 16 or 32; an error for a model that has no `output_stride`
};

/// A label set by its name in configs/labels, by its file (.yaml), or of that many numbered classes. Throws
/// Error{bad_config | not_found | invalid_argument}.
LabelSet load_label_set(const std::string& given, const std::vector<std::filesystem::path>& search);

/// Reads a model's YAML. `search` is where label sets, blocks and weights are looked up after the YAML's own
/// folder. Throws Error{bad_config | not_found | bad_file}, "file:line: ..." wherever a place is known.
ModelConfig load_model_config(const std::filesystem::path& file,
                              const std::vector<std::filesystem::path>& search,
                              const ConfigOptions& options = {});

/// What a model's YAML holds, as a map that needs no other file but weights: label set and blocks stand in
/// it, and so does the output stride that was asked for. Throws as load_model_config.
Value load_self_contained(const std::filesystem::path& file, const std::vector<std::filesystem::path>& search,
                          const ConfigOptions& options = {});

/// Same as load_model_config, from what the YAML holds; `file` need not exist.
ModelConfig parse_model_config(const Value& document, const std::filesystem::path& file,
                               const std::vector<std::filesystem::path>& search,
                               const ConfigOptions& options = {});

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "config/model_config.h"

#include <algorithm>
#include <map>

#include "config/modules.h"
#include "config/output_stride.h"
#include "config/yaml.h"
#include "core/error.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using Folders = std::vector<fs::path>;

/// `name` as a file beside the config or in one of the folders; empty where there is none.
fs::path find_file(const fs::path& name, const Folders& folders) {
  std::error_code status;
  for (const fs::path& folder : folders)
    if (fs::is_regular_file(folder / name, status)) return folder / name;
  return {};
}

fs::path require_file(const std::string& name, const Folders& folders, Fields& fields, const Value* at) {
  const fs::path file = find_file(name, folders);
  if (file.empty())
    fields.complain("there is no file '" + name + "' beside this config or on the model path", at);
  return file;
}

LabelSet read_labels(Fields& model, const Folders& folders) {
  const Value& value = model.require("labels");
  if (value.kind == Value::Kind::map) return parse_labels(value);
  if (const auto count = parse_integer(value.scalar)) {
    if (*count < 1 || *count > 255)
      model.complain("'labels' must be 1 to 255 classes, a label set or a map", &value);
    return numbered_labels(static_cast<int>(*count));
  }
  return parse_labels(load_yaml(require_file("labels/" + value.scalar + ".yaml", folders, model, &value)));
}

std::array<float, 3> triple(Fields& fields, std::string_view key, float fallback) {
  const std::vector<double> given = fields.numbers(key);
  const auto triple_of = [](double value) {
    const auto v = static_cast<float>(value);
    return std::array<float, 3>{v, v, v};
  };
  if (given.empty()) return triple_of(fallback);
  if (given.size() == 1) return triple_of(given[0]);
  if (given.size() != 3)
    fields.complain(fmt::format("'{}' must be one or three numbers", key), fields.find(key));
  return {static_cast<float>(given[0]), static_cast<float>(given[1]), static_cast<float>(given[2])};
}

SizePolicy policy_named(const std::string& name, Fields& fields) {
  for (std::size_t i = 0; i < std::size(kSizePolicies); ++i)
    if (name == kSizePolicies[i]) return static_cast<SizePolicy>(i);
  fields.complain("'policy' must be native, stretch, fit, short_side or long_side, not '" + name + "'");
}

InputSpec read_input(const Value& value) {
  constexpr std::int64_t kMostSide = 65536;
  Fields fields(value, "input");
  InputSpec input;
  const std::string color = fields.text("color", "rgb");
  if (color != "rgb" && color != "bgr") fields.complain("'color' must be rgb or bgr, not '" + color + "'");
  input.bgr = color == "bgr";
  input.scale = static_cast<float>(fields.number("scale", 1.0 / 255));
  input.mean = triple(fields, "mean", 0);
  input.std = triple(fields, "std", 1);
  for (float s : input.std)
    if (!(s > 0)) fields.complain("'std' must be above 0");
  input.policy = policy_named(fields.text("policy", "native"), fields);
  const std::vector<std::int64_t> size = fields.integers("size");
  if (size.size() > 2 || std::any_of(size.begin(), size.end(), [](auto s) { return s < 1 || s > kMostSide; }))
    fields.complain(fmt::format("'size' must be one number or [height, width], 1 to {}", kMostSide),
                    fields.find("size"));
  if (size.empty() && input.policy != SizePolicy::native) fields.complain("this 'policy' needs a 'size'");
  if (!size.empty())
    input.height = static_cast<int>(size.front()), input.width = static_cast<int>(size.back());
  input.multiple = static_cast<int>(fields.integer_in("multiple", 1, 4096, 1));
  input.offset = static_cast<int>(fields.integer_in("offset", 0, 4096, 0));
  if (input.offset > 0 && input.offset >= input.multiple)
    fields.complain("'offset' must be smaller than 'multiple'");
  fields.finish();
  return input;
}

RefineSpec read_refine(const Value& value) {
  Fields fields(value, "refine");
  RefineSpec refine{fields.text("crf", ""),
                    static_cast<int>(fields.integer_in("superpixels", 0, 10'000'000, 0))};
  if (refine.crf == "off") refine.crf.clear();
  fields.finish();
  return refine;
}

WeightsOrigin read_weights_from(const Value& value) {
  Fields fields(value, "weights_from");
  WeightsOrigin origin{fields.text("file", ""), fields.text("publisher", ""), fields.text("url", ""),
                       fields.text("import", ""), fields.text("none", "")};
  fields.finish();
  const bool nothing =
      origin.file.empty() && origin.publisher.empty() && origin.url.empty() && origin.import.empty();
  const bool whole = !origin.file.empty() && !origin.publisher.empty() && !origin.import.empty();
  if (origin.none.empty() ? !whole : !nothing)
    fields.complain("must have 'file', 'publisher' and 'import', and may have 'url', or have 'none' alone");
  if (!origin.url.empty() && !origin.url.starts_with("https://") && !origin.url.starts_with("http://"))
    fields.complain("'url' must begin with https:// or http://, not '" + origin.url + "'",
                    fields.find("url"));
  return origin;
}

/// `ranges`: NODE: [low, high], into the nodes.
void read_ranges(const Value& value, std::vector<NodeSpec>& nodes) {
  constexpr double kLeast = 1e-30, kMost = 1e30;  // far from where scales made of them leave the floats
  Fields fields(value, "ranges");
  std::map<std::string_view, NodeSpec*> named;
  for (NodeSpec& node : nodes) named.emplace(node.name, &node);
  for (const auto& [name, limits] : value.fields) {
    const auto node = named.find(name);
    if (node == named.end()) fields.complain("there is no node '" + name + "'", &limits);
    const std::vector<double> range = fields.numbers(name);
    if (range.size() != 2 || range[0] > 0 || range[1] < 0 || std::max(-range[0], range[1]) < kLeast ||
        std::max(-range[0], range[1]) > kMost)
      fields.complain(
          fmt::format("'{}' must be [low, high], low at most 0 and high at least 0, the larger of "
                      "them {} to {} from 0",
                      name, kLeast, kMost),
          &limits);
    node->second->range = ValueRange{static_cast<float>(range[0]), static_cast<float>(range[1])};
  }
}

bool choice(Fields& fields, std::string_view key, std::string_view usual, std::string_view other) {
  const std::string given = fields.text(key, std::string(usual));
  if (given != usual && given != other)
    fields.complain(fmt::format("'{}' must be {} or {}, not '{}'", key, usual, other, given));
  return given == other;
}

/// The config's output stride, or the one asked for instead; none where the config leaves strides as written.
std::optional<int> read_output_stride(Fields& fields, std::optional<int> wanted) {
  const Value* given = fields.find("output_stride");
  if (given == nullptr) {
    if (wanted) fields.complain("this model has no 'output_stride' that could be changed");
    return std::nullopt;
  }
  const auto stride = wanted ? std::optional<std::int64_t>(*wanted) : parse_integer(given->scalar);
  if (!stride || (*stride != 8 && *stride != 16 && *stride != 32))
    fields.complain("'output_stride' must be 8, 16 or 32", given);
  return static_cast<int>(*stride);
}

Folders with_own_folder(const fs::path& file, const Folders& search) {
  Folders folders{file.has_parent_path() ? file.parent_path() : fs::path(".")};
  folders.insert(folders.end(), search.begin(), search.end());
  return folders;
}

BlockLibrary read_blocks(Fields& model, const Folders& folders) {
  BlockLibrary library;
  for (const std::string& name : model.texts("use"))
    add_blocks(library, load_yaml(require_file(name, folders, model, model.find("use"))));
  if (const Value* blocks = model.find("blocks")) add_blocks(library, *blocks);
  return library;
}

}  // namespace

const NodeSpec* ModelConfig::first_node(std::string_view op) const {
  const auto found =
      std::find_if(nodes.begin(), nodes.end(), [&](const NodeSpec& node) { return node.op == op; });
  return found == nodes.end() ? nullptr : &*found;
}

bool ModelConfig::has_weights() const {
  return !weights.empty() && std::none_of(weights.begin(), weights.end(),
                                          [](const WeightsFile& each) { return each.path.empty(); });
}

LabelSet load_label_set(const std::string& given, const Folders& search) {
  if (const auto count = parse_integer(given)) {
    if (*count < 1 || *count > 255)
      fail(ErrorCode::invalid_argument, "a label set of {} classes; accepted are 1 to 255", given);
    return numbered_labels(static_cast<int>(*count));
  }
  if (given.ends_with(".yaml") || given.ends_with(".yml")) return parse_labels(load_yaml(given));
  const fs::path file = find_file("labels/" + given + ".yaml", search);
  if (file.empty())
    fail(ErrorCode::not_found, "label set '{}' is not in configs/labels of the model path", given);
  return parse_labels(load_yaml(file));
}

ModelConfig load_model_config(const fs::path& file, const Folders& search, const ConfigOptions& options) {
  return parse_model_config(load_yaml(file), file, search, options);
}

Value load_self_contained(const fs::path& file, const Folders& search, const ConfigOptions& options) {
  const Value document = load_yaml(file);
  const Folders folders = with_own_folder(file, search);
  Fields fields(document, "");
  const BlockLibrary library = read_blocks(fields, folders);
  const std::optional<int> stride = read_output_stride(fields, options.output_stride);
  Value result = Value::map({});
  for (const auto& [key, value] : document.fields) {
    if (key == "use" || key == "blocks") continue;
    if (key == "labels" && value.kind == Value::Kind::scalar && !parse_integer(value.scalar))
      result.fields.emplace_back(
          key, load_yaml(require_file("labels/" + value.scalar + ".yaml", folders, fields, &value)));
    else if (key == "output_stride")
      result.fields.emplace_back(key, Value::text(std::to_string(*stride)));
    else
      result.fields.emplace_back(key, value);
  }
  Value blocks = Value::map({});
  for (const auto& [name, block] : library) blocks.fields.emplace_back(name, block.definition);
  if (!library.empty()) result.fields.emplace_back("blocks", std::move(blocks));
  return result;
}

ModelConfig parse_model_config(const Value& document, const fs::path& file, const Folders& search,
                               const ConfigOptions& options) {
  const Folders folders = with_own_folder(file, search);
  Fields fields(document, "");
  ModelConfig config;
  config.file = file;
  config.name = fields.text("name", file.stem().string());
  config.task = fields.text("task", "");
  fields.text("description", "");  // for who reads the file
  config.labels = read_labels(fields, folders);
  config.input = read_input(fields.require("input"));
  for (const std::string& name : fields.texts("weights"))
    if (!name.empty()) config.weights.push_back({name, find_file(name, folders)});
  if (const Value* origin = fields.find("weights_from")) config.weights_from = read_weights_from(*origin);
  config.output_stride = read_output_stride(fields, options.output_stride);
  const BlockLibrary library = read_blocks(fields, folders);
  Value parameters = Value::map({{"classes", Value::text(std::to_string(config.labels.size()))}});
  if (config.output_stride)
    parameters.fields.emplace_back("output_stride", Value::text(std::to_string(*config.output_stride)));
  if (const Value* given = fields.find("parameters")) {
    if (given->kind != Value::Kind::map) fields.complain("'parameters' must map names to values", given);
    parameters.fields.insert(parameters.fields.end(), given->fields.begin(), given->fields.end());
  }
  const Value* networks = fields.find("networks");
  Expansion expansion = expand_network(fields.require("network"), fields.text("output", ""), parameters,
                                       library, networks != nullptr ? *networks : Value());
  config.nodes = std::move(expansion.nodes);
  config.output = std::move(expansion.output);
  if (config.output_stride) apply_output_stride(config.nodes, *config.output_stride, "backbone.");
  if (const Value* ranges = fields.find("ranges")) read_ranges(*ranges, config.nodes);
  config.align_corners = choice(fields, "resize", "half_pixel", "align_corners");
  config.fusion = choice(fields, "fusion", "mean", "max") ? Fusion::max : Fusion::mean;
  config.probabilities = choice(fields, "scores", "logits", "probabilities");
  if (config.probabilities && config.fusion == Fusion::max)
    fields.complain("'fusion: max' is for logits, not for 'scores: probabilities'", fields.find("fusion"));
  if (const Value* refine = fields.find("refine")) config.refine = read_refine(*refine);
  if (const Value* accuracy = fields.find("accuracy")) {
    Fields figures(*accuracy, "accuracy");
    for (const auto& [name, value] : accuracy->fields)
      config.accuracy.emplace_back(name, figures.number(name));
  }
  fields.finish();
  return config;
}

}  // namespace atrous

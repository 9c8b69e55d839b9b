// SPDX-License-Identifier: Apache-2.0
#include "import/onnx_import.h"

#include <algorithm>

#include "config/model_config.h"
#include "config/model_path.h"
#include "config/yaml.h"
#include "core/error.h"
#include "core/files.h"
#include "graph/builder.h"
#include "import/probe.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

/// One or three numbers, as a list of three.
Value triple(const std::vector<std::string>& given, const char* fallback, const char* option) {
  if (given.size() > 3 || given.size() == 2)
    fail(ErrorCode::invalid_argument, "{}: neither one number nor three", option);
  std::vector<Value> items;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string text = given.empty() ? fallback : given.size() == 1 ? given[0] : given[i];
    if (!parse_number(text)) fail(ErrorCode::invalid_argument, "{}: '{}' is no number", option, text);
    items.push_back(Value::text(text));
  }
  return Value::list(std::move(items));
}

Value input_map(const ImportOptions& options, const SizedNetwork& sized, bool bytes) {
  const std::string scale = !options.scale.empty() ? options.scale : bytes ? "1" : "1/255";
  if (!parse_number(scale)) fail(ErrorCode::invalid_argument, "--scale: '{}' is no number", scale);
  Value map = Value::map({{"color", Value::text(options.color)},
                          {"scale", Value::text(scale)},
                          {"mean", triple(options.mean, "0", "--mean")},
                          {"std", triple(options.std, "1", "--std")}});
  if (sized.height > 0) {
    map.fields.emplace_back("policy", Value::text("stretch"));
    map.fields.emplace_back("size", pair_of(sized.height, sized.width));
  } else if (sized.multiple > 1) {
    map.fields.emplace_back("multiple", number(std::int64_t{sized.multiple}));
    map.fields.emplace_back(
        "size", number(std::int64_t{512}));  // a whole number of every multiple, for inspect and bench
  }
  return map;
}

Value labels(const std::string& given, std::int64_t classes) {
  if (given.empty()) return number(classes);
  std::error_code status;
  if (!fs::is_regular_file(given, status)) {
    if (given.find_first_of("/.") != std::string::npos)
      fail(ErrorCode::not_found, "--labels {}: there is no such file", given);
    return Value::text(given);
  }
  const std::string extension = fs::path(given).extension();
  if (extension == ".yaml" || extension == ".yml") return load_yaml(given);
  const std::vector<std::byte> content = read_file(given);
  std::vector<Value> names;
  std::string name;
  for (std::size_t i = 0; i <= content.size(); ++i) {
    const char c = i < content.size() ? static_cast<char>(content[i]) : '\n';
    if (c != '\n' && c != '\r') {
      name += c;
    } else if (!name.empty()) {
      names.push_back(Value::text(one_line(std::exchange(name, ""))));
    }
  }
  if (static_cast<std::int64_t>(names.size()) != classes)
    fail(ErrorCode::invalid_argument, "--labels {}: {} names for the {} channels of the network's output",
         given, names.size(), classes);
  return Value::map({{"classes", Value::list(std::move(names))}});
}

/// The config's nodes, which leave out what the format does not need to be told.
Value network_list(const ImportedNetwork& network) {
  std::vector<Value> nodes;
  for (int i = 1; i < network.size(); ++i) {
    const ImportedNode& node = network[i];
    Keys keys{{"name", Value::text(node.name)}, {"op", Value::text(node.op)}};
    std::vector<Value> inputs;
    for (int input : node.inputs) inputs.push_back(Value::text(network[input].name));
    if (inputs.size() == 1 && node.inputs[0] != i - 1) keys.emplace_back("input", inputs[0]);
    if (inputs.size() > 1) keys.emplace_back("inputs", Value::list(std::move(inputs)));
    keys.insert(keys.end(), node.keys.begin(), node.keys.end());
    nodes.push_back(Value::map(std::move(keys)));
  }
  return Value::list(std::move(nodes));
}

std::vector<TensorRef> tensors_of(const ImportedNetwork& network) {
  std::vector<TensorRef> tensors;
  for (int i = 1; i < network.size(); ++i)
    for (TensorRef tensor : network[i].tensors) {
      tensor.name = network[i].name + "." + tensor.name;
      tensors.push_back(std::move(tensor));
    }
  return tensors;
}

void check_name(const std::string& name) {
  const bool good =
      !name.empty() && name[0] != '.' && name[0] != '-' && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("._-").find(c) != std::string_view::npos;
      });
  if (!good)
    fail(ErrorCode::invalid_argument, "--name: '{}' is no name of letters, digits, '.', '_' and '-'", name);
}

ImportedModel import_model(const fs::path& file, const ImportOptions& options) {
  const std::string name = options.name.empty() ? file.stem().string() : options.name;
  const OnnxModel model = read_onnx(file);
  const SizedNetwork sized = translate_any_size(model, options.height, options.width);
  const ImportedNetwork& network = sized.network;
  const std::int64_t classes = network[network.output].shape.c;
  if (classes > 255)
    fail(ErrorCode::unsupported, "its output has {} channels; accepted are up to 255 classes", classes);
  Value config = Value::map(
      {{"name", Value::text(name)},
       {"description", Value::text(fmt::format("imported from an ONNX file of opset {}", model.opset))},
       {"labels", labels(options.labels, classes)},
       {"weights", Value::text(name + ".safetensors")},
       {"input", input_map(options, sized, model.inputs[0].is_u8)},
       {"resize", Value::text(sized.tail.align_corners ? "align_corners" : "half_pixel")},
       {"output", Value::text(network[network.output].name)},
       {"network", network_list(network)}});
  config.where.file = std::make_shared<std::string>(file.string());
  return {name, std::move(config), ImportedWeights(file.string(), tensors_of(network))};
}

}  // namespace

ImportedWeights::ImportedWeights(std::string file, std::vector<TensorRef> tensors)
    : file_(std::move(file)), tensors_(std::move(tensors)) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

std::optional<TensorRef> ImportedWeights::find(std::string_view name,
                                               const std::vector<std::int64_t>&) const {
  const auto found = index_.find(name);
  return found == index_.end() ? std::nullopt : std::optional(tensors_[found->second]);
}

void ImportedModel::check(const fs::path& folder) const {
  const ModelConfig read = parse_model_config(config, folder / (name + ".yaml"), search_folders());
  const Shape input = nominal_input(read.input);
  const Graph graph = build_graph(read.nodes, read.output, input, weights);
  const Shape output = infer_shapes(graph, input)[static_cast<std::size_t>(graph.outputs()[0])];
  if (output.c != read.labels.size())
    fail(ErrorCode::invalid_argument, "{}: its output has {} classes and the label set '{}' {}",
         weights.describe(), output.c, read.labels.name, read.labels.size());
}

ImportedModel import_onnx(const fs::path& file, const ImportOptions& options) {
  if (!options.name.empty()) check_name(options.name);
  try {
    return import_model(file, options);
  } catch (const Error& error) {
    if (error.message().starts_with(file.string() + ": ") || error.message().starts_with("--")) throw;
    throw Error(error.code(), file.string() + ": " + error.message());
  }
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model.h"

#include <algorithm>
#include <set>

#include "config/model_path.h"
#include "config/weights.h"
#include "graph/builder.h"
#include "graph/passes.h"
#include "import/onnx_import.h"
#include "pipeline/model_digest.h"

namespace atrous {
namespace {

/// What a precision means: the type of activations, and where that is f32, of what convolutions read.
struct Precision {
  std::string_view name;
  DType activations = DType::f32, convolutions = DType::f32;
};

/// The precision of that name on this backend; "auto": the backend's first type.
Precision find_precision(const std::string& name, const Backend& backend) {
  const std::span<const DType> types = backend.activation_types();
  if (name == "auto") return {"auto", types.front()};
  constexpr Precision kKnown[] = {{"fp32"},
                                  {"tf32"},
                                  {"fp16", DType::f16},
                                  {"bf16", DType::bf16},
                                  {"bf16", DType::f32, DType::bf16},
                                  {"int8", DType::f32, DType::s8}};
  auto refuse = [&](const Precision& p) -> std::string {
    const bool has = std::find(types.begin(), types.end(), p.activations) != types.end();
    if (!has || (p.name == "tf32" && backend.device().kind != DeviceKind::cuda))
      return "does not compute in it";
    return p.convolutions == DType::f32 ? "" : backend.refuse_convolutions(p.convolutions);
  };
  std::string able = "auto", reason;
  for (const Precision& known : kKnown) {
    const std::string refusal = refuse(known);
    if (known.name == name) {
      if (refusal.empty()) return known;
      reason = refusal;
    } else if (refusal.empty()) {
      able += ", " + std::string(known.name);
    }
  }
  if (reason.empty())
    fail(ErrorCode::invalid_argument, "precision must be auto, fp32, tf32, fp16, bf16 or int8, not '{}'",
         name);
  fail(ErrorCode::unsupported, "precision '{}': device {} {} (use {})", name, to_string(backend.device()),
       reason, able);
}

/// A model's config, and its weights.
struct Opened {
  ModelConfig config;
  std::unique_ptr<WeightSource> weights;
};

/// An ONNX file is imported in memory, with the defaults that `atrous import` has.
Opened open_model(const std::filesystem::path& file, const ModelOptions& options) {
  if (file.extension() == ".onnx") {
    ImportedModel model = import_onnx(file);
    ModelConfig config = parse_model_config(model.config, file, search_folders(), {options.output_stride});
    config.weights = {{file.filename().string(), file}};
    return {std::move(config), std::make_unique<ImportedWeights>(std::move(model.weights))};
  }
  ModelConfig config = load_model_config(file, search_folders(), {options.output_stride});
  std::unique_ptr<WeightSource> weights = open_weights(config, options.random_weights);
  return {std::move(config), std::move(weights)};
}

/// "cpu", "cuda", "cuda:1".
Device parse_device(std::string_view text) {
  if (text == "cpu") return {};
  const auto index =
      text.starts_with("cuda:") ? parse_integer(text.substr(5)) : std::optional<std::int64_t>(0);
  if (!text.starts_with("cuda") || (text.size() > 4 && text[4] != ':') || !index || *index < 0 ||
      *index > 1023)
    fail(ErrorCode::invalid_argument, "device must be auto, cpu, cuda or cuda:N, not '{}'", text);
  return {DeviceKind::cuda, static_cast<int>(*index)};
}

}  // namespace

std::shared_ptr<const Model> Model::open(std::string_view name_or_path, const ModelOptions& options) {
  return open_on(1, name_or_path, options).front();
}

std::vector<std::shared_ptr<const Model>> Model::open_on(int most, std::string_view name_or_path,
                                                         const ModelOptions& options) {
  const Opened opened = open_model(find_model(name_or_path), options);
  auto on = [&](Device device, std::string note) {
    return std::shared_ptr<const Model>(
        new Model(opened.config, *opened.weights, options, device, std::move(note)));
  };
  const bool any = options.device == "auto";
  if (!any && options.device != "cuda") return {on(parse_device(options.device), "")};
  std::vector<std::shared_ptr<const Model>> models;
  std::string note = why_no_gpu();
  for (const Device& device : find_devices()) {
    if (device.kind != DeviceKind::cuda || static_cast<int>(models.size()) >= most) continue;
    try {
      std::shared_ptr<const Model> model = on(device, "");
      Executor(model->network())
          .prepare(nominal_input(opened.config.input));  // packs the weights, takes the memory
      models.push_back(std::move(model));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::out_of_memory) throw;
      note = error.message();
    }
  }
  if (!models.empty()) return models;
  if (!any) return {on(parse_device("cuda"), "")};  // says what is wrong with it
  return {on({}, note)};
}

Model::Model(ModelConfig config, const WeightSource& weights, const ModelOptions& options, Device device,
             std::string device_note)
    : config_(std::move(config)), device_note_(std::move(device_note)) {
  std::shared_ptr<const Backend> backend = make_backend(device);
  PlanOptions plan;
  const Precision precision = find_precision(options.precision, *backend);
  plan.dtype = precision.activations;
  plan.convolutions = precision.convolutions;
  plan.allow_tf32 = options.precision == "tf32";
  plan.tune = options.tune && backend->device().kind == DeviceKind::cuda;
  if (options.separate_nodes) plan.fold_batch_norm = plan.fuse = plan.concat_in_place = false;
  random_weights_ = !config_.has_weights();
  const Shape nominal = nominal_input(config_.input);
  std::vector<std::string> kept = options.outputs;
  if (const NodeSpec* fusion = config_.first_node("template_morph"))
    kept.insert(kept.end(), fusion->inputs.begin(), fusion->inputs.end());
  template_output_ = 1 + static_cast<int>(options.outputs.size());
  const Graph graph = build_graph(config_.nodes, config_.output, nominal, weights, kept);
  digest_ = model_digest(config_, graph);
  std::set<std::string_view> counted;  // nodes may share weights
  for (const Node& node : graph.nodes())
    for (const Constant& constant : node.constants)
      if (!constant.name.starts_with("running_") && counted.insert(constant.tensor.name).second)
        parameters_ += constant.tensor.elements();
  if (options.precision == "int8" && !can_quantise(graph))
    fail(ErrorCode::unsupported,
         "precision 'int8': {} has no 8-bit weights with ranges (`atrous quantize` makes a model that has)",
         config_.file.string());
  if (options.precision == "auto" && backend->refuse_convolutions(DType::s8).empty() && can_quantise(graph))
    plan.convolutions = DType::s8;
  const Shape output = infer_shapes(graph, nominal)[static_cast<std::size_t>(graph.outputs()[0])];
  if (output.c != config_.labels.size())
    fail(ErrorCode::bad_config, "{}: the network makes {} classes but its label set '{}' has {}",
         config_.file.string(), output.c, config_.labels.name, config_.labels.size());
  network_ = std::make_shared<Network>(graph, nominal, std::move(backend), plan);
}

}  // namespace atrous

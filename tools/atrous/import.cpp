// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "commands.h"
#include "import/onnx_import.h"
#include "options.h"

namespace atrous::cli {
namespace {

struct ImportArguments {
  std::string model, folder, mean, std, size;
  ImportOptions options;
};

int import_model(ImportArguments arguments) {
  arguments.options.mean = split(arguments.mean);
  arguments.options.std = split(arguments.std);
  if (!arguments.size.empty()) {
    const auto [height, width] = parse_extent(arguments.size);
    arguments.options.height = height, arguments.options.width = width;
  }
  const ImportedModel model = import_onnx(arguments.model, arguments.options);
  model.check(arguments.folder);
  std::cout << write_model(model, arguments.folder).string() << "\n";
  return kDone;
}

}  // namespace

void add_import(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<ImportArguments>();
  CLI::App* command = app.add_subcommand("import", "makes a config and weights of an ONNX model");
  command->add_option("model", arguments->model, "MODEL.onnx")->required();
  command->add_option("-o,--output", arguments->folder, "folder for NAME.yaml and NAME.safetensors")
      ->required();
  command->add_option("--name", arguments->options.name, "of the model; default: the file's stem");
  command->add_option("--mean", arguments->mean, "R,G,B: value = (pixel*scale - mean)/std; default 0");
  command->add_option("--std", arguments->std, "R,G,B; default 1");
  command->add_option("--scale", arguments->options.scale,
                      "default 1/255, and 1 for a model that takes bytes");
  command->add_option("--color", arguments->options.color, "order of the model's channels: rgb or bgr")
      ->check(CLI::IsMember({"rgb", "bgr"}))
      ->capture_default_str();
  command->add_option(
      "--labels", arguments->options.labels,
      "a label set, a file of one, or a text file with a name a line; default: numbered classes");
  command->add_option(
      "--size", arguments->size,
      "HxW to which photos are stretched; default: any size, or the one the model is fixed to");
  command->callback([arguments, &run] { run = [arguments] { return import_model(*arguments); }; });
}

}  // namespace atrous::cli

// SPDX-License-Identifier: Apache-2.0
// Writes the networks of the GPU benchmark as JSON (network_text.h): a host tool of the build.
// Usage: export_networks CASES.yaml OUT.json
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "config/model_path.h"
#include "config/modules.h"
#include "config/yaml.h"
#include "core/error.h"
#include "network_text.h"

namespace atrous::bench {
namespace {

std::vector<Shape> shapes_of(Fields& fields) {
  std::vector<Shape> shapes;
  for (const Value& item : fields.require("inputs").items) {
    const Value entry = Value::map({{"nhwc", item}});
    Fields shape(entry, "an input of " + fields.what());
    const std::vector<std::int64_t> extents = shape.integers("nhwc");
    if (extents.size() != 4)
      fields.complain("an input needs four numbers: images, height, width, channels", &item);
    shapes.push_back({extents[0], extents[1], extents[2], extents[3]});
  }
  return shapes;
}

/// A model by its config's name, or nodes of its own that may use the blocks of configs/blocks/resnet.yaml.
BenchNetwork read_case(const Value& item, const BlockLibrary& library) {
  Fields fields(item, "a case");
  BenchNetwork network{fields.text("name"), fields.text("group"), shapes_of(fields), {}, {}};
  if (const Value* nodes = fields.find("nodes")) {
    Expansion expansion = expand_network(*nodes, "", Value::map({}), library);
    network.nodes = std::move(expansion.nodes);
    network.output = std::move(expansion.output);
  } else {
    ModelConfig config = load_model_config(find_model(network.name), search_folders());
    network.nodes = std::move(config.nodes);
    network.output = std::move(config.output);
  }
  fields.finish();
  return network;
}

void export_networks(const char* cases, const char* out) {
  BlockLibrary library;
  for (const std::filesystem::path& folder : search_folders())
    if (const std::filesystem::path blocks = folder / "blocks/resnet.yaml"; std::filesystem::exists(blocks)) {
      add_blocks(library, load_yaml(blocks));
      break;
    }
  nlohmann::ordered_json networks = nlohmann::ordered_json::array();
  for (const Value& item : load_yaml(cases).items) networks.push_back(to_json(read_case(item, library)));
  std::ofstream file(out);
  file << networks.dump() << "\n";
  if (!file.flush()) fail(ErrorCode::io, "{}: cannot be written", out);
}

}  // namespace
}  // namespace atrous::bench

int main(int argc, char** argv) {
  try {
    if (argc != 3)
      atrous::fail(atrous::ErrorCode::invalid_argument, "usage: export_networks CASES.yaml OUT.json");
    atrous::bench::export_networks(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "export_networks: %s\n", error.what());
    return 2;
  }
}

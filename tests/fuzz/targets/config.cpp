// SPDX-License-Identifier: Apache-2.0
// A model's YAML: the config, then the graph of a network that is small.
#include "config/model_path.h"
#include "fuzz/targets.h"
#include "graph/builder.h"
#include "support/zero_weights.h"

namespace atrous {
namespace {

constexpr std::size_t kMostNodes = 32;
constexpr double kMostElements = 1 << 16;

/// Zeros, but no large tensors.
class SmallWeights : public test::ZeroWeights {
 public:
  std::optional<TensorRef> find(std::string_view name, const std::vector<std::int64_t>& dims) const override {
    double elements = 1;
    for (std::int64_t extent : dims) elements *= static_cast<double>(extent);
    return elements <= kMostElements ? ZeroWeights::find(name, dims) : std::nullopt;
  }
};

}  // namespace

void fuzz::config(const fs::path& file) {
  const ModelConfig config = load_model_config(file, search_folders());
  if (config.nodes.size() > kMostNodes) return;
  const Shape input = nominal_input(config.input);
  infer_shapes(build_graph(config.nodes, config.output, input, SmallWeights()), input);
}

}  // namespace atrous

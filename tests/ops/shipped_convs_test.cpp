// SPDX-License-Identifier: Apache-2.0
// Every convolution of the shipped networks against the reference: its kernel, stride, rate, groups,
// channels, bias and activation as the passes leave them, on a map just large enough for its taps to reach
// the image.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "config/model_config.h"
#include "config/model_path.h"
#include "graph/builder.h"
#include "graph/passes.h"
#include "support/run_case.h"
#include "support/zero_weights.h"

namespace atrous {
namespace {

/// A small extent in place of `extent`, of the same parity (SAME padding depends on it). At rates above 1 one
/// row or column off the centre meets the image.
std::int64_t shrink(std::int64_t extent, int rate, std::int64_t small) {
  const std::int64_t wanted = rate > 1 ? rate + 2 : small;
  return extent <= wanted ? extent : wanted + (extent - wanted) % 2;
}

/// Cases by what makes them differ.
using Cases = std::map<std::string, test::OpCase>;

void add_convolutions(const std::filesystem::path& file, Cases& cases) {
  const ModelConfig config = load_model_config(file, search_folders());
  const Shape nominal = nominal_input(config.input);
  const Graph built = build_graph(config.nodes, config.output, nominal, test::ZeroWeights());
  const Graph graph = fuse_epilogues(fold_affine(drop_identities(built)), nominal);
  const std::vector<Shape> shapes = infer_shapes(graph, nominal);
  for (const Node& node : graph.nodes()) {
    const auto* p = std::get_if<Conv2dParams>(&node.params);
    if (p == nullptr) continue;
    Shape in = shapes[static_cast<std::size_t>(node.inputs[0])];
    in = {1, shrink(in.h, p->dh, std::max(4, p->kh - p->padding.top - p->padding.bottom)),
          shrink(in.w, p->dw, std::max(5, p->kw - p->padding.left - p->padding.right)), in.c};
    std::vector<Shape> inputs{in};
    if (p->has_residual) {
      Conv2dParams alone = *p;
      alone.has_residual = false;
      inputs.push_back(schema_of(OpKind::conv2d).infer_shape(alone, inputs));
    }
    const std::string key =
        fmt::format("{} {}x{} s{} d{} g{} pad {},{},{},{},{} to {} bias {} residual {} activation {}",
                    to_string(in), p->kh, p->kw, p->sh, p->dh, p->groups, p->padding.same, p->padding.top,
                    p->padding.left, p->padding.bottom, p->padding.right, p->oc, p->has_bias, p->has_residual,
                    static_cast<int>(p->activation.kind));
    cases.try_emplace(key, test::OpCase{config.name + "/" + node.name + " " + key, *p, inputs, 1e-4});
  }
}

TEST(ShippedConvolutions, AgreeWithTheReference) {
  Cases cases;
  const std::vector<std::filesystem::path> models = list_models();
  ASSERT_GE(models.size(), 3U);
  for (const std::filesystem::path& file : models) add_convolutions(file, cases);
  EXPECT_GT(cases.size(), 40U);
  for (const auto& [key, test_case] : cases) test::expect_case(test_case, false, test::Layouts::two);
}

}  // namespace
}  // namespace atrous

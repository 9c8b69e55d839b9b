// SPDX-License-Identifier: Apache-2.0
// Active template regression (Liang et al. 2015, arXiv 1503.02391) says that a label's mask is a linear
// combination of learned templates, morphed by position, scale and visibility, and that all masks are fused
// into a distribution over labels at every pixel. The equations below are this project's reading of that; the
// abstract, all that was at hand, has none.
//
// For label k = 1..K with the dictionary D_k >= 0 of T_k templates, each h x w pixels in row-major order,
// coefficients a_k and box (cx, cy, sx, sy, v)_k, lengths in units of the map's sides:
// - mask: m_k = clamp(D_k a_k, 0, 1)
// - box position: u = ((x + 0.5)/W - cx)/sx + 0.5 of pixel (x, y) of the W x H map; t alike in y, H, cy, sy
// - paste: P_k(x, y) = clamp(v_k, 0, 1) * m_k at column u*w - 0.5, row t*h - 0.5, bilinearly with zeros
//   around the mask, where u and t lie in [0, 1); else 0
// - background: P_0 = (1 - P_1) (1 - P_2) ... (1 - P_K)
// - distribution: p_k = P_k / (P_0 + P_1 + ... + P_K), k = 0..K; the sum is at least 1
//
// A box with sx or sy below kLeastMorphSide, or with a side or centre that is not finite, covers nothing.
#include <algorithm>
#include <numeric>

#include "core/error.h"
#include "ops/cost.h"
#include "ops/window.h"

namespace atrous {
namespace {

constexpr std::string_view kNames[] = {"template_morph"};
constexpr std::size_t kMostLabels = 254;
constexpr std::int64_t kMostTemplates = 65536, kMostWeights = 1 << 28;
constexpr int kMostMaskSide = 1024, kMostMapSide = 65536;

std::int64_t templates_of(const TemplateMorphParams& p) {
  return std::accumulate(p.templates.begin(), p.templates.end(), std::int64_t{0});
}

OpParams parse(std::string_view, Fields& fields) {
  TemplateMorphParams p;
  const Value& templates = fields.require("templates");
  const std::vector<std::int64_t> counts = fields.integers("templates");
  const bool each_fits = !counts.empty() && counts.size() <= kMostLabels &&
                         std::all_of(counts.begin(), counts.end(), [](std::int64_t count) {
                           return count >= 1 && count <= kMostTemplates;
                         });
  if (each_fits) p.templates.assign(counts.begin(), counts.end());
  const std::int64_t total = templates_of(p);
  if (!each_fits || total > kMostTemplates)
    fields.complain(fmt::format("'templates' must be a number of templates for each of 1 to {} labels, {} "
                                "together at most",
                                kMostLabels, kMostTemplates),
                    &templates);
  p.names = fields.texts("names");
  if (!p.names.empty() && p.names.size() != p.templates.size())
    fields.complain(fmt::format("'names' must be {}, one for each of 'templates'", p.templates.size()),
                    fields.find("names"));
  fields.require("mask");
  const Pair mask = parse_pair(fields, "mask", 1, 1, kMostMaskSide);
  p.mh = mask.h, p.mw = mask.w;
  if (total * p.mh * p.mw > kMostWeights)
    fields.complain(
        fmt::format("{} templates of {}x{} are more than {} numbers", total, p.mh, p.mw, kMostWeights));
  fields.require("size");
  const Pair size = parse_pair(fields, "size", 1, 1, kMostMapSide);
  p.oh = size.h, p.ow = size.w;
  return p;
}

std::vector<ConstantSpec> constants(const OpParams& params, std::span<const Shape>) {
  const auto& p = std::get<TemplateMorphParams>(params);
  return {{"weight", {templates_of(p), p.mh, p.mw}, true}};
}

Shape infer_shape(const OpParams& params, std::span<const Shape> inputs) {
  const auto& p = std::get<TemplateMorphParams>(params);
  const auto labels = static_cast<std::int64_t>(p.templates.size());
  const Shape coefficients{inputs[0].n, 1, 1, templates_of(p)}, boxes{inputs[0].n, 1, 1, 5 * labels};
  if (inputs[0] != coefficients || inputs[1] != boxes)
    fail(ErrorCode::bad_config,
         "{} labels with {} templates take coefficients {} and boxes {} (cx, cy, sx, sy, v), not {} and {}",
         labels, coefficients.c, to_string(coefficients), to_string(boxes), to_string(inputs[0]),
         to_string(inputs[1]));
  return {inputs[0].n, p.oh, p.ow, labels + 1};
}

/// As if every box covered the whole map.
Cost cost(const OpParams& params, std::span<const Shape> inputs, const Shape& output) {
  constexpr double kFlopsOfSample =
      10;  // position, two blends of rows and columns, background, sum, division
  const std::vector<ConstantSpec> dictionary = constants(params, inputs);
  Cost result = elementwise_cost(inputs, output, kFlopsOfSample);
  result.flops += 2 * static_cast<double>(output.n) * constant_bytes(dictionary) / 4;
  result.bytes += constant_bytes(dictionary);
  return result;
}

}  // namespace

const OpSchema& schema_template_morph() {
  static constexpr OpSchema kSchema{"template_morph", kNames, 2, 2, parse, constants, infer_shape, cost};
  return kSchema;
}

}  // namespace atrous

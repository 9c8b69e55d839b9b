// SPDX-License-Identifier: Apache-2.0
// Template morphing (equations in ops/template_morph.cpp): first every label's mask and where its pixels lie
// on the map, a label of an image a task; then the map, a row a task, only what the boxes cover.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend/cpu/kernel_of.h"

namespace atrous {
namespace {

/// Where a box lies on one axis of the map: pixels [begin, end) read mask position first + step * (pixel -
/// begin), which is within [-0.5, mask - 0.5].
struct AxisPaste {
  std::int32_t begin = 0, end = 0;
  float first = 0, step = 0;
};

struct Paste {
  AxisPaste columns, rows;
  float visibility = 0;
};

/// A pixel's position in a mask with a border of one pixel: element `low`, and how far on to the next.
struct Tap {
  std::int32_t low;
  float weight;
};

AxisPaste paste_axis(double centre, double side, std::int64_t pixels, int mask) {
  if (!std::isfinite(centre) || !std::isfinite(side) || side < static_cast<double>(kLeastMorphSide))
    return {};
  const auto extent = static_cast<double>(pixels);
  const auto first_from = [&](double edge) {  // the first pixel whose centre is at the edge or behind it
    return static_cast<std::int32_t>(std::clamp(std::ceil(edge * extent - 0.5), 0.0, extent));
  };
  AxisPaste axis{first_from(centre - side / 2), first_from(centre + side / 2)};
  const double u = ((axis.begin + 0.5) / extent - centre) / side + 0.5;
  axis.first = static_cast<float>(u * mask - 0.5);
  axis.step = static_cast<float>(mask / (side * extent));
  return axis;
}

Tap tap_at(const AxisPaste& axis, std::int64_t pixel) {
  const float at = axis.first + axis.step * static_cast<float>(pixel - axis.begin), low = std::floor(at);
  return {static_cast<std::int32_t>(low) + 1, at - low};
}

/// NaN stays.
float clamp_to_one(float value) { return value < 0 ? 0 : value > 1 ? 1 : value; }

ATROUS_VECTORISE void mask_row(const float* coefficients, std::int64_t count, const float* dictionary,
                               std::int64_t template_size, float* out, std::int64_t width) {
  for (std::int64_t t = 0; t < count; ++t)
    for (std::int64_t x = 0; x < width; ++x) out[x] += coefficients[t] * dictionary[t * template_size + x];
  for (std::int64_t x = 0; x < width; ++x) {
    const float value = out[x] < 0 ? 0 : out[x];
    out[x] = value > 1 ? 1 : value;
  }
}

ATROUS_VECTORISE void blend_rows(const float* a, const float* b, float t, float scale, float* out,
                                 std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = scale * (a[i] + (b[i] - a[i]) * t);
}

ATROUS_VECTORISE void sample(const float* line, const Tap* taps, std::int64_t count, float* pasted,
                             float* background, float* sum) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float a = line[taps[i].low], b = line[taps[i].low + 1];
    float p = a + (b - a) * taps[i].weight;
    p = p > 1 ? 1 : p;  // where it is rounded up
    pasted[i] = p;
    background[i] *= 1 - p;
    sum[i] += p;
  }
}

ATROUS_VECTORISE void scale_pixels(float* out, std::int64_t pitch, std::int64_t channels, const float* sum,
                                   std::int64_t pixels) {
  for (std::int64_t i = 0; i < pixels; ++i) {
    const float inverse = 1 / sum[i];
    for (std::int64_t c = 0; c < channels; ++c) out[i * pitch + c] *= inverse;
  }
}

class TemplateMorph : public Kernel {
 public:
  TemplateMorph(const NodeDesc& node, WeightCache& cache)
      : p_(std::get<TemplateMorphParams>(node.params)),
        coefficients_(node.inputs[0]),
        boxes_(node.inputs[1]),
        out_(node.output),
        dictionary_(cache.get_or_make(
            std::string(node.name) + "|templates",
            [&] {
              const Constant& weight = *node.constant("weight");
              auto memory = allocate_host(static_cast<std::size_t>(weight.tensor.elements()) * sizeof(float));
              weight.read_f32(reinterpret_cast<float*>(memory->data()));
              return memory;
            })),
        pastes_(out_.shape.n * labels()) {
    first_template_.resize(p_.templates.size() + 1);
    std::partial_sum(p_.templates.begin(), p_.templates.end(), first_template_.begin() + 1);
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(pastes_) *
           (sizeof(Paste) + static_cast<std::size_t>(mask_elements()) * sizeof(float) +
            static_cast<std::size_t>(out_.shape.w) * sizeof(Tap));
  }

  void run(const KernelArgs& args) const override {
    auto* pastes = static_cast<Paste*>(args.workspace);
    auto* masks = reinterpret_cast<float*>(pastes + pastes_);
    auto* taps = reinterpret_cast<Tap*>(masks + pastes_ * mask_elements());
    parallel_for(pastes_, [&](std::int64_t i) {
      const std::int64_t image = i / labels(), label = i % labels();
      const float* box = input_of(args, 1) + image * boxes_.pitch + 5 * label;
      pastes[i] = {paste_axis(box[0], box[2], out_.shape.w, p_.mw),
                   paste_axis(box[1], box[3], out_.shape.h, p_.mh), clamp_to_one(box[4])};
      if (pastes[i].visibility == 0) pastes[i].rows = {};
      make_mask(label, input_of(args) + image * coefficients_.pitch, masks + i * mask_elements());
      const AxisPaste& columns = pastes[i].columns;
      for (std::int64_t x = columns.begin; x < columns.end; ++x)
        taps[i * out_.shape.w + x] = tap_at(columns, x);
    });
    parallel_for(out_.shape.n * out_.shape.h, [&](std::int64_t row) {
      const std::int64_t first = row / out_.shape.h * labels();
      float* to = output_of(args) + row * out_.shape.w * out_.pitch;
      for (std::int64_t x = 0; x < out_.shape.w; x += kRun)
        morph_run(pastes + first, masks + first * mask_elements(), taps + first * out_.shape.w,
                  row % out_.shape.h, x, std::min(out_.shape.w, x + kRun), to);
    });
  }

 private:
  static constexpr std::int64_t kRun = 512;      ///< pixels of a row at a time
  static constexpr std::int64_t kWidest = 1026;  ///< row of a mask with its border

  std::int64_t labels() const { return static_cast<std::int64_t>(p_.templates.size()); }
  std::int64_t mask_pitch() const { return p_.mw + 2; }
  std::int64_t mask_elements() const { return mask_pitch() * (p_.mh + 2); }

  /// The label's mask with a border of zeros.
  void make_mask(std::int64_t label, const float* coefficients, float* mask) const {
    const std::int64_t first = first_template_[static_cast<std::size_t>(label)],
                       count = p_.templates[static_cast<std::size_t>(label)],
                       size = std::int64_t{p_.mh} * p_.mw;
    const auto* dictionary = reinterpret_cast<const float*>(dictionary_->data());
    std::fill_n(mask, mask_elements(), 0.0F);
    for (std::int64_t y = 0; y < p_.mh; ++y)
      mask_row(coefficients + first, count, dictionary + first * size + y * p_.mw, size,
               mask + (y + 1) * mask_pitch() + 1, p_.mw);
  }

  /// Pixels [begin, end) of row y of one image; `row` is the first pixel of that row.
  void morph_run(const Paste* pastes, const float* masks, const Tap* taps, std::int64_t y, std::int64_t begin,
                 std::int64_t end, float* row) const {
    float line[kWidest], pasted[kRun], background[kRun], sum[kRun];
    std::fill_n(background, kRun, 1.0F);
    std::fill_n(sum, kRun, 0.0F);
    for (std::int64_t x = begin; x < end; ++x) std::fill_n(row + x * out_.pitch, labels() + 1, 0.0F);
    for (std::int64_t k = 0; k < labels(); ++k) {
      const Paste& paste = pastes[k];
      const std::int64_t from = std::max<std::int64_t>(begin, paste.columns.begin),
                         to = std::min<std::int64_t>(end, paste.columns.end);
      if (y < paste.rows.begin || y >= paste.rows.end || from >= to) continue;
      const Tap tap = tap_at(paste.rows, y);
      const float* mask = masks + k * mask_elements() + tap.low * mask_pitch();
      blend_rows(mask, mask + mask_pitch(), tap.weight, paste.visibility, line, mask_pitch());
      sample(line, taps + k * out_.shape.w + from, to - from, pasted, background + (from - begin),
             sum + (from - begin));
      for (std::int64_t x = from; x < to; ++x) row[x * out_.pitch + k + 1] = pasted[x - from];
    }
    for (std::int64_t x = begin; x < end; ++x) {
      row[x * out_.pitch] = background[x - begin];
      sum[x - begin] += background[x - begin];
    }
    scale_pixels(row + begin * out_.pitch, out_.pitch, labels() + 1, sum, end - begin);
  }

  TemplateMorphParams p_;
  TensorDesc coefficients_, boxes_, out_;
  std::shared_ptr<DeviceMemory> dictionary_;  ///< the templates, f32
  std::vector<std::int64_t> first_template_;
  std::int64_t pastes_;  ///< labels of all images
};

std::unique_ptr<Kernel> prepare(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<TemplateMorph>(node, context.weights);
}
constexpr Implementation kList[] = {{"box_rows", accept_all, prepare}};

}  // namespace

std::span<const Implementation> cpu_template_morph() { return kList; }

}  // namespace atrous

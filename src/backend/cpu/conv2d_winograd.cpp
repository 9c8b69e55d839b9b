// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_winograd.h"

#include <fmt/format.h>

#include <algorithm>

#include "backend/cpu/activate.h"
#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/kernel_of.h"
#include "backend/cpu/taps.h"
#include "backend/cpu/winograd_transform.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// Input channels a step of a product: the weights of a step for one column of tiles (16 to 32 KB) stay in a
/// core's first-level cache, what the step reads of a chunk of tiles in the second.
constexpr std::int64_t kStepChannels = 256;
/// Bytes of workspace, of all workers, unless a worker's strip of tiles takes more.
constexpr std::int64_t kMostWorkspace = 128 << 20;
/// Floats of a cache line, added to pitches so that rows and planes do not all fall into the same sets.
constexpr std::int64_t kLine = 16;

/// Where the tiles along one axis begin: outputs first, first + rate, ... of which as many as are below
/// `extent` are wanted.
std::vector<std::int64_t> tile_starts(std::int64_t extent, std::int64_t rate, Winograd winograd) {
  std::vector<std::int64_t> starts;
  for (std::int64_t phase = 0; phase < std::min(rate, extent); ++phase)
    for (std::int64_t first = phase; first < extent; first += winograd.outputs * rate)
      starts.push_back(first);
  return starts;
}

class WinogradKernel : public Kernel {
 public:
  WinogradKernel(Winograd winograd, const NodeDesc& node, PrepareContext& context)
      : winograd_(winograd),
        p_(resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape)),
        in_(node.inputs[0]),
        residual_(node.inputs.back()),
        out_(node.output),
        workers_(context.threads),
        rows_(tile_starts(out_.shape.h, p_.dh, winograd)),
        columns_(tile_starts(out_.shape.w, p_.dw, winograd)),
        panels_(size_.panels(p_.oc)),
        weights_(pack(node, context)),
        zeros_(static_cast<std::size_t>(std::max(in_.shape.c, size_.columns)), 0.0F),
        bias_(static_cast<std::size_t>(p_.oc), 0.0F) {
    if (const Constant* bias = node.constant("bias")) bias->read_f32(bias_.data());
    in_pitch_ = in_.shape.c + kLine;
    out_pitch_ = panels_ * size_.columns + kLine;
    // Chunks of about one size, as many for each worker. Tiles of a chunk that take as much memory as the
    // weights pass the least through memory, in all; but all workers' together have a limit.
    const std::int64_t strips = ceil_div(tiles(), size_.rows), ic = in_.shape.c,
                       strip_bytes = winograd.products() * (in_pitch_ + out_pitch_) * size_.rows *
                                     static_cast<std::int64_t>(sizeof(float)),
                       best = std::max<std::int64_t>(ic * p_.oc / (ic + p_.oc) / size_.rows, 2),
                       most = std::max<std::int64_t>(kMostWorkspace / workers_ / strip_bytes, 1),
                       chunks = ceil_div(ceil_div(strips, std::min(best, most)), workers_) * workers_;
    chunk_ = ceil_div(strips, chunks) * size_.rows;
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(workers_ * worker_floats()) * sizeof(float);
  }

  int overwrites() const override { return p_.has_residual ? 1 : -1; }

  void run(const KernelArgs& args) const override {
    parallel_for(workers_, [&](std::int64_t worker) {
      float* memory = static_cast<float*>(args.workspace) + worker * worker_floats();
      for (std::int64_t first = worker * chunk_; first < tiles(); first += workers_ * chunk_)
        run_chunk(args, first, std::min(chunk_, tiles() - first), memory);
    });
  }

 private:
  /// Transformed weights as [product][panel][channel][column].
  std::shared_ptr<DeviceMemory> pack(const NodeDesc& node, PrepareContext& context) const {
    return context.weights.get_or_make(
        std::string(node.name) + "|winograd" + std::to_string(winograd_.outputs), [&] {
          const std::vector<float> plain = node.constant("weight")->read_f32();  // [oc][ic][3][3]
          const std::int64_t oc = p_.oc, ic = in_.shape.c, columns = size_.columns;
          const std::int64_t plane = panels_ * ic * columns;
          std::shared_ptr<DeviceMemory> memory =
              allocate_host(static_cast<std::size_t>(winograd_.products() * plane) * sizeof(float));
          auto* to = reinterpret_cast<float*>(memory->data());
          parallel_for(panels_ * ic, [&](std::int64_t row) {
            const std::int64_t first = row / ic * columns, i = row % ic;
            float weights[9 * GemmTileSize::kMostColumns] = {};
            for (std::int64_t o = first; o < std::min(first + columns, oc); ++o)
              for (std::int64_t tap = 0; tap < 9; ++tap)
                weights[tap * columns + o - first] = plain[static_cast<std::size_t>((o * ic + i) * 9 + tap)];
            winograd_weight(winograd_, weights, columns, to + row * columns, plane);
          });
          return memory;
        });
  }

  std::int64_t tiles() const {
    return out_.shape.n * static_cast<std::int64_t>(rows_.size() * columns_.size());
  }
  std::int64_t in_plane() const { return chunk_ * in_pitch_ + kLine; }
  std::int64_t out_plane() const { return chunk_ * out_pitch_ + kLine; }
  std::int64_t worker_floats() const { return winograd_.products() * (in_plane() + out_plane()); }

  /// Tiles [first, first + count); `memory` is worker_floats() long.
  void run_chunk(const KernelArgs& args, std::int64_t first, std::int64_t count, float* memory) const {
    float* products = memory + winograd_.products() * in_plane();
    const std::int64_t rows = ceil_div(count, size_.rows) * size_.rows;
    for (std::int64_t i = 0; i < count; ++i) transform_in(input_of(args), first + i, memory + i * in_pitch_);
    for (std::int64_t product = 0; product < winograd_.products(); ++product) {
      const float* a = memory + product * in_plane();
      for (std::int64_t i = count; i < rows; ++i)
        std::fill_n(memory + product * in_plane() + i * in_pitch_, in_.shape.c, 0.0F);
      multiply(product, rows, a, products + product * out_plane());
    }
    for (std::int64_t i = 0; i < count; ++i) transform_out(args, products + i * out_pitch_, first + i);
  }

  /// The first output of a tile.
  struct Start {
    std::int64_t n, y, x;
  };
  Start start_of(std::int64_t tile) const {
    const auto columns = static_cast<std::int64_t>(columns_.size()),
               rows = static_cast<std::int64_t>(rows_.size());
    return {tile / columns / rows, rows_[static_cast<std::size_t>(tile / columns % rows)],
            columns_[static_cast<std::size_t>(tile % columns)]};
  }

  void transform_in(const float* image, std::int64_t tile, float* to) const {
    const Start start = start_of(tile);
    const float* pixels[Winograd::kMostProducts];
    for (int i = 0; i < winograd_.products(); ++i) {
      const std::int64_t y = start.y - p_.padding.top + i / winograd_.inputs() * p_.dh,
                         x = start.x - p_.padding.left + i % winograd_.inputs() * p_.dw;
      const bool inside = y >= 0 && y < in_.shape.h && x >= 0 && x < in_.shape.w;
      pixels[i] =
          inside ? image + ((start.n * in_.shape.h + y) * in_.shape.w + x) * in_.pitch : zeros_.data();
    }
    winograd_input(winograd_, pixels, in_.shape.c, to, in_plane());
  }

  /// One of the matrix products, for `rows` tiles.
  void multiply(std::int64_t product, std::int64_t rows, const float* a, float* c) const {
    const std::int64_t ic = in_.shape.c;
    const float* weights =
        reinterpret_cast<const float*>(weights_->data()) + product * panels_ * ic * size_.columns;
    // a step's panels lie apart then, and the processor does not foresee the next one
    const bool apart = ic > kStepChannels;
    GemmTile tile;
    tile.a_pitch = in_pitch_, tile.c_pitch = out_pitch_;
    for (std::int64_t channel = 0; channel < ic; channel += kStepChannels) {
      tile.k = std::min(kStepChannels, ic - channel);
      tile.bias = channel == 0 ? zeros_.data() : nullptr;
      for (std::int64_t panel = 0; panel < panels_; ++panel) {
        tile.b = weights + (panel * ic + channel) * size_.columns;
        for (std::int64_t row = 0; row < rows; row += size_.rows) {
          if (apart && panel + 1 < panels_)
            prefetch_share(tile.b + ic * size_.columns, tile.k * size_.columns, row / size_.rows,
                           rows / size_.rows);
          tile.a = a + row * in_pitch_ + channel;
          tile.c = c + row * out_pitch_ + panel * size_.columns;
          multiply_tile(tile);
        }
      }
    }
  }

  void transform_out(const KernelArgs& args, const float* products, std::int64_t tile) const {
    const Start start = start_of(tile);
    const auto* added = static_cast<const float*>(args.inputs.back());
    const float* residual[Winograd::kMostPixels];
    float* pixels[Winograd::kMostPixels] = {};
    for (int i = 0; i < winograd_.pixels(); ++i) {
      const std::int64_t y = start.y + i / winograd_.outputs * p_.dh,
                         x = start.x + i % winograd_.outputs * p_.dw;
      const std::int64_t pixel = (start.n * out_.shape.h + y) * out_.shape.w + x;
      const bool inside = y < out_.shape.h && x < out_.shape.w;
      pixels[i] = inside ? output_of(args) + pixel * out_.pitch : nullptr;
      residual[i] = added + (inside && p_.has_residual ? pixel * residual_.pitch : 0);
    }
    winograd_output(winograd_, products, out_plane(), p_.oc, bias_.data(),
                    p_.has_residual ? residual : nullptr, clamp_.value_or(Clamp{}), pixels);
    if (clamp_) return;
    for (float* pixel : pixels)
      if (pixel != nullptr) activate(p_.activation, pixel, pixel, p_.oc);
  }

  Winograd winograd_;
  Conv2dParams p_;
  TensorDesc in_, residual_, out_;
  std::int64_t workers_;
  GemmTileSize size_ = gemm_tile_size();
  std::vector<std::int64_t> rows_, columns_;  ///< where tiles begin
  std::int64_t panels_;
  std::shared_ptr<DeviceMemory> weights_;
  std::vector<float> zeros_, bias_;
  std::optional<Clamp> clamp_ = as_clamp(p_.activation);
  std::int64_t in_pitch_, out_pitch_, chunk_;  ///< floats of a tile in one product; tiles of a chunk
};

Winograd other_form(Winograd winograd) { return {winograd.outputs == 3 ? 4 : 3}; }

/// Products that the direct form takes, those with padding left out.
double direct_products(const Conv2dParams& p, const Shape& in, const Shape& out) {
  return static_cast<double>(out.n * p.oc * in.c) *
         static_cast<double>(count_taps_inside(out.h, in.h, p.kh, p.sh, p.dh, p.padding.top)) *
         static_cast<double>(count_taps_inside(out.w, in.w, p.kw, p.sw, p.dw, p.padding.left));
}

/// As many of those as take the time of this form. The factors were measured beside oneDNN's direct form with
/// AVX-512: products are a fifth slower here, transforms take as long as 15 products a channel, and finding
/// a tile's pixels as long as 900.
double winograd_products(Winograd winograd, const Conv2dParams& p, std::int64_t ic, const Shape& out) {
  const auto tiles = static_cast<double>(tile_starts(out.h, p.dh, winograd).size() *
                                         tile_starts(out.w, p.dw, winograd).size()) *
                     static_cast<double>(out.n);
  const auto from = static_cast<double>(ic), to = static_cast<double>(p.oc);
  return winograd.products() * tiles * (1.2 * from * to + 15 * (from + to) + 900);
}

}  // namespace

std::string refuse_winograd(Winograd winograd, const NodeDesc& node) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
  if (node.inputs[0].dtype != DType::f32) return "for f32 activations only";
  if (gemm_tile_size().columns == 0) return "for processors with AVX2";
  if (p.kh != 3 || p.kw != 3 || p.sh != 1 || p.sw != 1) return "for 3x3 kernels at stride 1";
  if (p.groups > 1) return "for one group only";
  const std::int64_t ic = node.inputs[0].shape.c;
  if (ic % 16 != 0 || p.oc % 16 != 0) return "for multiples of 16 channels";
  const double direct = direct_products(p, node.inputs[0].shape, node.output.shape),
               here = winograd_products(winograd, p, ic, node.output.shape),
               other = winograd_products(other_form(winograd), p, ic, node.output.shape);
  if (other < std::min(here, direct))
    return fmt::format("would take {:.2f} of the other form's time", here / other);
  return here < direct ? "" : fmt::format("would take {:.2f} of the direct form's time", here / direct);
}

std::unique_ptr<Kernel> prepare_winograd(Winograd winograd, const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<WinogradKernel>(winograd, node, context);
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_winograd.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "backend/cpu/activate.h"
#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/kernel_of.h"
#include "backend/cpu/taps.h"
#include "backend/cpu/winograd_tiles.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// Input channels a step of a product: the weights of a step for one column of tiles (16 to 32 KB) stay in a
/// core's first-level cache, what the step reads of a chunk of tiles in the second.
constexpr std::int64_t kStepChannels = 256;
/// Strips of tiles a chunk, at most.
constexpr std::int64_t kMostStrips = 64;
/// Bytes of workspace, of all teams of workers, unless a strip of tiles for each takes more.
constexpr std::int64_t kMostWorkspace = 64 << 20;
/// Bytes of weights that stay in a core's second-level cache beside some tiles: the workers then take chunks
/// of their own, and else each its share of the products of one.
constexpr std::int64_t kLightWeights = 1 << 20;
constexpr std::int64_t kFloat = sizeof(float);
/// Floats of a cache line, added to pitches so that rows and planes do not all fall into the same sets.
constexpr std::int64_t kLine = 16;

class WinogradKernel : public Kernel {
 public:
  WinogradKernel(Winograd winograd, const NodeDesc& node, PrepareContext& context)
      : winograd_(winograd),
        p_(resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape)),
        in_(node.inputs[0]),
        residual_(node.inputs.back()),
        out_(node.output),
        workers_(context.threads),
        tiles_(winograd, out_.shape, p_.dh, p_.dw),
        panels_(size_.panels(p_.oc)),
        weights_(pack(node, context)),
        zeros_(static_cast<std::size_t>(std::max(in_.shape.c, size_.columns)), 0.0F),
        bias_(static_cast<std::size_t>(p_.oc), 0.0F) {
    if (const Constant* bias = node.constant("bias")) bias->read_f32(bias_.data());
    in_pitch_ = in_.shape.c + kLine;
    out_pitch_ = panels_ * size_.columns + kLine;
    const std::int64_t ic = in_.shape.c,
                       weight_bytes = winograd.products() * ic * panels_ * size_.columns * kFloat,
                       strip_bytes = winograd.products() * (in_pitch_ + out_pitch_) * size_.rows * kFloat;
    teams_ = weight_bytes <= kLightWeights ? std::min(workers_, strips()) : 1;
    // tiles that take as much memory as the weights: the least passes through memory then, in all
    const std::int64_t best = std::clamp<std::int64_t>(weight_bytes / strip_bytes, 2, kMostStrips),
                       most = std::max<std::int64_t>(kMostWorkspace / teams_ / strip_bytes, 1);
    chunks_ = ceil_div(ceil_div(strips(), std::min(best, most)), teams_) * teams_;
    chunk_ = ceil_div(strips(), chunks_) * size_.rows;
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(teams_ * team_floats()) * sizeof(float);
  }

  int overwrites() const override { return p_.has_residual ? 1 : -1; }

  void run(const KernelArgs& args) const override {
    auto* memory = static_cast<float*>(args.workspace);
    if (teams_ > 1)
      return parallel_for(teams_, [&](std::int64_t team) {
        for (std::int64_t c = team; c < chunks_; c += teams_) {
          const Chunk chunk = chunk_at(c, memory + team * team_floats());
          transform_in(args, chunk, {});
          multiply(chunk, {});
          transform_out(args, chunk, {});
        }
      });
    for (std::int64_t c = 0; c < chunks_; ++c) {
      const Chunk chunk = chunk_at(c, memory);
      parallel_for(workers_, [&](std::int64_t worker) { transform_in(args, chunk, {worker, workers_}); });
      parallel_for(workers_, [&](std::int64_t worker) { multiply(chunk, {worker, workers_}); });
      parallel_for(workers_, [&](std::int64_t worker) { transform_out(args, chunk, {worker, workers_}); });
    }
  }

 private:
  /// Transformed weights as [product][panel][channel][column].
  std::shared_ptr<DeviceMemory> pack(const NodeDesc& node, PrepareContext& context) const {
    return context.weights.get_or_make(
        std::string(node.name) + "|winograd" + std::to_string(winograd_.products()), [&] {
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

  std::int64_t strips() const { return ceil_div(tiles_.count(), size_.rows); }
  std::int64_t in_plane() const { return chunk_ * in_pitch_ + kLine; }
  std::int64_t out_plane() const { return chunk_ * out_pitch_ + kLine; }
  std::int64_t team_floats() const { return winograd_.products() * (in_plane() + out_plane()); }

  /// Consecutive tiles whose products are taken together.
  struct Chunk {
    std::int64_t first, count;
    float *in, *out;  ///< products of transformed tiles, and with the weights
  };
  /// In `memory` of team_floats().
  Chunk chunk_at(std::int64_t chunk, float* memory) const {
    const std::int64_t first = strips() * chunk / chunks_ * size_.rows,
                       last = std::min(strips() * (chunk + 1) / chunks_ * size_.rows, tiles_.count());
    return {first, last - first, memory, memory + winograd_.products() * in_plane()};
  }

  /// One of several equal parts of the work on a chunk.
  struct Part {
    std::int64_t index = 0, of = 1;

    std::int64_t begin(std::int64_t count) const { return count * index / of; }
    std::int64_t end(std::int64_t count) const { return count * (index + 1) / of; }
  };

  void transform_in(const KernelArgs& args, const Chunk& chunk, Part part) const {
    const std::int64_t rows = ceil_div(chunk.count, size_.rows) * size_.rows;
    for (std::int64_t i = part.begin(rows); i < part.end(rows); ++i) {
      transform_in(input_of(args), chunk.first + i, chunk.in + i * in_pitch_);
      const std::uint64_t taken = taken_[static_cast<std::size_t>((chunk.first + i) / size_.rows)];
      for (std::int64_t product = 0; product < winograd_.products(); ++product)
        if ((taken >> product & 1) == 0)
          std::fill_n(chunk.out + product * out_plane() + i * out_pitch_, out_pitch_, 0.0F);
    }
  }

  void transform_out(const KernelArgs& args, const Chunk& chunk, Part part) const {
    for (std::int64_t i = part.begin(chunk.count); i < part.end(chunk.count); ++i)
      transform_out(args, chunk.out + i * out_pitch_, chunk.first + i);
  }

  /// Products of all strips with all panels of weights; a part's are consecutive.
  void multiply(const Chunk& chunk, Part part) const {
    std::int64_t all = 0;
    for (std::int64_t product = 0; product < winograd_.products(); ++product)
      all += strips_of(product, chunk).count * panels_;
    std::int64_t before = 0;
    for (std::int64_t product = 0; product < winograd_.products(); ++product) {
      const Strips strips = strips_of(product, chunk);
      const auto panel_at = [&](std::int64_t multiplied) {
        return strips.count == 0
                   ? 0
                   : std::clamp<std::int64_t>(ceil_div(multiplied - before, strips.count), 0, panels_);
      };
      multiply(product, strips, chunk, panel_at(part.begin(all)), panel_at(part.end(all)));
      before += strips.count * panels_;
    }
  }

  /// First rows of the strips of a chunk for which a product is taken.
  struct Strips {
    std::int64_t count = 0, rows[kMostStrips];
  };
  Strips strips_of(std::int64_t product, const Chunk& chunk) const {
    Strips strips;
    const std::uint64_t* taken = taken_.data() + chunk.first / size_.rows;
    for (std::int64_t row = 0; row < chunk.count; row += size_.rows, ++taken)
      if ((*taken >> product & 1) != 0) strips.rows[strips.count++] = row;
    return strips;
  }

  /// Zeros for a tile behind the last one.
  void transform_in(const float* image, std::int64_t tile, float* to) const {
    if (tile >= tiles_.count()) {
      for (int product = 0; product < winograd_.products(); ++product)
        std::fill_n(to + product * in_plane(), in_.shape.c, 0.0F);
      return;
    }
    const WinogradTiles::Start start = tiles_.start(tile);
    const float* pixels[Winograd::kMostProducts];
    const int size = winograd_.inputs(), first = winograd_.whole ? 1 : 0;  // leaves out the padding
    for (int i = 0; i < size * size; ++i) {
      const std::int64_t y = start.y - p_.padding.top + (i / size + first) * p_.dh,
                         x = start.x - p_.padding.left + (i % size + first) * p_.dw;
      const bool inside = y >= 0 && y < in_.shape.h && x >= 0 && x < in_.shape.w;
      pixels[i] =
          inside ? image + ((start.n * in_.shape.h + y) * in_.shape.w + x) * in_.pitch : zeros_.data();
    }
    winograd_input(winograd_, pixels, in_.shape.c, to, in_plane());
  }

  /// One of the matrix products, with panels [first, last) of its weights.
  void multiply(std::int64_t product, const Strips& strips, const Chunk& chunk, std::int64_t first,
                std::int64_t last) const {
    const float* a = chunk.in + product * in_plane();
    float* c = chunk.out + product * out_plane();
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
      for (std::int64_t panel = first; panel < last; ++panel) {
        tile.b = weights + (panel * ic + channel) * size_.columns;
        for (std::int64_t i = 0; i < strips.count; ++i) {
          if (apart && panel + 1 < last)
            prefetch_share(tile.b + ic * size_.columns, tile.k * size_.columns, i, strips.count);
          tile.a = a + strips.rows[i] * in_pitch_ + channel;
          tile.c = c + strips.rows[i] * out_pitch_ + panel * size_.columns;
          multiply_tile(tile);
        }
      }
    }
  }

  void transform_out(const KernelArgs& args, const float* products, std::int64_t tile) const {
    const WinogradTiles::Start start = tiles_.start(tile);
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
  WinogradTiles tiles_;
  std::int64_t panels_;
  std::shared_ptr<DeviceMemory> weights_;
  std::vector<float> zeros_, bias_;
  std::optional<Clamp> clamp_ = as_clamp(p_.activation);
  std::int64_t in_pitch_, out_pitch_;    ///< floats of a tile in one product
  std::int64_t teams_, chunks_, chunk_;  ///< of workers, each with chunks of its own; most tiles of a chunk
  std::vector<std::uint64_t> taken_ = tiles_.strips(size_.rows);  ///< products, of every strip
};

/// What the costs below count in: a multiply-add of oneDNN's direct form. With AVX-512, a multiply-add takes
/// a fifth longer here; to fetch a weight takes as long as 15, to transform a product's channel, too, and to
/// find a product's pixel as long as 900. Beyond that time is that of what is computed: whole strips of
/// tiles.
constexpr double kProduct = 1.2, kWeight = 15, kTransform = 15, kPixel = 900;

/// Padding left out.
double direct_cost(const Conv2dParams& p, const Shape& in, const Shape& out) {
  const std::int64_t taps = count_taps_inside(out.h, in.h, p.kh, p.sh, p.dh, p.padding.top) *
                            count_taps_inside(out.w, in.w, p.kw, p.sw, p.dw, p.padding.left);
  return static_cast<double>(p.oc * in.c) * (static_cast<double>(out.n * taps) + kWeight * 9);
}

double winograd_cost(Winograd winograd, const Conv2dParams& p, const Shape& in, const Shape& out) {
  const WinogradTiles tiles(winograd, out, p.dh, p.dw);
  const std::int64_t rows = gemm_tile_size().rows;
  std::int64_t products = 0;
  for (const std::uint64_t taken : tiles.strips(rows)) products += std::popcount(taken) * rows;
  const auto each = static_cast<double>(tiles.count() * winograd.products());
  return static_cast<double>(p.oc * in.c) *
             (kProduct * static_cast<double>(products) + kWeight * winograd.products()) +
         each * (kTransform * static_cast<double>(in.c + p.oc) + kPixel);
}

/// For a form of whole maps, whether all phases are that: the padding around each is its own, too, and a tile
/// covers it.
bool fits(Winograd winograd, const Conv2dParams& p, const Shape& in, const Shape& out) {
  return !winograd.whole ||
         (p.padding.top == p.dh && p.padding.left == p.dw && out.h == in.h && out.w == in.w &&
          in.h <= winograd.outputs * p.dh && in.w <= winograd.outputs * p.dw);
}

}  // namespace

std::string refuse_winograd(Winograd winograd, const NodeDesc& node) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
  if (node.inputs[0].dtype != DType::f32) return "for f32 activations only";
  if (gemm_tile_size().columns == 0) return "for processors with AVX2";
  if (p.kh != 3 || p.kw != 3 || p.sh != 1 || p.sw != 1) return "for 3x3 kernels at stride 1";
  if (p.groups > 1) return "for one group only";
  if (node.inputs[0].shape.c % 16 != 0 || p.oc % 16 != 0) return "for multiples of 16 channels";
  const Shape &in = node.inputs[0].shape, &out = node.output.shape;
  if (!fits(winograd, p, in, out)) return "for phases of a few pixels only";
  double least = direct_cost(p, in, out);
  std::optional<Winograd> best;  // of equals the first
  for (Winograd form : kWinogradForms) {
    if (!fits(form, p, in, out)) continue;
    const double cost = winograd_cost(form, p, in, out);
    if (cost < least) best = form, least = cost;
  }
  if (best == winograd) return "";
  return fmt::format("would take {:.2f} of {} form's time", winograd_cost(winograd, p, in, out) / least,
                     best ? "another" : "the direct");
}

std::unique_ptr<Kernel> prepare_winograd(Winograd winograd, const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<WinogradKernel>(winograd, node, context);
}

}  // namespace atrous

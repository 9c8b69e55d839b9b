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
/// Strips of tiles a chunk.
constexpr std::int64_t kMostStrips = 128;
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

/// Of those, the ones with more than one output; they come first.
std::int64_t count_pairs(std::int64_t extent, std::int64_t rate) {
  return std::clamp<std::int64_t>(extent - rate, 0, rate);
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
        row_pairs_(count_pairs(out_.shape.h, p_.dh)),
        column_pairs_(winograd.spares_singles() ? count_pairs(out_.shape.w, p_.dw)
                                                : static_cast<std::int64_t>(columns_.size())),
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
                       chunks = ceil_div(ceil_div(strips, std::min({best, most, kMostStrips})), workers_) *
                                workers_;
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
      float *a = memory + product * in_plane(), *c = products + product * out_plane();
      for (std::int64_t i = count; i < rows; ++i) std::fill_n(a + i * in_pitch_, in_.shape.c, 0.0F);
      Strips strips;
      for (std::int64_t row = 0; row < rows; row += size_.rows)
        if (needs(product, first + row, first + std::min(row + size_.rows, count)))
          strips.rows[strips.count++] = row;
        else
          std::fill_n(c + row * out_pitch_, size_.rows * out_pitch_, 0.0F);
      multiply(product, strips, a, c);
    }
    for (std::int64_t i = 0; i < count; ++i) transform_out(args, products + i * out_pitch_, first + i);
  }

  /// A tile by its place in rows_ and columns_. Those of an image with a single column come last.
  struct Tile {
    std::int64_t n, row, column;
  };
  Tile tile_at(std::int64_t tile) const {
    const auto rows = static_cast<std::int64_t>(rows_.size()),
               columns = static_cast<std::int64_t>(columns_.size()), singles = columns - column_pairs_,
               n = tile / (rows * columns), i = tile % (rows * columns), single = i - rows * column_pairs_;
    return single < 0 ? Tile{n, i / column_pairs_, i % column_pairs_}
                      : Tile{n, single / singles, column_pairs_ + single % singles};
  }
  struct Start {
    std::int64_t n, y, x;
  };
  /// The first output of a tile.
  Start start_of(std::int64_t index) const {
    const Tile tile = tile_at(index);
    return {tile.n, rows_[static_cast<std::size_t>(tile.row)],
            columns_[static_cast<std::size_t>(tile.column)]};
  }

  /// Whether any of the tiles [first, last) takes this product.
  bool needs(std::int64_t product, std::int64_t first, std::int64_t last) const {
    if (!winograd_.spares_singles()) return true;
    const std::int64_t row = product / (winograd_.outputs + 1), column = product % (winograd_.outputs + 1);
    for (std::int64_t i = first; i < last; ++i) {
      const Tile tile = tile_at(i);
      if ((row == 0 || tile.row < row_pairs_) && (column == 0 || tile.column < column_pairs_)) return true;
    }
    return false;
  }

  /// First rows of the strips of tiles that a product is taken for.
  struct Strips {
    std::int64_t count = 0, rows[kMostStrips];
  };

  void transform_in(const float* image, std::int64_t tile, float* to) const {
    const Start start = start_of(tile);
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

  /// One of the matrix products.
  void multiply(std::int64_t product, const Strips& strips, const float* a, float* c) const {
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
        for (std::int64_t i = 0; i < strips.count; ++i) {
          if (apart && panel + 1 < panels_)
            prefetch_share(tile.b + ic * size_.columns, tile.k * size_.columns, i, strips.count);
          tile.a = a + strips.rows[i] * in_pitch_ + channel;
          tile.c = c + strips.rows[i] * out_pitch_ + panel * size_.columns;
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
  std::int64_t row_pairs_, column_pairs_;     ///< of those, the first with more than one output
  std::int64_t panels_;
  std::shared_ptr<DeviceMemory> weights_;
  std::vector<float> zeros_, bias_;
  std::optional<Clamp> clamp_ = as_clamp(p_.activation);
  std::int64_t in_pitch_, out_pitch_, chunk_;  ///< floats of a tile in one product; tiles of a chunk
};

constexpr Winograd kForms[] = {{4}, {3}, {3, true}, {2, true}};

/// Products that the direct form takes, those with padding left out.
double direct_products(const Conv2dParams& p, const Shape& in, const Shape& out) {
  return static_cast<double>(out.n * p.oc * in.c) *
         static_cast<double>(count_taps_inside(out.h, in.h, p.kh, p.sh, p.dh, p.padding.top)) *
         static_cast<double>(count_taps_inside(out.w, in.w, p.kw, p.sw, p.dw, p.padding.left));
}

/// Products of one axis of all its tiles.
std::int64_t axis_products(Winograd winograd, std::int64_t extent, std::int64_t rate) {
  const auto tiles = static_cast<std::int64_t>(tile_starts(extent, rate, winograd).size());
  if (winograd.spares_singles()) return tiles + 2 * count_pairs(extent, rate);
  return tiles * (winograd.whole ? winograd.outputs + 1 : winograd.inputs());
}

/// As many of those as take the time of this form. The factors were measured beside oneDNN's direct form with
/// AVX-512: products are a fifth slower here, transforms take as long as 15 products a channel, and finding
/// a tile's pixels as long as 900.
double winograd_products(Winograd winograd, const Conv2dParams& p, std::int64_t ic, const Shape& out) {
  const auto products = static_cast<double>(out.n * axis_products(winograd, out.h, p.dh) *
                                            axis_products(winograd, out.w, p.dw));
  const auto from = static_cast<double>(ic), to = static_cast<double>(p.oc);
  return products * (1.2 * from * to + 15 * (from + to) + 900);
}

/// Whether all phases of the map are maps of their own: the padding around each is its own, too, and a tile
/// covers it.
bool whole_phases(Winograd winograd, const Conv2dParams& p, const Shape& in, const Shape& out) {
  return p.padding.top == p.dh && p.padding.left == p.dw && out.h == in.h && out.w == in.w &&
         in.h <= winograd.outputs * p.dh && in.w <= winograd.outputs * p.dw;
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
  if (winograd.whole && !whole_phases(winograd, p, in, out)) return "for phases of a few pixels only";
  const double here = winograd_products(winograd, p, in.c, out);
  if (const double direct = direct_products(p, in, out); direct <= here)
    return fmt::format("would take {:.2f} of the direct form's time", here / direct);
  for (Winograd other : kForms) {
    if (other.whole && !whole_phases(other, p, in, out)) continue;
    if (const double there = winograd_products(other, p, in.c, out); there < here)
      return fmt::format("would take {:.2f} of another form's time", here / there);
  }
  return "";
}

std::unique_ptr<Kernel> prepare_winograd(Winograd winograd, const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<WinogradKernel>(winograd, node, context);
}

}  // namespace atrous

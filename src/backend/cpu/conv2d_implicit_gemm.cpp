// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/conv2d_implicit_gemm.h"

#include <algorithm>

#include "backend/cpu/activate.h"
#include "backend/cpu/gemm_tile.h"
#include "backend/cpu/kernel_of.h"
#include "ops/conv2d.h"

namespace atrous {
namespace {

/// Tiles a block and input channels a step: their rows (96 KB with tiles of 6 by 16) and the block's output
/// stay in a core's second-level cache, the weights of a step for one column of tiles (16 KB) in the first.
constexpr std::int64_t kBlockTiles = 16, kStepChannels = 256,
                       kMostPixels = kBlockTiles * GemmTileSize::kMostRows;

class ImplicitGemmKernel : public Kernel {
 public:
  ImplicitGemmKernel(const NodeDesc& node, PrepareContext& context)
      : p_(resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape)),
        in_(node.inputs[0]),
        residual_(node.inputs.back()),
        out_(node.output),
        workers_(context.threads),
        block_pixels_(block_tiles() * size_.rows),
        panels_(size_.panels(p_.oc)),
        weights_(pack(node, context)),
        bias_(static_cast<std::size_t>(panels_ * size_.columns), 0.0F) {
    if (const Constant* bias = node.constant("bias")) bias->read_f32(bias_.data());
  }

  std::size_t workspace_bytes() const override {
    return static_cast<std::size_t>(workers_ * block_pixels_ * kStepChannels) * sizeof(float);
  }

  int overwrites() const override { return p_.has_residual ? 1 : -1; }

  void run(const KernelArgs& args) const override {
    const std::int64_t blocks = (out_.shape.pixels() + block_pixels_ - 1) / block_pixels_;
    parallel_for(workers_, [&](std::int64_t worker) {
      float* rows = static_cast<float*>(args.workspace) + worker * block_pixels_ * kStepChannels;
      // in turns: blocks near the border skip more taps than those in the middle
      for (std::int64_t b = worker; b < blocks; b += workers_) run_block(args, b * block_pixels_, rows);
    });
  }

 private:
  /// A block of consecutive output pixels and, for each tile of it, the first and last tap that meets the
  /// input.
  struct Block {
    std::int64_t first, pixels, tiles;
    std::int64_t first_tap[kBlockTiles], last_tap[kBlockTiles];
    /// Where the current tap reads for each pixel; nullptr: in the padding.
    const float* sources[kMostPixels];
  };

  /// Tiles a block, so that all workers get the same number of blocks.
  std::int64_t block_tiles() const {
    const std::int64_t tiles = ceil_div(out_.shape.pixels(), size_.rows),
                       blocks = ceil_div(ceil_div(tiles, kBlockTiles), workers_) * workers_;
    return ceil_div(tiles, blocks);
  }

  /// Weights in the order in which step() reads them: [tap][step of channels][panel][channel][column].
  std::shared_ptr<DeviceMemory> pack(const NodeDesc& node, PrepareContext& context) const {
    return context.weights.get_or_make(std::string(node.name) + "|panels", [&] {
      const Constant& weight = *node.constant("weight");
      const std::vector<float> plain = weight.read_f32();  // [oc][ic][tap]
      const std::int64_t oc = weight.tensor.dims[0], ic = weight.tensor.dims[1],
                         taps = weight.tensor.elements() / oc / ic;
      std::shared_ptr<DeviceMemory> memory =
          allocate_host(static_cast<std::size_t>(panels_ * size_.columns * ic * taps) * sizeof(float));
      auto* to = reinterpret_cast<float*>(memory->data());
      for (std::int64_t tap = 0; tap < taps; ++tap)
        for (std::int64_t begin = 0; begin < ic; begin += kStepChannels)
          for (std::int64_t column = 0; column < panels_ * size_.columns; column += size_.columns)
            for (std::int64_t i = begin; i < std::min(begin + kStepChannels, ic); ++i)
              for (std::int64_t o = column; o < column + size_.columns; ++o)
                *to++ = o < oc ? plain[static_cast<std::size_t>((o * ic + i) * taps + tap)] : 0.0F;
      return memory;
    });
  }

  void run_block(const KernelArgs& args, std::int64_t first, float* rows) const {
    Block block{first, std::min(block_pixels_, out_.shape.pixels() - first), 0, {}, {}, {}};
    block.tiles = (block.pixels + size_.rows - 1) / size_.rows;
    find_taps(block);
    const std::int64_t ic = in_.shape.c;
    for (std::int64_t tap = 0; tap < p_.kh * p_.kw; ++tap) {
      if (!locate(block, tap, input_of(args))) continue;
      for (std::int64_t channel = 0; channel < ic; channel += kStepChannels)
        step(args, block, tap, channel, std::min(kStepChannels, ic - channel), rows);
    }
    finish(args, block);
  }

  /// The element of the image this tap reads for this output pixel, or -1 in the padding.
  std::int64_t source(std::int64_t pixel, std::int64_t tap) const {
    const Shape &in = in_.shape, &out = out_.shape;
    const std::int64_t n = pixel / (out.h * out.w), y = pixel / out.w % out.h, x = pixel % out.w;
    const std::int64_t from_y = y * p_.sh - p_.padding.top + tap / p_.kw * p_.dh,
                       from_x = x * p_.sw - p_.padding.left + tap % p_.kw * p_.dw;
    if (from_y < 0 || from_y >= in.h || from_x < 0 || from_x >= in.w) return -1;
    return ((n * in.h + from_y) * in.w + from_x) * in_.pitch;
  }

  void find_taps(Block& block) const {
    std::fill_n(block.first_tap, block.tiles, -1);
    std::fill_n(block.last_tap, block.tiles, -1);
    for (std::int64_t i = 0; i < block.pixels; ++i)
      for (std::int64_t tap = 0; tap < p_.kh * p_.kw; ++tap) {
        if (source(block.first + i, tap) < 0) continue;
        std::int64_t &begin = block.first_tap[i / size_.rows], &end = block.last_tap[i / size_.rows];
        begin = begin < 0 ? tap : std::min(begin, tap);
        end = std::max(end, tap);
      }
  }

  /// Fills block.sources; false where the tap lies in the padding for the whole block.
  bool locate(Block& block, std::int64_t tap, const float* image) const {
    bool any = false;
    for (std::int64_t i = 0; i < block.pixels; ++i) {
      const std::int64_t at = source(block.first + i, tap);
      block.sources[i] = at < 0 ? nullptr : image + at;
      any = any || at >= 0;
    }
    return any;
  }

  bool in_padding(const Block& block, std::int64_t tile) const {
    const std::int64_t begin = tile * size_.rows, end = std::min(begin + size_.rows, block.pixels);
    return std::all_of(block.sources + begin, block.sources + end,
                       [](const float* s) { return s == nullptr; });
  }

  /// Copies the rows of a tile, channels [channel, channel + count) of one tap; false where all are in the
  /// padding.
  bool gather(const Block& block, std::int64_t t, std::int64_t channel, std::int64_t count, float* to) const {
    if (in_padding(block, t)) return false;
    for (std::int64_t i = t * size_.rows; i < (t + 1) * size_.rows; ++i, to += count)
      if (i < block.pixels && block.sources[i] != nullptr)
        std::copy_n(block.sources[i] + channel, count, to);
      else
        std::fill_n(to, count, 0.0F);
    return true;
  }

  /// Adds channels [channel, channel + count) of one tap to the block's output.
  void step(const KernelArgs& args, const Block& block, std::int64_t tap, std::int64_t channel,
            std::int64_t count, float* rows) const {
    bool gathered[kBlockTiles];
    for (std::int64_t t = 0; t < block.tiles; ++t)
      gathered[t] = gather(block, t, channel, count, rows + t * size_.rows * count);
    const std::int64_t ic = in_.shape.c, panel_size = count * size_.columns;
    const float* weights =
        reinterpret_cast<const float*>(weights_->data()) + (tap * ic + channel) * panels_ * size_.columns;
    const bool begins = channel == 0, ends = channel + count == ic;
    for (std::int64_t panel = 0; panel < panels_; ++panel, weights += panel_size) {
      GemmTile tile;
      tile.k = tile.a_pitch = count;
      tile.b = weights;
      for (std::int64_t t = 0; t < block.tiles; ++t) {
        if (panel + 1 < panels_) prefetch_share(weights + panel_size, panel_size, t, block.tiles);
        if (!gathered[t]) continue;
        tile.a = rows + t * size_.rows * count;
        multiply(args, block, t, panel, tile, begins && tap == block.first_tap[t],
                 ends && tap == block.last_tap[t]);
      }
    }
  }

  /// Tiles that no tap meets, and activations that are no clamp.
  void finish(const KernelArgs& args, const Block& block) const {
    for (std::int64_t t = 0; t < block.tiles; ++t)
      for (std::int64_t panel = 0; block.first_tap[t] < 0 && panel < panels_; ++panel)
        multiply(args, block, t, panel, GemmTile{}, true, true);
    if (clamp_) return;
    for (std::int64_t i = block.first; i < block.first + block.pixels; ++i) {
      float* pixel = output_of(args) + i * out_.pitch;
      activate(p_.activation, pixel, pixel, p_.oc);
    }
  }

  /// Runs one tile; where it hangs over the block's last pixel or the last channel, through a buffer.
  void multiply(const KernelArgs& args, const Block& block, std::int64_t t, std::int64_t panel, GemmTile tile,
                bool begins, bool ends) const {
    const std::int64_t pixel = block.first + t * size_.rows, column = panel * size_.columns;
    const std::int64_t rows = std::min(size_.rows, block.pixels - t * size_.rows),
                       columns = std::min(size_.columns, p_.oc - column);
    const bool whole = rows == size_.rows && columns == size_.columns;
    float* c = output_of(args) + pixel * out_.pitch + column;
    tile.c = c, tile.c_pitch = out_.pitch;
    if (ends) tile.clamp = clamp_.value_or(Clamp{});
    if (begins) tile.bias = bias_.data() + column;
    if (begins && p_.has_residual) {
      tile.residual = input_of(args, args.inputs.size() - 1) + pixel * residual_.pitch + column;
      tile.residual_pitch = residual_.pitch;
    }
    if (whole) return multiply_tile(tile);
    constexpr std::int64_t kPitch = GemmTileSize::kMostColumns;
    float buffer[GemmTileSize::kMostRows * kPitch] = {}, added[GemmTileSize::kMostRows * kPitch] = {};
    if (!begins) copy_pixels(c, out_.pitch, buffer, kPitch, rows, columns);
    if (tile.residual != nullptr) {
      copy_pixels(tile.residual, residual_.pitch, added, kPitch, rows, columns);
      tile.residual = added, tile.residual_pitch = kPitch;
    }
    tile.c = buffer, tile.c_pitch = kPitch;
    multiply_tile(tile);
    copy_pixels(buffer, kPitch, c, out_.pitch, rows, columns);
  }

  Conv2dParams p_;
  TensorDesc in_, residual_, out_;
  std::int64_t workers_;
  GemmTileSize size_ = gemm_tile_size();
  std::int64_t block_pixels_, panels_;
  std::shared_ptr<DeviceMemory> weights_;
  std::vector<float> bias_;
  std::optional<Clamp> clamp_ = as_clamp(p_.activation);
};

}  // namespace

std::string refuse_implicit_gemm(const NodeDesc& node) {
  const Conv2dParams p = resolve_conv2d(std::get<Conv2dParams>(node.params), node.inputs[0].shape);
  if (node.inputs[0].dtype != DType::f32) return "for f32 activations only";
  if (gemm_tile_size().columns != 16) return "for processors with AVX2, and nothing wider";
  if (p.kh * p.kw * p.sh * p.sw == 1) return "1x1 convolutions are left to oneDNN";
  if (p.groups > 1) return "for one group only";
  if (node.inputs[0].shape.c < 16) return "for 16 input channels and more";
  return "";
}

std::unique_ptr<Kernel> prepare_implicit_gemm(const NodeDesc& node, PrepareContext& context) {
  return std::make_unique<ImplicitGemmKernel>(node, context);
}

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/image.h"
#include "image/preprocess.h"
#include "pipeline/last_frame.h"
#include "pipeline/model.h"
#include "pipeline/tile_plan.h"
#include "refine/crf_params.h"

namespace atrous {

struct SegmentOptions {
  int threads = 0;                  ///< 0: the backend's default
  std::vector<double> scales{1.0};  ///< multi-scale inference, relative to the config's input size
  bool flip = false;                ///< and mirrored; left and right classes swap back
  std::optional<std::string> crf;   ///< none: as the config says; "off"; else as parse_crf reads it
  std::optional<int> superpixels;   ///< none: as the config says; 0: off
  bool want_probabilities = false;  ///< fill SegmentResult::probabilities
  /// Tiles of the photo at its own resolution (times a scale) instead of the config's input size. CRF and
  /// superpixels then see a tile and half an overlap around it.
  TileOptions tile;
  bool want_template_sheet =
      false;  ///< fill SegmentResult::template_sheet; the model must have a template_morph
  /// For frames of a video, one run after the other: a tile (without tiles: the photo) whose pixels, all that
  /// the network's window and refinement see of it, are those of the photo before keeps its result. Results
  /// are the same bytes.
  bool reuse = false;
};

/// Milliseconds spent on one photo.
struct StageTimes {
  double decode = 0, detect = 0, preprocess = 0, network = 0, upsample = 0, crf = 0, superpixels = 0,
         encode = 0;
};

/// The stages by name, in their order.
struct Stage {
  const char* name;
  double StageTimes::*ms;
};
inline constexpr Stage kStages[] = {
    {"decode", &StageTimes::decode},           {"detect", &StageTimes::detect},
    {"preprocess", &StageTimes::preprocess},   {"network", &StageTimes::network},
    {"upsample", &StageTimes::upsample},       {"crf", &StageTimes::crf},
    {"superpixels", &StageTimes::superpixels}, {"encode", &StageTimes::encode}};

/// Tiles of a photo; one without tiles.
struct TileCount {
  std::int64_t all = 0, reused = 0;
};

struct SegmentResult {
  LabelMap labels;         ///< the photo's size
  ScoreMap probabilities;  ///< sums to 1; empty unless wanted
  Image template_sheet;    ///< image/template_sheet.h, of the first pass; empty unless wanted
  StageTimes times;
  TileCount tiles;
};

/// Photos to label maps: preprocess -> network (each scale, mirrored) -> upsample -> fuse -> CRF ->
/// superpixels -> argmax. One thread at a time; make one a worker, they share the model. Results do not
/// depend on the number of threads.
class Segmenter {
 public:
  /// Throws Error{invalid_argument} for options that make no sense, and what Tiling throws.
  explicit Segmenter(std::shared_ptr<const Model> model, const SegmentOptions& options = {});

  SegmentResult run(const ImageView& photo);
  /// Photos whose network inputs have the same extent go through the network together; the same results as
  /// one by one.
  std::vector<SegmentResult> run(std::span<const ImageView> photos);

  const Model& model() const { return *model_; }
  /// Tiling::note; "" without tiles.
  std::string tile_note() const { return tiling_ ? tiling_->note() : ""; }
  void set_observer(Executor::Observer observer) { executor_.set_observer(std::move(observer)); }

 private:
  /// A tile of a plan, and the pixels of the photo that it gives scores or labels for.
  struct Tile {
    std::size_t column, row;
    Crop seen;
  };
  void run_group(std::span<const ImageView> photos, std::span<SegmentResult> results);
  void scale_photos(std::span<const ImageView> photos, std::span<const Pass> passes);
  void run_pass(std::span<const ImageView> photos, const TilePlan& plan, std::size_t pass, const Tile& tile,
                std::span<ScoreMap> fused, std::span<SegmentResult> results);
  void draw_template_sheets(std::span<const ImageView> photos, const Geometry& geometry,
                            std::span<SegmentResult> results);
  void finish(const ImageView& photo, double share, ScoreMap scores, SegmentResult& result) const;
  /// Of one photo, with SegmentOptions::reuse: sees the tile what it saw in the last one?
  bool is_unchanged(const ImageView& photo, const TilePlan& plan, const Tile& tile) const;
  bool refines() const { return crf_ || superpixels_ > 0; }
  bool needs_scores() const;

  std::shared_ptr<const Model> model_;
  SegmentOptions options_;
  Executor executor_;
  PixelTable pixels_;
  std::optional<Tiling> tiling_;
  std::vector<ImageView> scaled_;     ///< the photos at each pass's scale, pass by pass
  std::vector<Image> scaled_memory_;  ///< of those that are not the photos' own, kept from one to the next
  LastFrame last_frame_;              ///< the last photo and scaled_, with SegmentOptions::reuse
  SegmentResult last_result_;
  std::optional<CrfParams> crf_;
  int superpixels_ = 0;
};

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atrous {

/// How a kernel K is normalised by n = K 1 (filter of all ones): none K; before K/n on the input; after K/n
/// on the output; symmetric n^-1/2 K n^-1/2.
enum class Normalization { none, before, after, symmetric };

/// weight * exp(-|p_i - p_j|^2 / (2 sxy^2)); sxy in pixels.
struct GaussianTerm {
  float sxy = 3, weight = 3;
};

/// weight * exp(-|p_i - p_j|^2 / (2 sxy^2) - |I_i - I_j|^2 / (2 srgb^2)); srgb in 8-bit colour steps.
struct BilateralTerm {
  float sxy = 67, srgb = 3, weight = 4;
};

/// What a CRF's nodes are (dense_crf.h, square_crf.h, superpixel_crf.h).
enum class CrfNodes { pixels, squares, superpixels };

/// Fully connected CRF (Kraehenbuehl and Koltun 2011; DeepLab v2, equations 2 and 3).
struct CrfParams {
  int iterations = 10;  ///< of mean field
  std::vector<GaussianTerm> gaussian;
  std::vector<BilateralTerm> bilateral;
  Normalization normalization = Normalization::symmetric;
  CrfNodes on = CrfNodes::pixels;
  /// Accuracy for speed; the defaults are below what half precision shows. A pixel whose probabilities would
  /// change by at most `stop` keeps them and is not computed again before its messages could change them by
  /// more. Where there are more than 32 labels and no `compatibility`, a pixel leaves out a block of up to 32
  /// of them that are together sure to be less probable than `prune` times its best label.
  float stop = 1.0F / 4096, prune = 1.0F / 512;
  /// Penalty mu(a, b) of labels a and b on neighbours, classes x classes by rows; empty: Potts, mu = [a !=
  /// b].
  std::vector<float> compatibility;
};

inline constexpr std::string_view kDefaultCrf = "deeplab-v2-resnet";
std::vector<std::string> crf_preset_names();

/// "PRESET", "KEY=VALUE,..." (on top of the default preset), "PRESET,KEY=VALUE,..." or "" (the default
/// preset). Keys: iterations, gaussian_sxy, gaussian_weight, bilateral_sxy, bilateral_srgb, bilateral_weight,
/// normalization, on, stop, prune. Throws Error{invalid_argument}.
CrfParams parse_crf(std::string_view text);

}  // namespace atrous

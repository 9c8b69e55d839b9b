// SPDX-License-Identifier: Apache-2.0
// Pooling and resizing, on the backend the program is linked with.
#include <gtest/gtest.h>

#include <utility>

#include "support/run_case.h"

namespace atrous {
namespace {

using test::expect_case;

TEST(Pool2d, Windows) {
  for (auto kind : {PoolKind::max, PoolKind::average})
    for (int k : {2, 3})
      for (int s : {1, 2, 3})
        for (bool ceil : {false, true})
          for (bool include : {false, true})
            for (int pad : {0, 1}) {
              Pool2dParams p{kind, k, k, s, s};
              p.padding = {false, pad, pad, pad, pad};
              p.ceil_mode = ceil, p.count_include_pad = include && kind == PoolKind::average;
              expect_case({"pool", p, {{1, 11, 14, 7}}});
            }
  Pool2dParams dilated{PoolKind::max, 3, 3, 1, 1, 2, 3};
  expect_case({"dilated", dilated, {{1, 11, 14, 5}}});
  Pool2dParams same{PoolKind::average, 3, 3, 2, 2};
  same.padding = {true};
  expect_case({"same", same, {{1, 10, 13, 5}}});
}

TEST(Pool2d, GlobalAndAdaptiveBins) {
  for (auto kind : {PoolKind::max, PoolKind::average}) {
    Pool2dParams global{kind};
    global.global = true;
    expect_case({"global", global, {{2, 9, 13, 33}}});
    for (int bins : {1, 2, 3, 6}) {
      Pool2dParams adaptive{kind};
      adaptive.bins_h = bins, adaptive.bins_w = bins + 1;
      expect_case({"bins", adaptive, {{1, 13, 17, 5}}});
    }
  }
}

TEST(Resize, All) {
  for (auto mode : {ResizeMode::bilinear, ResizeMode::nearest})
    for (auto coordinates : {ResizeCoordinates::half_pixel, ResizeCoordinates::align_corners})
      for (auto [h, w] :
           {std::pair(1, 1), std::pair(9, 9), std::pair(31, 22), std::pair(4, 5), std::pair(18, 27)})
        expect_case({"resize", ResizeParams{mode, coordinates, h, w}, {{2, 9, 9, 7}}});
  expect_case({"from one pixel",
               ResizeParams{ResizeMode::bilinear, ResizeCoordinates::half_pixel, 6, 5},
               {{2, 1, 1, 33}}});
  expect_case({"factor",
               ResizeParams{ResizeMode::bilinear, ResizeCoordinates::half_pixel, 0, 0, 2.5F, 0.5F},
               {{1, 8, 8, 3}}});
  ResizeParams interp{ResizeMode::bilinear, ResizeCoordinates::align_corners};
  interp.shrink = 4, interp.zoom = 3;  // 33 -> 9 -> 25, 22 -> 6 -> 16
  expect_case({"shrink and zoom", interp, {{1, 33, 22, 3}}});
  ResizeParams like;
  like.like = true;
  expect_case({"like", like, {{1, 4, 5, 3}, {1, 9, 7, 2}}});
}

}  // namespace
}  // namespace atrous

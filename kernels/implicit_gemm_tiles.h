// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "kernels/conv2d_implicit_gemm.h"
#include "kernels/implicit_gemm_tile.h"
#include "kernels/warpgroup_tile.h"

/// The tiles that are compiled. The order is that of implicit_gemm_variants(); the same for all element
/// types.
namespace atrous::cuda {

template <typename... Tiles>
struct TileList {};

template <typename T>
using TensorCoreTiles = TileList<GemmTile<TensorCoreMath<T, 64, 32>, 128, 128, 4>,  //
                                 GemmTile<TensorCoreMath<T, 64, 32>, 128, 64, 4>,   //
                                 GemmTile<TensorCoreMath<T, 32, 32>, 64, 64, 4>,    //
                                 GemmTile<TensorCoreMath<T, 32, 32>, 128, 32, 4>,   //
                                 GemmTile<TensorCoreMath<T, 64, 32>, 128, 64, 3, true>>;

/// For pyramids, too.
template <typename T>
using WarpgroupTiles = TileList<WarpgroupTile<T, 128, 256, 4, 1>,  //
                                WarpgroupTile<T, 128, 128, 3, 2>,  //
                                WarpgroupTile<T, 64, 64, 4, 3>>;

using FmaTiles = TileList<GemmTile<FmaMath<64, 32>, 128, 64, 3>,  //
                          GemmTile<FmaMath<32, 32>, 64, 64, 3>,   //
                          GemmTile<FmaMath<32, 32>, 64, 64, 3, true>>;

/// What a pyramid chooses from, in the order of pyramid_variants().
template <typename T>
using PyramidTensorCoreTiles =
    TileList<GemmTile<TensorCoreMath<T, 64, 32>, 128, 128, 4>, GemmTile<TensorCoreMath<T, 32, 32>, 64, 64, 4>,
             GemmTile<TensorCoreMath<T, 32, 32>, 128, 32, 4>>;
using PyramidFmaTiles = TileList<GemmTile<FmaMath<64, 32>, 128, 64, 3>, GemmTile<FmaMath<32, 32>, 64, 64, 3>>;

/// What a separable convolution chooses from, in the order of separable_variants().
template <typename T>
using SeparableTiles =
    TileList<GemmTile<TensorCoreMath<T, 32, 32>, 64, 128, 4>, GemmTile<TensorCoreMath<T, 16, 32>, 64, 64, 4>,
             GemmTile<TensorCoreMath<T, 16, 32>, 32, 64, 4>>;

template <typename... Tiles>
constexpr std::array<ImplicitGemmVariant, sizeof...(Tiles)> variants_of(TileList<Tiles...>) {
  return {ImplicitGemmVariant{Tiles::kM, Tiles::kN, Tiles::kGather, Tiles::kBlocks}...};
}

/// Calls f with the tiles for a kind of arithmetic and its element type.
template <typename Fma, template <typename> class TensorCore, template <typename> class Warpgroup, typename F>
void with_tiles(GemmMath math, DType dtype, const F& f) {
  if (math == GemmMath::fma) return f(Fma{});
  if (math == GemmMath::tensor_core)
    return dispatch(dtype, [&](auto element) { f(TensorCore<decltype(element)>{}); });
  if (dtype == DType::f16) return f(Warpgroup<f16>{});
  f(Warpgroup<bf16>{});
}

/// Calls f(tile of that index), a value-initialised GemmTile.
template <typename F, typename... Tiles>
void with_tile(TileList<Tiles...>, int index, const F& f) {
  int i = 0;
  ((i++ == index ? f(Tiles{}) : void()), ...);
}

}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/device.h"

/// The multiplying half of an implicit GEMM tile: how a warp turns one stage of shared memory into sums.
///
/// A stage holds rows of 64 bytes (32 two-byte or 16 four-byte elements of K), A's rows being pixels and B's
/// output channels, both with K contiguous. A row's four 16-byte chunks are stored at chunk ^ (row / 2 % 4):
/// the eight rows at one chunk that ldmatrix reads, and the two whole rows that eight threads write, fall
/// into each of the 32 banks once.
///
/// A policy has `Element`, the sums of a warp's kRows x kColumns, `multiply` (adds one stage) and `spill`
/// (writes the sums as fp32 to shared memory). Sums add up in order of K, whatever the tile's size.
namespace atrous::cuda {

constexpr int kStageRowBytes = 64, kStageChunks = 4;

ATROUS_DEVICE int stage_offset(int row, int chunk) {
  return row * kStageRowBytes + ((chunk ^ (row >> 1 & 3)) << 4);
}

/// A warp's spilled sums are rows of 32 floats, one pass over the banks; their eight chunks change places by
/// row.
constexpr int kSpillColumns = 32;

ATROUS_DEVICE int spill_offset(int row, int column) {
  return row * kSpillColumns + (column ^ (row & 3) << 3);
}

/// One step of the tensor cores: 16 x 8 sums over 32 bytes of K.
template <typename T>
ATROUS_DEVICE void multiply_fragment(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  if constexpr (sizeof(T) == 2)
    mma_m16n8k16<T>(sum, a, b);
  else
    mma_m16n8k8_tf32(sum, a, b);
}

/// Fragments as ldmatrix delivers them; fp32 is rounded to tf32.
template <typename T>
ATROUS_DEVICE void load_fragment(unsigned (&r)[4], const unsigned char* row) {
  ldmatrix_x4(r, row);
  if constexpr (sizeof(T) == 4)
    for (unsigned& value : r) value = __builtin_bit_cast(unsigned, to_tf32(__builtin_bit_cast(float, value)));
}

/// Tensor cores: m16n8k16 for f16 and bf16, m16n8k8 in tf32 for float. Lane l of a fragment of 16x8 sums
/// holds rows l/4 and l/4+8, columns l%4*2 and the next.
template <typename T, int kRowsOfWarp, int kColumnsOfWarp>
struct TensorCoreMath {
  using Element = T;
  static constexpr int kRows = kRowsOfWarp, kColumns = kColumnsOfWarp;
  static_assert(kRows % 16 == 0 && kColumns == kSpillColumns);

  float sum[kRows / 16][kColumns / 8][4] = {};

  /// `a` and `b`: one stage; the warp's rows of them start at the given ones.
  ATROUS_DEVICE void multiply(const unsigned char* a, int first_row, const unsigned char* b,
                              int first_column) {
    const int lane = lane_id();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      unsigned fragments[kColumns / 16][4];
#pragma unroll
      for (int j = 0; j < kColumns / 16; ++j) {
        const int column = first_column + j * 16 + (lane >> 4) * 8 + lane % 8;
        load_fragment<T>(fragments[j], b + stage_offset(column, half * 2 + (lane >> 3 & 1)));
      }
#pragma unroll
      for (int i = 0; i < kRows / 16; ++i) {
        unsigned rows[4];
        load_fragment<T>(rows, a + stage_offset(first_row + i * 16 + lane % 16, half * 2 + (lane >> 4)));
#pragma unroll
        for (int j = 0; j < kColumns / 8; ++j) {
          const unsigned columns[2] = {fragments[j / 2][j % 2 * 2], fragments[j / 2][j % 2 * 2 + 1]};
          multiply_fragment<T>(sum[i][j], rows, columns);
        }
      }
    }
  }

  /// All sums to the warp's own kRows * kSpillColumns floats of shared memory.
  ATROUS_DEVICE void spill(float* out) const {
    const int row = lane_id() / 4, column = lane_id() % 4 * 2;
#pragma unroll
    for (int i = 0; i < kRows / 16; ++i)
#pragma unroll
      for (int j = 0; j < kColumns / 8; ++j) {
        store_pack(out + spill_offset(i * 16 + row, j * 8 + column),
                   Pack<float, 2>{{sum[i][j][0], sum[i][j][1]}});
        store_pack(out + spill_offset(i * 16 + row + 8, j * 8 + column),
                   Pack<float, 2>{{sum[i][j][2], sum[i][j][3]}});
      }
  }
};

/// Plain fp32 multiply-adds. Lane l holds rows l/4 + 8i and columns l%4 + 4j, so that a warp's loads of a
/// chunk touch eight neighbouring rows of A and four of B.
template <int kRowsOfWarp, int kColumnsOfWarp>
struct FmaMath {
  using Element = float;
  static constexpr int kRows = kRowsOfWarp, kColumns = kColumnsOfWarp;
  static_assert(kRows % 8 == 0 && kColumns == kSpillColumns);

  float sum[kRows / 8][kColumns / 4] = {};

  ATROUS_DEVICE void multiply(const unsigned char* a, int first_row, const unsigned char* b,
                              int first_column) {
    const int row = first_row + lane_id() / 4, column = first_column + lane_id() % 4;
#pragma unroll 1
    for (int chunk = 0; chunk < kStageChunks; ++chunk) {
      Pack<float, 4> columns[kColumns / 4];
#pragma unroll
      for (int j = 0; j < kColumns / 4; ++j) columns[j] = read(b, column + 4 * j, chunk);
#pragma unroll
      for (int i = 0; i < kRows / 8; ++i) {
        const Pack<float, 4> rows = read(a, row + 8 * i, chunk);
#pragma unroll
        for (int j = 0; j < kColumns / 4; ++j)
#pragma unroll
          for (int k = 0; k < 4; ++k) sum[i][j] = fmaf(rows.v[k], columns[j].v[k], sum[i][j]);
      }
    }
  }

  ATROUS_DEVICE void spill(float* out) const {
    const int row = lane_id() / 4, column = lane_id() % 4;
#pragma unroll
    for (int i = 0; i < kRows / 8; ++i)
#pragma unroll
      for (int j = 0; j < kColumns / 4; ++j) out[spill_offset(8 * i + row, 4 * j + column)] = sum[i][j];
  }

 private:
  ATROUS_DEVICE static Pack<float, 4> read(const unsigned char* stage, int row, int chunk) {
    return load_pack<4>(reinterpret_cast<const float*>(stage + stage_offset(row, chunk)));
  }
};

}  // namespace atrous::cuda

// SPDX-License-Identifier: Apache-2.0
#include "support/emulation/collectives.h"

#include <bit>
#include <cmath>

#include "core/error.h"
#include "core/half.h"

namespace atrous::cuda::emulation {
namespace {

using Lanes = std::array<LaneValues, 32>;

void require_all(std::uint32_t live, const char* name) {
  if (live != 0xffffffffU)
    fail(ErrorCode::internal, "{} by a warp of which only lanes {:#010x} are there", name, live);
}

void whole_warp(Lanes&, std::uint32_t live) { require_all(live, "an operation of a warpgroup"); }

void shuffle(Lanes& lanes, std::uint32_t live) {
  std::array<std::uint32_t, 32> given{};
  for (std::size_t i = 0; i < 32; ++i) given[i] = lanes[i][0];
  for (std::size_t i = 0; i < 32; ++i) {
    if ((live >> i & 1U) == 0) continue;
    const std::uint32_t source = lanes[i][1];
    if ((live >> source & 1U) == 0)
      fail(ErrorCode::internal, "lane {} shuffles a value from lane {}, which has returned or does not exist",
           i, source);
    lanes[i][0] = given[source];
  }
}

void ballot(Lanes& lanes, std::uint32_t live) {
  std::uint32_t votes = 0;
  for (std::uint32_t i = 0; i < 32; ++i)
    if ((live >> i & 1U) != 0 && lanes[i][0] != 0) votes |= 1U << i;
  for (LaneValues& lane : lanes) lane[0] = votes;
}

/// Element (row, column) of matrix j is half of word column/2 given by lane 8j + row. A lane gets (lane/4,
/// 2*(lane%4)) and the element right of it; transposed, (2*(lane%4), lane/4) and the element below.
template <bool Transposed>
void ldmatrix(Lanes& lanes, std::uint32_t live) {
  require_all(live, Transposed ? "ldmatrix.trans" : "ldmatrix");
  const Lanes given = lanes;
  auto element = [&](std::size_t matrix, std::size_t row, std::size_t column) {
    return given[8 * matrix + row][column / 2] >> (column % 2 * 16) & 0xffffU;
  };
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t matrix = 0; matrix < 4; ++matrix) {
      const std::size_t group = lane / 4, pair = 2 * (lane % 4);
      const std::uint32_t low = Transposed ? element(matrix, pair, group) : element(matrix, group, pair);
      const std::uint32_t high =
          Transposed ? element(matrix, pair + 1, group) : element(matrix, group, pair + 1);
      lanes[lane][matrix] = low | high << 16U;
    }
}

/// d[16, 8] = a[16, K] * b[K, 8] + c, all in fp32; c and d: lane holds rows lane/4 and lane/4 + 8, columns
/// 2*(lane%4) and next.
template <std::size_t K>
void multiply(Lanes& lanes, const float (&a)[16][K], const float (&b)[K][8]) {
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t row = lane / 4 + (i < 2 ? 0 : 8), column = 2 * (lane % 4) + i % 2;
      float sum = 0;
      for (std::size_t k = 0; k < K; ++k) sum += a[row][k] * b[k][column];
      lanes[lane][6 + i] = std::bit_cast<std::uint32_t>(std::bit_cast<float>(lanes[lane][6 + i]) + sum);
    }
}

/// a: register r holds row lane/4 (+ 8 where r is odd), columns 2*(lane%4) and next (+ 8 where r >= 2).
/// b: register r holds column lane/4, rows 2*(lane%4) and next (+ 8 where r is 1). The lower column or row is
/// the low half.
template <float (*ToFloat)(std::uint16_t)>
void mma_16_bit(Lanes& lanes, std::uint32_t live) {
  require_all(live, "mma_m16n8k16");
  float a[16][16], b[16][8];
  for (std::size_t lane = 0; lane < 32; ++lane)
    for (std::size_t half = 0; half < 2; ++half) {
      const std::size_t group = lane / 4, k = 2 * (lane % 4) + half;
      auto value = [&](std::size_t word) {
        return ToFloat(static_cast<std::uint16_t>(lanes[lane][word] >> (16 * half)));
      };
      for (std::size_t r = 0; r < 4; ++r) a[group + r % 2 * 8][k + r / 2 * 8] = value(r);
      for (std::size_t r = 0; r < 2; ++r) b[k + r * 8][group] = value(4 + r);
    }
  multiply(lanes, a, b);
}

/// a: register r holds row lane/4 (+ 8 where r is odd), column lane%4 (+ 4 where r >= 2); b: row lane%4 (+
/// 4), column lane/4.
void mma_tf32(Lanes& lanes, std::uint32_t live) {
  require_all(live, "mma_m16n8k8_tf32");
  float a[16][8], b[8][8];
  for (std::size_t lane = 0; lane < 32; ++lane) {
    const std::size_t group = lane / 4, k = lane % 4;
    auto value = [&](std::size_t word) { return std::bit_cast<float>(lanes[lane][word] & 0xffffe000U); };
    for (std::size_t r = 0; r < 4; ++r) a[group + r % 2 * 8][k + r / 2 * 4] = value(r);
    for (std::size_t r = 0; r < 2; ++r) b[k + r * 4][group] = value(4 + r);
  }
  multiply(lanes, a, b);
}

}  // namespace

const Collective kSyncWarp{"sync_warp", nullptr, true};
const Collective kShuffle{"shuffle", shuffle};
const Collective kBallot{"warp_ballot", ballot};
const Collective kLdmatrix{"ldmatrix", ldmatrix<false>};
const Collective kLdmatrixTrans{"ldmatrix.trans", ldmatrix<true>};
const Collective kMmaF16{"mma_m16n8k16<f16>", mma_16_bit<half_to_float>};
const Collective kMmaBf16{"mma_m16n8k16<bf16>", mma_16_bit<bfloat16_to_float>};
const Collective kWarpgroup{"warpgroup", whole_warp, true};
const Collective kMmaTf32{"mma_m16n8k8_tf32", mma_tf32};

float round_to_tf32(float value) {
  if (!std::isfinite(value)) return value;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + 0x1000U) & 0xffffe000U);
}

}  // namespace atrous::cuda::emulation

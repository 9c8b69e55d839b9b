// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/emulation/execution.h"

/// What the lanes of a warp do together: data moves between registers as the PTX ISA lays it out.
namespace atrous::cuda::emulation {

extern const Collective kSyncWarp;
extern const Collective kShuffle;  ///< gives value, source lane; gets the value of that lane
extern const Collective kBallot;   ///< gives 0 or 1; gets a bit per lane

/// Give four words of a row of an 8x8 matrix of 2-byte elements (lanes 8j .. 8j+7: matrix j); get a word of
/// each matrix.
extern const Collective kLdmatrix;
extern const Collective kLdmatrixTrans;

/// Give a[4], b[2], c[4]; get d = a * b + c in the place of c.
extern const Collective kMmaF16;
extern const Collective kMmaBf16;
extern const Collective kMmaTf32;

extern const Collective kWarpgroup;  ///< what is done for each thread, by whole warps

/// To 10 bits of mantissa, ties away from zero; NaN and infinity stay.
float round_to_tf32(float value);

}  // namespace atrous::cuda::emulation

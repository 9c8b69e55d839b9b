// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backend/cpu/cpu_backend.h"

namespace atrous {

/// Convolution as a matrix product that gathers its rows tap by tap, for AVX2 (with AVX-512 oneDNN is
/// faster): reads and writes slices of wider tensors in place, adds the residual from where it lies, and
/// skips the taps of a tile that fall wholly into the padding.
std::string refuse_implicit_gemm(const NodeDesc& node);
std::unique_ptr<Kernel> prepare_implicit_gemm(const NodeDesc& node, PrepareContext& context);

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace atrous::cli {

/// Multiply-adds in registers on every thread: what the machine could do, 2 operations each.
double measure_peak_gflops(int threads);

}  // namespace atrous::cli

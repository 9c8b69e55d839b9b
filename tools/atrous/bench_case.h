// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace atrous::cli {

using NamedTimes = std::vector<std::pair<std::string, double>>;

/// Something to time without a model. `run` returns the milliseconds of one run.
struct BenchCase {
  std::function<double()> run;
  double flops = 0;                         ///< 0: not counted
  std::shared_ptr<NamedTimes> stages = {};  ///< milliseconds of the last run, where it has stages
};

/// The grammar stands in `atrous bench --help`. Throws Error{invalid_argument}.
BenchCase make_bench_case(const std::string& text, int threads);

}  // namespace atrous::cli

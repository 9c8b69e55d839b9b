// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "graph/executor.h"

namespace atrous::cli {

inline constexpr std::string_view kCaseHelp =
    "A case is one of\n"
    "  conv2d:n1h65w65c512:oc512k3d2   input extent : output channels oc, kernel k, stride s, dilation d,\n"
    "                                  groups g (g0: depthwise); padding keeps the extent at stride 1\n"
    "  OP:n1h33w33c256[:KEY=VALUE,...] any operator of configs/schema.md with its keys, e.g.\n"
    "                                  resize:n1h33w33c256:scale=4 or "
    "max_pool:n1h65w65c64:kernel=3,stride=2\n"
    "  crf:500x375x21[:PRESET|KEY=VALUE,...]  the dense CRF on WIDTHxHEIGHTxCLASSES\n"
    "  slic:500x375[:N]                       N superpixels on WIDTHxHEIGHT";

/// Something to time.
struct BenchCase {
  std::function<void(int threads)> run;
  std::shared_ptr<const Network> network;  ///< of an operator's case, with its input shape; else null
  Shape input;
};

/// Throws Error{invalid_argument} that quotes the case.
BenchCase parse_case(const std::string& text);

}  // namespace atrous::cli

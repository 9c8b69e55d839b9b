// SPDX-License-Identifier: Apache-2.0
// Stands for cudnn_conv2d.cpp in builds without cuDNN's headers.
#include "backend/cuda/cudnn_conv2d.h"
#include "core/error.h"

namespace atrous {
namespace {

constexpr const char* kNone = "not in this build";

}  // namespace

std::string refuse_cudnn(const NodeDesc&) { return kNone; }
std::string refuse_cudnn_tf32(const NodeDesc&) { return kNone; }
std::unique_ptr<Kernel> prepare_cudnn(const NodeDesc&, PrepareContext&) {
  fail(ErrorCode::internal, "cuDNN: {}", kNone);
}
std::unique_ptr<Kernel> prepare_cudnn_tf32(const NodeDesc&, PrepareContext&) {
  fail(ErrorCode::internal, "cuDNN: {}", kNone);
}
std::string cudnn_version() { return {}; }

}  // namespace atrous

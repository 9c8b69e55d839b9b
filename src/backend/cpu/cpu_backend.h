// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "backend/backend.h"

namespace atrous {

std::shared_ptr<const Backend> make_cpu_backend();

/// Host memory as DeviceMemory.
std::unique_ptr<DeviceMemory> allocate_host(std::size_t bytes);

/// The ordered implementations of each operator.
#define ATROUS_OP(name, Params) std::span<const Implementation> cpu_##name();
#include "ops/op_list.inc"
#undef ATROUS_OP

}  // namespace atrous

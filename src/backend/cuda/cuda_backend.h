// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "backend/backend.h"
#include "backend/cuda/runtime.h"

namespace atrous {

/// Why the kernels do not run on device `index`, which exists; "" where they do.
std::string refuse_cuda_device(int index);

/// Throws Error{unsupported} where device `index` does not exist or is older than the kernels need.
std::shared_ptr<const Backend> make_cuda_backend(int index);

/// The CUDA stream behind a Stream of the CUDA backend.
cuda::StreamHandle stream_of(const KernelArgs& args);

/// Memory of the current device as DeviceMemory.
std::unique_ptr<DeviceMemory> allocate_device(std::size_t bytes);
/// Same, filled with `bytes` bytes of the host; waits until they are there.
std::unique_ptr<DeviceMemory> upload_to_device(const void* host, std::size_t bytes);

/// The ordered implementations of each operator.
#define ATROUS_OP(name, Params) std::span<const Implementation> cuda_##name();
#include "ops/op_list.inc"
#undef ATROUS_OP

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Memory of the fictitious device, for runtime_emulated.cpp.
namespace atrous::cuda::emulation {

/// NaN-filled; null for 0 bytes. `device`: else pinned host memory.
void* acquire(std::size_t bytes, bool device);
/// Ends the program with a message where `memory` is not live or its surroundings were written.
void give_back(void* memory, bool device) noexcept;
/// Throws Error{internal} unless the bytes lie in one live device allocation.
void check_device_range(const void* address, std::size_t bytes, const char* doing);
/// Throws Error{internal} where something wrote just outside a live allocation.
void check_guards();

}  // namespace atrous::cuda::emulation

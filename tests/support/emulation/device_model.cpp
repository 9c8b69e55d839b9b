// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "core/error.h"
#include "support/emulation/execution.h"

namespace atrous::cuda::emulation {
namespace {

int first_capability() {
  const char* text = std::getenv("ATROUS_EMULATION_CAPABILITY");
  if (text == nullptr || *text == 0) return 90;
  int major = 0, minor = 0;
  if (std::sscanf(text, "%d.%d", &major, &minor) != 2 || major < 1 || minor < 0 || minor > 9)
    fail(ErrorCode::invalid_argument, "ATROUS_EMULATION_CAPABILITY is '{}', not like 8.6", text);
  return 10 * major + minor;
}

std::atomic<int>& selected() {
  static std::atomic<int> value{first_capability()};
  return value;
}

}  // namespace

Capability capability() {
  const int value = selected().load(std::memory_order_relaxed);
  return {value / 10, value % 10};
}

void set_capability(Capability capability) {
  selected().store(10 * capability.major + capability.minor, std::memory_order_relaxed);
}

std::size_t shared_memory_limit() {
  const auto [major, minor] = capability();
  const std::size_t kib = major >= 9 ? 227 : major == 8 ? (minor == 0 || minor == 7 ? 163 : 99) : 64;
  return kib * 1024;
}

}  // namespace atrous::cuda::emulation

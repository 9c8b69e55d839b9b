// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <span>
#include <string>

#include "backend/cuda/runtime.h"

/// The execution layer: runs a grid block after block on the calling thread, each thread of a block as a
/// fiber. One grid at a time in a process. Faults of a kernel are thrown as Error{internal} that names the
/// launch, the block and the thread.
namespace atrous::cuda {

namespace emulation {

#if defined(__cpp_lib_source_location)
using Site = std::source_location;
#else  // clang before 16
class Site {
 public:
  static constexpr Site current(const char* file = __builtin_FILE(),
                                const char* function = __builtin_FUNCTION(), unsigned line = __builtin_LINE(),
                                unsigned column = __builtin_COLUMN()) {
    Site site;
    site.file_ = file, site.function_ = function, site.line_ = line, site.column_ = column;
    return site;
  }
  constexpr const char* file_name() const { return file_; }
  constexpr const char* function_name() const { return function_; }
  constexpr unsigned line() const { return line_; }
  constexpr unsigned column() const { return column_; }

 private:
  const char *file_ = "", *function_ = "";
  unsigned line_ = 0, column_ = 0;
};
#endif

/// What a kernel's thread knows about itself.
struct ThreadView {
  struct Index {
    unsigned x = 0, y = 0, z = 0;
  };
  Index thread, block, block_dim, grid_dim;
  int lane = 0;
};
/// Of the fiber that runs now. It never changes within a fiber, hence `const`.
[[gnu::const]] const ThreadView& this_thread();

struct LaunchConfig {
  ThreadView::Index grid, block;
  std::size_t shared_bytes = 0;
  Site site;
};

/// Throws Error{internal} where a real device would refuse the configuration.
void check_launch(const LaunchConfig& config);
/// Runs `thread` once for each thread of the grid.
void run_grid(const LaunchConfig& config, const std::function<void()>& thread);
/// run_grid() now, or when the graph that `stream` is capturing is launched.
void enqueue(StreamHandle stream, const LaunchConfig& config, std::function<void()> thread);

/// Of the fictitious device; 9.0 unless ATROUS_EMULATION_CAPABILITY names another, as in "8.6".
struct Capability {
  int major = 9, minor = 0;
};
Capability capability();
void set_capability(Capability capability);
std::size_t shared_memory_limit();  ///< bytes a block can have

// ---- called by kernels, through device_emulated.h

/// Registers that a lane gives to an operation of its warp, and gets back.
using LaneValues = std::array<std::uint32_t, 10>;
/// An operation of a warp: `finish` turns what the lanes gave into what they get once all live ones have
/// arrived.
struct Collective {
  const char* name;
  void (*finish)(std::array<LaneValues, 32>& lanes, std::uint32_t live);
  bool orders_memory = false;
};
LaneValues collective(const Collective& operation, const LaneValues& values, const Site& site);

void block_barrier(const Site& site);
/// NaN-filled memory of this block for the static array that `tag` stands for.
void* static_shared(const void* tag, std::size_t bytes);
void* dynamic_shared();
[[noreturn]] void kernel_fault(const std::string& what, const Site& site);
/// Throws where `address` is not a multiple of `bytes`.
void check_alignment(const void* address, std::size_t bytes, const char* what, const Site& site);
void require_capability(int major, const char* what, const Site& site);

struct AsyncCopy {
  std::byte* shared;
  const std::byte* global;
  int valid_bytes;
};
void push_async_copy(const AsyncCopy& copy);
void commit_async_copies();
/// Copies of all but the newest `keep` groups, which the caller must now do; valid until the next push.
std::span<const AsyncCopy> due_async_copies(int keep);

}  // namespace emulation
}  // namespace atrous::cuda

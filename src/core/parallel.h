// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>

/// Put before a plain function with a hot loop: compiled once an instruction set, the best chosen at load
/// time. The function must not throw, nor allocate: GCC takes the call for one that cannot. By instruction
/// sets and not by CPU models ("arch=haswell"), which only their maker's CPUs pass.
#if !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__) || defined(ATROUS_SANITIZED)
#define ATROUS_VECTORISE
#elif __GNUC__ >= 12
#define ATROUS_VECTORISE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ATROUS_VECTORISE __attribute__((target_clones("avx512f", "avx2", "default")))
#endif

namespace atrous {

int available_cores();            ///< that this process may run on
int team_size();                  ///< of the calling thread's teams
void set_team_size(int threads);  ///< from now on

/// While it lives, the calling thread's teams are of one: for work so short that to wake others, which then
/// spin for milliseconds, takes longer.
class Alone {
 public:
  Alone();
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  int threads_;
};

/// What one of several threads threw, for the thread that waits for them.
class Thrown {
 public:
  template <typename Work>
  void keep(const Work& work) {
    try {
      work();
    } catch (...) {
      if (!taken_.test_and_set()) error_ = std::current_exception();
    }
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic_flag taken_;
  std::exception_ptr error_;
};

/// f(i) for i in [0, count), in equal shares over the calling thread's OpenMP team. f must write only what
/// belongs to i, so that results do not depend on the number of threads. Where f throws, all i are done, then
/// one of the exceptions is thrown.
template <typename F>
void parallel_for(std::int64_t count, const F& f) {
  Thrown thrown;
#pragma omp parallel for schedule(static) if (count > 1)
  for (std::int64_t i = 0; i < count; ++i) thrown.keep([&] { f(i); });
  thrown.rethrow();
}

/// f(begin, end) over [0, count) in blocks, a block a task; the same rules as for parallel_for.
template <typename F>
void parallel_blocks(std::int64_t count, const F& f) {
  constexpr std::int64_t kBlock = 2048;
  parallel_for((count + kBlock - 1) / kBlock, [&](std::int64_t block) {
    f(block * kBlock, count < (block + 1) * kBlock ? count : (block + 1) * kBlock);
  });
}

}  // namespace atrous

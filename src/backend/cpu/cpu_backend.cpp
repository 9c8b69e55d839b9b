// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/cpu_backend.h"

#include <omp.h>
#include <sched.h>

#include <array>

#include "backend/cpu/onednn_compat.h"
#include "core/buffer.h"
#include "core/error.h"

namespace atrous {
namespace {

class HostMemory : public DeviceMemory {
 public:
  explicit HostMemory(std::size_t bytes) : buffer_(bytes) {}
  std::byte* data() override { return buffer_.data(); }
  std::byte* host() override { return buffer_.data(); }
  std::size_t size() const override { return buffer_.size(); }

 private:
  Buffer buffer_;
};

using List = std::span<const Implementation> (*)();
constexpr std::array<List, static_cast<std::size_t>(OpKind::count)> kLists = {
#define ATROUS_OP(name, Params) cpu_##name,
#include "ops/op_list.inc"
#undef ATROUS_OP
};

std::string_view instruction_set() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
#endif
  return "baseline instructions";
}

class CpuBackend : public Backend {
 public:
  Device device() const override { return {}; }
  std::string describe() const override {
    return fmt::format("oneDNN {}, {}, {} threads", onednn_version(), instruction_set(), default_threads());
  }
  std::span<const Implementation> implementations(OpKind kind) const override {
    return kLists.at(static_cast<std::size_t>(kind))();
  }
  std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const override { return allocate_host(bytes); }
  void set_threads(int threads) const override { omp_set_num_threads(threads); }
  int default_threads() const override {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
  }
};

}  // namespace

std::unique_ptr<DeviceMemory> allocate_host(std::size_t bytes) { return std::make_unique<HostMemory>(bytes); }

std::shared_ptr<const Backend> make_cpu_backend() { return std::make_shared<CpuBackend>(); }

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

// The g++ side of device.h. What a lane reads and writes in memory happens in this header, so that it is
// compiled into the kernel and watched by the sanitizers; exchanges between lanes happen in the layer.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>

#include "core/half.h"
#include "support/emulation/collectives.h"
#include "support/emulation/execution.h"

#define ATROUS_KERNEL
#define ATROUS_DEVICE inline
#define ATROUS_HOST_DEVICE inline
#define ATROUS_LAUNCH_BOUNDS(threads, blocks)
#define ATROUS_SHARED(T, name, count) \
  static char name##_tag = 0;         \
  auto& name =                        \
      *static_cast<T(*)[count]>(::atrous::cuda::emulation::static_shared(&name##_tag, sizeof(T) * (count)))
#define ATROUS_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::atrous::cuda::emulation::dynamic_shared())
#define threadIdx (::atrous::cuda::emulation::this_thread().thread)
#define blockIdx (::atrous::cuda::emulation::this_thread().block)
#define blockDim (::atrous::cuda::emulation::this_thread().block_dim)
#define gridDim (::atrous::cuda::emulation::this_thread().grid_dim)

namespace atrous::cuda {

using std::max;
using std::min;

struct f16 {
  std::uint16_t bits;
};
struct bf16 {
  std::uint16_t bits;
};

inline float to_float(float v) { return v; }
inline float to_float(f16 v) { return half_to_float(v.bits); }
inline float to_float(bf16 v) { return bfloat16_to_float(v.bits); }

template <typename T>
T from_float(float v);
template <>
inline float from_float<float>(float v) {
  return v;
}
template <>
inline f16 from_float<f16>(float v) {
  return {float_to_half(v)};
}
template <>
inline bf16 from_float<bf16>(float v) {
  return {float_to_bfloat16(v)};
}

inline float to_tf32(float v) {
  emulation::require_capability(8, "to_tf32", emulation::Site::current());
  return emulation::round_to_tf32(v);
}

template <int N, typename T>
Pack<T, N> load_pack(const T* p, emulation::Site site = emulation::Site::current()) {
  emulation::check_alignment(p, sizeof(Pack<T, N>), "load_pack", site);
  return *reinterpret_cast<const Pack<T, N>*>(p);
}

template <typename T, int N>
void store_pack(T* p, const Pack<T, N>& pack, emulation::Site site = emulation::Site::current()) {
  emulation::check_alignment(p, sizeof(Pack<T, N>), "store_pack", site);
  *reinterpret_cast<Pack<T, N>*>(p) = pack;
}

inline void sync_block(emulation::Site site = emulation::Site::current()) { emulation::block_barrier(site); }
inline void sync_warp(emulation::Site site = emulation::Site::current()) {
  emulation::collective(emulation::kSyncWarp, {}, site);
}
inline int lane_id() { return emulation::this_thread().lane; }

template <typename T>
T shuffle(T v, int lane, emulation::Site site = emulation::Site::current()) {
  static_assert(sizeof(T) == 4);
  const emulation::LaneValues in{std::bit_cast<std::uint32_t>(v), static_cast<std::uint32_t>(lane) % 32};
  return std::bit_cast<T>(emulation::collective(emulation::kShuffle, in, site)[0]);
}
template <typename T>
T shuffle_down(T v, int delta, emulation::Site site = emulation::Site::current()) {
  const int source = lane_id() + delta;
  return cuda::shuffle(v, source < 32 ? source : lane_id(), site);
}
template <typename T>
T shuffle_xor(T v, int mask, emulation::Site site = emulation::Site::current()) {
  return cuda::shuffle(v, lane_id() ^ mask, site);
}
inline unsigned warp_ballot(bool vote, emulation::Site site = emulation::Site::current()) {
  return emulation::collective(emulation::kBallot, {vote ? 1U : 0U}, site)[0];
}
inline bool warp_any(bool vote, emulation::Site site = emulation::Site::current()) {
  return warp_ballot(vote, site) != 0;
}

inline float atomic_add(float* p, float v) {
  return std::atomic_ref(*p).fetch_add(v, std::memory_order_relaxed);
}
inline int atomic_add(int* p, int v) { return std::atomic_ref(*p).fetch_add(v, std::memory_order_relaxed); }
inline int atomic_or(int* p, int v) { return std::atomic_ref(*p).fetch_or(v, std::memory_order_relaxed); }
inline int atomic_max(int* p, int v) {
  std::atomic_ref<int> value(*p);
  int old = value.load(std::memory_order_relaxed);
  while (old < v && !value.compare_exchange_weak(old, v, std::memory_order_relaxed)) {
  }
  return old;
}

/// Until the wait the 16 bytes are NaN; the source is read at the wait.
inline void copy_async16(void* shared, const void* global, int valid_bytes,
                         emulation::Site site = emulation::Site::current()) {
  emulation::require_capability(8, "copy_async16", site);
  emulation::check_alignment(shared, 16, "copy_async16 to shared memory", site);
  emulation::check_alignment(global, 16, "copy_async16 from global memory", site);
  if (valid_bytes < 0 || valid_bytes > 16) emulation::kernel_fault("copy_async16 of no 0 to 16 bytes", site);
  std::memset(shared, 0xff, 16);
  emulation::push_async_copy(
      {static_cast<std::byte*>(shared), static_cast<const std::byte*>(global), valid_bytes});
}
inline void copy_async_commit() { emulation::commit_async_copies(); }
template <int N>
void copy_async_wait() {
  for (const emulation::AsyncCopy& copy : emulation::due_async_copies(N)) {
    const auto valid = static_cast<std::size_t>(copy.valid_bytes);
    if (valid > 0) std::memcpy(copy.shared, copy.global, valid);
    std::memset(copy.shared + valid, 0, 16 - valid);
  }
}

namespace emulation {

/// A lane below 8 * Count reads the row it points to; the layer deals the rows out.
template <int Count>
void ldmatrix(const Collective& operation, unsigned (&r)[Count], const void* row, const Site& site) {
  LaneValues values{};
  if (this_thread().lane < 8 * Count) {
    check_alignment(row, 16, operation.name, site);
    std::memcpy(values.data(), row, 16);
  }
  values = collective(operation, values, site);
  std::copy_n(values.begin(), Count, r);
}

inline void mma(const Collective& operation, float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                const Site& site) {
  require_capability(8, operation.name, site);
  LaneValues values{a[0], a[1], a[2], a[3], b[0], b[1]};
  for (std::size_t i = 0; i < 4; ++i) values[6 + i] = std::bit_cast<std::uint32_t>(d[i]);
  values = collective(operation, values, site);
  for (std::size_t i = 0; i < 4; ++i) d[i] = std::bit_cast<float>(values[6 + i]);
}

}  // namespace emulation

inline void ldmatrix_x4(unsigned (&r)[4], const void* row,
                        emulation::Site site = emulation::Site::current()) {
  emulation::ldmatrix(emulation::kLdmatrix, r, row, site);
}
inline void ldmatrix_x4_trans(unsigned (&r)[4], const void* row,
                              emulation::Site site = emulation::Site::current()) {
  emulation::ldmatrix(emulation::kLdmatrixTrans, r, row, site);
}
inline void ldmatrix_x2(unsigned (&r)[2], const void* row,
                        emulation::Site site = emulation::Site::current()) {
  emulation::ldmatrix(emulation::kLdmatrix, r, row, site);
}
inline void ldmatrix_x2_trans(unsigned (&r)[2], const void* row,
                              emulation::Site site = emulation::Site::current()) {
  emulation::ldmatrix(emulation::kLdmatrixTrans, r, row, site);
}

template <typename T>
void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                  emulation::Site site = emulation::Site::current()) {
  static_assert(std::is_same_v<T, f16> || std::is_same_v<T, bf16>);
  emulation::mma(std::is_same_v<T, f16> ? emulation::kMmaF16 : emulation::kMmaBf16, d, a, b, site);
}
inline void mma_m16n8k8_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                             emulation::Site site = emulation::Site::current()) {
  emulation::mma(emulation::kMmaTf32, d, a, b, site);
}

namespace emulation {

/// A stream and, because it is made from one where launch() is called, the place of that call.
struct LaunchStream {
  LaunchStream(StreamHandle handle, Site where = Site::current()) : stream(handle), site(where) {}
  StreamHandle stream;
  Site site;
};

}  // namespace emulation

template <typename... Params, typename... Args>
void launch(void (*kernel)(Params...), Dim3 grid, Dim3 block, std::size_t shared_bytes,
            emulation::LaunchStream stream, Args&&... args) {
  std::tuple<Params...> values(static_cast<Params>(args)...);
  const emulation::LaunchConfig config{
      {grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes, stream.site};
  emulation::enqueue(stream.stream, config, [kernel, values] { std::apply(kernel, values); });
}

}  // namespace atrous::cuda

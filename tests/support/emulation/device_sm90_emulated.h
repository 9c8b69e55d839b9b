// SPDX-License-Identifier: Apache-2.0
#pragma once

// The g++ side of device_sm90.h. Copies and products are done as late as they may be: by the thread that
// waits for them, from the memory as it is then. Waiting, a warp must be whole; that there are four of them
// is not looked at.

#include "kernels/device.h"
#include "support/emulation/transfer.h"

#define ATROUS_GRID_CONSTANT

namespace atrous::cuda {

constexpr bool kHasWarpgroups = true;

using Mbarrier = std::uint64_t;

namespace emulation {

constexpr int kRowBytes = 128;

/// Where the swizzle puts a byte of rows of 128.
template <typename Byte>
Byte* swizzled(Byte* at) {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  return at + ((address ^ (address >> 7 & 7) << 4) - address);
}

template <int rank>
std::size_t bytes_of_box(const TensorMapLayout& map) {
  std::size_t bytes = 2;
  for (int i = 0; i < rank; ++i) bytes *= static_cast<std::size_t>(map.box[i]);
  return bytes;
}

/// Row `row` of a box to `to`, 16 bytes at a time, with zeros for what lies outside the tensor.
inline void land_row(const BulkCopy& copy, std::size_t row, std::byte* to) {
  const TensorMapLayout& map = copy.map;
  std::int64_t offset = 0;
  bool inside = true;
  auto rest = static_cast<std::int64_t>(row);
  for (int i = 1; i < map.rank; ++i) {
    const std::int64_t position = copy.at[i] + rest % map.box[i] * map.step[i];
    rest /= map.box[i];
    inside = inside && position >= 0 && position < map.extent[i];
    offset += position * map.pitch[i];
  }
  for (int chunk = 0; chunk < kRowBytes / 16; ++chunk) {
    std::uint16_t values[8] = {};
    for (int i = 0; inside && i < 8; ++i) {
      const std::int64_t position = copy.at[0] + chunk * 8 + i;
      if (position >= 0 && position < map.extent[0])
        values[i] = static_cast<const std::uint16_t*>(map.base)[offset + position];
    }
    std::memcpy(swizzled(to + 16 * chunk), values, 16);
  }
}

/// One thread's sums of a product: two rows times N / 4 columns.
template <typename T, int N>
void multiply_share(float* sums, const std::byte* a, const std::byte* b) {
  auto read = [](const std::byte* operand, int row, float(&values)[16]) {
    for (int chunk = 0; chunk < 2; ++chunk) {
      T bits[8];
      std::memcpy(bits, swizzled(operand + row * kRowBytes + 16 * chunk), 16);
      for (int i = 0; i < 8; ++i) values[8 * chunk + i] = to_float(bits[i]);
    }
  };
  const int row = static_cast<int>(threadIdx.x) / 32 % 4 * 16 + lane_id() / 4;
  float rows[2][16], column[16];
  read(a, row, rows[0]);
  read(a, row + 8, rows[1]);
  for (int n = 0; n < N / 8; ++n)
    for (int c = 0; c < 2; ++c) {
      read(b, 8 * n + lane_id() % 4 * 2 + c, column);
      for (int r = 0; r < 2; ++r) {
        float sum = 0;
        for (int k = 0; k < 16; ++k) sum += rows[r][k] * column[k];
        sums[4 * n + 2 * r + c] += sum;
      }
    }
}

}  // namespace emulation

inline void mbarrier_init(Mbarrier* barrier, unsigned arrivals,
                          emulation::Site site = emulation::Site::current()) {
  emulation::init_transfer_barrier(barrier, arrivals, site);
}
inline void mbarrier_init_fence() {}
inline void mbarrier_arrive(Mbarrier* barrier, emulation::Site site = emulation::Site::current()) {
  emulation::arrive_at_transfer(barrier, 0, site);
}
inline void mbarrier_arrive_expect(Mbarrier* barrier, int bytes,
                                   emulation::Site site = emulation::Site::current()) {
  emulation::arrive_at_transfer(barrier, bytes, site);
}
inline void mbarrier_wait(Mbarrier* barrier, unsigned parity,
                          emulation::Site site = emulation::Site::current()) {
  for (;;) {
    const auto copies = emulation::await_transfer(barrier, parity, site);
    if (copies.empty()) return;
    for (const emulation::BulkCopy& copy : copies)
      for (std::size_t row = 0; row < copy.bytes / emulation::kRowBytes; ++row)
        emulation::land_row(copy, row, copy.shared + row * emulation::kRowBytes);
    emulation::land_bulk_copies(barrier, site);
  }
}

template <int rank>
void bulk_copy(void* shared, const TensorMap& map, const int (&at)[rank], Mbarrier* barrier,
               emulation::Site site = emulation::Site::current()) {
  emulation::check_alignment(shared, emulation::kRowBytes, "bulk_copy to shared memory", site);
  emulation::BulkCopy copy{static_cast<std::byte*>(shared), {}, {}, 0};
  std::memcpy(static_cast<void*>(&copy.map), &map, sizeof copy.map);
  if (copy.map.rank != rank) emulation::kernel_fault("bulk_copy of another rank than the tensor's", site);
  std::copy_n(at, rank, copy.at);
  copy.bytes = emulation::bytes_of_box<rank>(copy.map);
  emulation::check_fenced(copy.shared, site);
  std::memset(shared, 0xff, copy.bytes);
  emulation::push_bulk_copy(barrier, copy, site);
}

inline void fence_async(emulation::Site site = emulation::Site::current()) {
  emulation::fence_async_writes(site);
}

template <int J, int N>
void warpgroup_begin(float (&)[J][N]) {}
template <typename T, int N>
void warpgroup_multiply(float (&sums)[N / 2], const void* a, const void* b,
                        emulation::Site site = emulation::Site::current()) {
  emulation::require_capability(9, "warpgroup_multiply", site);
  const auto *rows = static_cast<const std::byte*>(a), *columns = static_cast<const std::byte*>(b);
  for (const std::byte* operand : {rows, columns})
    if (reinterpret_cast<std::uintptr_t>(operand) % 1024 % 32 != 0 ||
        reinterpret_cast<std::uintptr_t>(operand) % 1024 >= 128)
      emulation::kernel_fault("an operand of warpgroup_multiply that is not at a swizzle's start", site);
  emulation::push_product({emulation::multiply_share<T, N>, sums, rows, columns});
}
inline void warpgroup_commit() { emulation::commit_products(); }
template <int groups>
void warpgroup_wait(emulation::Site site = emulation::Site::current()) {
  for (const emulation::WarpgroupProduct& product : emulation::due_products(groups))
    product.run(product.sums, product.a, product.b);
  emulation::collective(emulation::kWarpgroup, {}, site);  // the shares of all lanes are done
}
template <int J, int N>
void warpgroup_finish(float (&)[J][N], emulation::Site site = emulation::Site::current()) {
  warpgroup_wait<0>(site);
}

}  // namespace atrous::cuda

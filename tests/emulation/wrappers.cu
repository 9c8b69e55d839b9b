// SPDX-License-Identifier: Apache-2.0
// One wrapper of device.h a kernel; see wrappers.h. One block of a warp (atomics: four), shared memory up to
// 1 KiB, 16-byte aligned.
#include "emulation/wrappers.h"

#include "kernels/device.h"

namespace atrous::cuda {
namespace {

template <typename T>
ATROUS_KERNEL void convert(const float* in, T* bits, float* back, int count) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    bits[i] = from_float<T>(in[i]);
    back[i] = to_float(bits[i]);
  }
}

ATROUS_KERNEL void round_to_tf32(const float* in, float* out, int count) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
    out[i] = to_tf32(in[i]);
}

ATROUS_KERNEL void exchange(const float* values, const int* sources, int delta, int mask, WarpExchange* out) {
  const int lane = lane_id();
  const float value = values[lane];
  WarpExchange got;
  got.from_source = shuffle(value, sources[lane]);
  got.down = shuffle_down(value, delta);
  got.across = shuffle_xor(value, mask);
  got.sum = warp_sum(value);
  got.largest = warp_max(value);
  got.ballot = warp_ballot(value > 0);
  got.any = warp_any(value > 0) ? 1 : 0;
  got.any_of_none = warp_any(false) ? 1 : 0;
  got.lane = lane;
  out[lane] = got;
}

ATROUS_KERNEL void atomics(int* counts, float* sum, int* old) {
  const int id = static_cast<int>(threadIdx.x);
  old[id] = atomic_add(&counts[0], 1);
  atomic_max(&counts[1], id % 7);
  atomic_or(&counts[2], 1 << id % 5);
  atomic_add(sum, static_cast<float>(id));
}

ATROUS_KERNEL void copy_async(const unsigned char* in, unsigned char* out) {
  ATROUS_SHARED(unsigned char, stage, 512);
  const int lane = lane_id();
  for (int group = 0; group < 2; ++group) {
    if (lane / 16 == group) copy_async16(stage + 16 * lane, in + 16 * lane, lane % 17);
    copy_async_commit();
  }
  copy_async_wait<1>();
  sync_warp();
  for (int i = lane; i < 256; i += 32) out[i] = stage[i];
  copy_async_wait<0>();
  sync_warp();
  for (int i = lane; i < 512; i += 32) out[256 + i] = stage[i];
}

template <bool X4, bool Transposed>
ATROUS_KERNEL void load_matrix(const std::uint16_t* tile, const int* rows, unsigned* out) {
  ATROUS_DYNAMIC_SHARED(std::uint16_t, shared);
  const int lane = lane_id();
  for (int i = lane; i < 256; i += 32) shared[i] = tile[i];
  sync_warp();
  const std::uint16_t* row = shared + 8 * rows[lane];
  unsigned r[X4 ? 4 : 2];
  if constexpr (X4 && Transposed) ldmatrix_x4_trans(r, row);
  if constexpr (X4 && !Transposed) ldmatrix_x4(r, row);
  if constexpr (!X4 && Transposed) ldmatrix_x2_trans(r, row);
  if constexpr (!X4 && !Transposed) ldmatrix_x2(r, row);
  for (int i = 0; i < (X4 ? 4 : 2); ++i) out[(X4 ? 4 : 2) * lane + i] = r[i];
}

template <typename T>
ATROUS_KERNEL void multiply(const unsigned* a, const unsigned* b, float* d) {
  const int lane = lane_id();
  unsigned ra[4], rb[2];
  float rd[4];
  for (int i = 0; i < 4; ++i) ra[i] = a[4 * lane + i];
  for (int i = 0; i < 2; ++i) rb[i] = b[2 * lane + i];
  for (int i = 0; i < 4; ++i) rd[i] = d[4 * lane + i];
  if constexpr (sizeof(T) == 4)
    mma_m16n8k8_tf32(rd, ra, rb);
  else
    mma_m16n8k16<T>(rd, ra, rb);
  for (int i = 0; i < 4; ++i) d[4 * lane + i] = rd[i];
}

template <typename T>
ATROUS_KERNEL void pack_copy(const T* in, T* out, int count) {
  constexpr int kWidth = 16 / sizeof(T);
  for (int i = kWidth * static_cast<int>(threadIdx.x); i < count; i += kWidth * static_cast<int>(blockDim.x))
    store_pack(out + i, load_pack<kWidth>(in + i));
}

}  // namespace

void launch_convert(DType dtype, const float* in, std::uint16_t* bits, float* back, int count) {
  if (dtype == DType::f16)
    launch(convert<f16>, 1, 256, 0, nullptr, in, reinterpret_cast<f16*>(bits), back, count);
  else
    launch(convert<bf16>, 1, 256, 0, nullptr, in, reinterpret_cast<bf16*>(bits), back, count);
}

void launch_to_tf32(const float* in, float* out, int count) {
  launch(round_to_tf32, 1, 32, 0, nullptr, in, out, count);
}

void launch_warp_exchange(const float* values, const int* sources, int delta, int mask, WarpExchange* out) {
  launch(exchange, 1, 32, 0, nullptr, values, sources, delta, mask, out);
}

void launch_atomics(int* counts, float* sum, int* old) {
  launch(atomics, 1, 128, 0, nullptr, counts, sum, old);
}

void launch_copy_async(const unsigned char* in, unsigned char* out) {
  launch(copy_async, 1, 32, 0, nullptr, in, out);
}

void launch_ldmatrix(bool x4, bool transposed, const std::uint16_t* tile, const int* rows, unsigned* out) {
  const auto kernel = x4 ? (transposed ? load_matrix<true, true> : load_matrix<true, false>)
                         : (transposed ? load_matrix<false, true> : load_matrix<false, false>);
  launch(kernel, 1, 32, 512, nullptr, tile, rows, out);
}

void launch_mma(DType dtype, const unsigned* a, const unsigned* b, float* d) {
  dispatch(dtype, [&](auto zero) { launch(multiply<decltype(zero)>, 1, 32, 0, nullptr, a, b, d); });
}

void launch_pack_copy(DType dtype, const void* in, void* out, int count) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    launch(pack_copy<T>, 1, 32, 0, nullptr, static_cast<const T*>(in), static_cast<T*>(out), count);
  });
}

}  // namespace atrous::cuda

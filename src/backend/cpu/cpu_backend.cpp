// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/cpu_backend.h"

#include <array>
#include <cstring>

#include "backend/cpu/onednn_compat.h"
#include "backend/cpu/photo.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/parallel.h"

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

class CpuStream : public Stream {
 public:
  void upload(void* device, const void* host, std::size_t bytes) override {
    std::memcpy(device, host, bytes);
  }
  void download(void* host, const void* device, std::size_t bytes) override {
    std::memcpy(host, device, bytes);
  }
  void synchronise() override {}
  std::unique_ptr<Recording> record(const std::function<void()>&) override { return nullptr; }
  void normalise(const ImageView& scaled, const PixelTable& table, bool flip, const TensorDesc& input,
                 void* image) override {
    normalise_pixels(scaled, table, flip, input.shape, static_cast<float*>(image));
  }
  bool upsample_labels(const LogitsView& logits, const PhotoSampling& photo, std::uint8_t* labels) override {
    return atrous::upsample_labels(logits, photo, labels);
  }
  bool upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax,
                       float* scores) override {
    return atrous::upsample_scores(logits, photo, softmax, scores);
  }
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
  std::unique_ptr<Stream> make_stream() const override { return std::make_unique<CpuStream>(); }
  std::span<const DType> activation_types() const override {
    static constexpr DType kTypes[] = {DType::f32};
    return kTypes;
  }
  std::string refuse_convolutions(DType type) const override {
    if (type == DType::s8)
      return has_int8_products() ? "" : "has no VNNI, without which sums of 8-bit products overflow";
    if (type == DType::bf16) return has_bf16_products() ? "" : "has no AVX-512 BF16";
    return Backend::refuse_convolutions(type);
  }
  void set_threads(int threads) const override { set_team_size(threads); }
  int default_threads() const override { return available_cores(); }
};

}  // namespace

std::unique_ptr<DeviceMemory> allocate_host(std::size_t bytes) { return std::make_unique<HostMemory>(bytes); }

std::shared_ptr<const Backend> make_cpu_backend() { return std::make_shared<CpuBackend>(); }

}  // namespace atrous

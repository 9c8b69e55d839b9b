// SPDX-License-Identifier: Apache-2.0
#include "support/device_tensor.h"

#include <algorithm>
#include <bit>

#include "support/elements.h"

namespace atrous::test {
namespace {

constexpr std::byte kPoison{0xff};

std::int64_t pitch_of(std::int64_t channels, const Placement& placement) {
  return (channels + placement.multiple - 1) / placement.multiple * placement.multiple + placement.extra;
}

}  // namespace

DeviceTensor::DeviceTensor(const Backend& backend, Stream& stream, const Shape& shape, DType dtype,
                           Placement placement, std::size_t guard)
    : desc_{shape, pitch_of(shape.c, placement), dtype},
      start_(guard + static_cast<std::size_t>(placement.offset) * size_of(dtype)),
      bytes_(desc_.bytes() + 2 * guard, kPoison),
      memory_(backend.allocate(bytes_.size())),
      stream_(stream) {
  desc_.base_alignment =
      start_ == 0 ? 64 : std::min<std::size_t>(64, std::size_t{1} << std::countr_zero(start_));
  stream_.upload(memory_->data(), bytes_.data(), bytes_.size());
}

void DeviceTensor::upload(const RefTensor& values) {
  for (std::int64_t pixel = 0; pixel < desc_.shape.pixels(); ++pixel)
    for (std::int64_t c = 0; c < desc_.shape.c; ++c)
      write_element(desc_.dtype, values.values[static_cast<std::size_t>(pixel * desc_.shape.c + c)],
                    bytes_.data() + position(pixel, c));
  stream_.upload(memory_->data(), bytes_.data(), bytes_.size());
}

void DeviceTensor::download() { stream_.download(bytes_.data(), memory_->data(), bytes_.size()); }

double DeviceTensor::at(std::int64_t pixel, std::int64_t channel) const {
  return read_element(desc_.dtype, bytes_.data() + position(pixel, channel));
}

bool DeviceTensor::surroundings_intact() const {
  auto poisoned = [&](std::size_t begin, std::size_t end) {
    return std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>(begin),
                       bytes_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](std::byte b) { return b == kPoison; });
  };
  std::size_t end = 0;
  for (std::int64_t pixel = 0; pixel < desc_.shape.pixels(); ++pixel) {
    if (!poisoned(end, position(pixel, 0))) return false;
    end = position(pixel, desc_.shape.c);
  }
  return poisoned(end, bytes_.size());
}

std::size_t DeviceTensor::position(std::int64_t pixel, std::int64_t channel) const {
  return start_ + static_cast<std::size_t>(pixel * desc_.pitch + channel) * size_of(desc_.dtype);
}

}  // namespace atrous::test

// SPDX-License-Identifier: Apache-2.0
#include "import/wire.h"

#include <bit>
#include <cstring>

#include "core/error.h"

namespace atrous {
namespace {

static_assert(std::endian::native == std::endian::little, "protobuf's fixed-width numbers are little-endian");

[[noreturn]] void complain(const char* reason) { fail(ErrorCode::bad_file, "is no ONNX file: {}", reason); }

}  // namespace

std::int64_t WireField::integer() const {
  if (is_bytes) complain("a field holds bytes in place of a number");
  return static_cast<std::int64_t>(value);
}

float WireField::real() const {
  if (is_bytes) complain("a field holds bytes in place of a number");
  return std::bit_cast<float>(static_cast<std::uint32_t>(value));
}

std::span<const std::byte> WireField::message() const {
  if (!is_bytes) complain("a field holds a number in place of bytes");
  return bytes;
}

std::string WireField::text() const {
  const std::span<const std::byte> content = message();
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

std::span<const std::byte> WireReader::take(std::uint64_t size) {
  if (size > rest_.size()) complain("a field reaches past the end of its message");
  const std::span<const std::byte> taken = rest_.first(static_cast<std::size_t>(size));
  rest_ = rest_.subspan(taken.size());
  return taken;
}

std::uint64_t WireReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    const auto byte = static_cast<std::uint64_t>(take(1)[0]);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7fU) << shift;
    if (byte < 0x80) return value;
  }
  complain("a number has more than 64 bits");
}

bool WireReader::next(WireField& field) {
  if (at_end()) return false;
  const std::uint64_t key = varint();
  if (key >> 3U == 0 || key >> 32U != 0) complain("a field has no number");
  field = {static_cast<std::uint32_t>(key >> 3U), false, 0, {}};
  switch (key & 7U) {
    case 0:
      field.value = varint();
      break;
    case 1:
      std::memcpy(&field.value, take(8).data(), 8);
      break;
    case 2:
      field.is_bytes = true;
      field.bytes = take(varint());
      break;
    case 5:
      std::memcpy(&field.value, take(4).data(), 4);
      break;
    default:
      complain("a field is of a type that protobuf does not have");
  }
  return true;
}

}  // namespace atrous

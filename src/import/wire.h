// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace atrous {

/// One field of a protobuf message: a number (varint, 32 or 64 bits) or a run of bytes (text, a message,
/// packed numbers). The bytes lie in the message.
struct WireField {
  std::uint32_t number = 0;
  bool is_bytes = false;
  std::uint64_t value = 0;  ///< of a number, its raw bits
  std::span<const std::byte> bytes;

  std::int64_t integer() const;                ///< throws Error{bad_file} where this is no number
  float real() const;                          ///< of a 32-bit field; throws likewise
  std::string text() const;                    ///< throws Error{bad_file} where these are no bytes
  std::span<const std::byte> message() const;  ///< throws likewise
};

/// Reads the fields of a protobuf message one after the other: all that an ONNX file needs. (protobuf's own
/// library prints, aborts, registers its messages for the whole process and copies the weights; none of it
/// suits a library that others load.) Nothing in it is trusted: each length is checked against the message.
/// Groups, which protobuf gave up, are refused. Throws Error{bad_file} without a place.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> message) : rest_(message) {}

  bool next(WireField& field);  ///< false at the end
  std::uint64_t varint();       ///< for packed numbers
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> take(std::uint64_t size);
  std::span<const std::byte> rest_;
};

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <utility>

namespace atrous {

/// What kind of thing went wrong; the C ABI's status codes are these values (src/api/atrous.h).
enum class ErrorCode : int {
  invalid_argument = 1,  ///< the caller asked for something that makes no sense
  not_found = 2,         ///< a file, model, preset or device that does not exist
  bad_file = 3,          ///< a file exists but its content is broken, truncated or hostile
  bad_config = 4,        ///< a YAML config that is not valid (the message starts with file:line)
  unsupported = 5,       ///< valid, but this build or device cannot do it
  io = 6,                ///< reading or writing failed (permission, disk full, ...)
  out_of_memory = 7,
  internal = 8,   ///< a defect of atrous itself
  cancelled = 9,  ///< somebody asked for it (core/cancellation.h)
};

/// The text with spaces for control characters: a file's name or content may hold anything.
inline std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return text;
}

/// The one exception type of the library. `what()` is one line that names the object, the place and the
/// reason.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(one_line(std::move(message))) {}
  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
};

/// Throws Error{code, fmt::format(...)}.
template <typename... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace atrous

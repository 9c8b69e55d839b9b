// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "core/error.h"

namespace atrous::fuzz {

namespace fs = std::filesystem;

/// What reads files from outside (of http, what a client sends), each in a file of targets/. It returns where
/// it takes the file and throws an Error of one line where it does not; anything else is a finding.
void boxes(const fs::path& file);
void config(const fs::path& file);
void crf(const fs::path& file);
void http(const fs::path& file);
void image(const fs::path& file);
void labels(const fs::path& file);
void mask(const fs::path& file);
void network(const fs::path& file);
void npy(const fs::path& file);
void onnx(const fs::path& file);
void safetensors(const fs::path& file);

/// The message is one line that is not too long to read.
inline bool is_one_line(const Error& error) {
  const std::string& message = error.message();
  return !message.empty() && message.size() < 2000 && message.find('\n') == message.npos;
}

}  // namespace atrous::fuzz

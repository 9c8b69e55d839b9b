// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace atrous::test {

/// An array of a NumPy .npz archive: its type ("<f4", "|u1", ...), shape and raw bytes.
struct NpyArray {
  std::string type;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;

  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

/// Reads an archive (stored or deflated entries). Throws std::runtime_error. For files the tests trust.
std::map<std::string, NpyArray> read_npz(const std::filesystem::path& file);

/// A file of the development data, or an empty path where it is missing.
std::filesystem::path shared_file(const std::string& name);

}  // namespace atrous::test

/// Skips the test, naming the file, where the development data lacks it; else declares `variable` as its
/// path.
#define ATROUS_SHARED_OR_SKIP(variable, name)                             \
  const std::filesystem::path variable = atrous::test::shared_file(name); \
  if (variable.empty()) GTEST_SKIP() << "development data is missing: " << (name)

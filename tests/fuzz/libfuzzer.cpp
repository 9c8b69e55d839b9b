// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry for one target, ATROUS_FUZZ_TARGET. An exception that is no Error ends the program, as a
// crash does.
#include <cstdint>
#include <cstdlib>

#include "fuzz/targets.h"
#include "support/temp_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const atrous::test::TempFolder folder;
  const auto file = folder.write("file", {reinterpret_cast<const char*>(data), size});
  try {
    atrous::fuzz::ATROUS_FUZZ_TARGET(file);
  } catch (const atrous::Error& error) {
    if (!atrous::fuzz::is_one_line(error)) std::abort();
  }
  return 0;
}

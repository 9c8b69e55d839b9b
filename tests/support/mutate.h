// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <random>
#include <string>

namespace atrous::test {

/// The text with one to six random changes: bytes replaced, erased, repeated, or replaced by one of the
/// characters that mean something to the parser.
inline std::string mutate(std::string text, std::mt19937& random, const std::string& special) {
  for (unsigned i = 0, changes = 1 + random() % 6U; i < changes; ++i) {
    if (text.empty()) text = "x";
    const std::size_t at = random() % text.size();
    switch (random() % 4U) {
      case 0:
        text[at] = static_cast<char>(random() & 255U);
        break;
      case 1:
        text.erase(at, 1 + random() % 5U);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), random() % 20U));
        break;
      default:
        text[at] = special[random() % special.size()];
    }
  }
  return text;
}

}  // namespace atrous::test

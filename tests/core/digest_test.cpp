// SPDX-License-Identifier: Apache-2.0
#include "core/digest.h"

#include <gtest/gtest.h>

#include <set>

namespace atrous {
namespace {

template <typename... Parts>
std::string digest_of(const Parts&... parts) {
  Digest digest;
  (digest.add(parts), ...);
  return digest.text();
}

TEST(Digest, TellsContentsApart) {
  EXPECT_EQ(digest_of("abc", 7), digest_of(std::string("abc"), 7));
  EXPECT_EQ(digest_of("").size(), 16U);
  std::set<std::string> seen;
  std::size_t count = 0;
  auto add = [&](const std::string& digest) { seen.insert(digest), ++count; };
  add(digest_of());
  add(digest_of("ab", "c")), add(digest_of("a", "bc")), add(digest_of("abc")), add(digest_of("abc", ""));
  add(digest_of(1)), add(digest_of(std::int64_t{1})), add(digest_of(true)), add(digest_of(1.0));
  add(digest_of(-0.0));
  for (std::size_t length : {40, 405}) {  // every bit of several words and of a tail
    const std::string text(length, 'x');
    add(digest_of(text));
    for (std::size_t i = 0; i < length; ++i)
      for (int bit = 0; bit < 8; ++bit) {
        std::string other = text;
        other[i] = static_cast<char>(other[i] ^ (1 << bit));
        add(digest_of(other));
      }
  }
  for (std::size_t size = 0; size < 400; ++size) add(digest_of(std::string(size, '\0')));
  EXPECT_EQ(seen.size(), count);
}

}  // namespace
}  // namespace atrous

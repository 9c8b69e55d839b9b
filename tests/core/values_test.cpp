// SPDX-License-Identifier: Apache-2.0
#include "core/types.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/value.h"

namespace atrous {
namespace {

TEST(Shape, HasNoMoreElementsThanMemoryCanBeAskedFor) {
  constexpr std::int64_t k20 = 1 << 20;
  const Shape most{1, k20, k20, k20};
  EXPECT_EQ(most.elements(), std::int64_t{1} << 60);
  EXPECT_EQ(TensorDesc::dense(most).bytes(), std::size_t{1} << 62U);
  for (const Shape& bad : {Shape{2, k20, k20, k20}, Shape{1 << 2, k20, k20, k20}, Shape{k20, k20, k20, k20},
                           Shape{0, 1, 1, 1}, Shape{1, 1, -1, 1}})
    EXPECT_THROW(bad.elements(), Error) << to_string(bad);
}

TEST(ParseNumber, TakesFiniteOnes) {
  EXPECT_EQ(parse_number("1/4"), 0.25);
  EXPECT_EQ(parse_number("+2e3"), 2000);
  for (const char* bad : {"", "1/0", "1/2/3", "inf", "nan", "1e999", "1e300/1e-300", "1 ", "x"})
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
}

TEST(DidYouMean, NamesWhatIsNear) {
  EXPECT_EQ(did_you_mean("conv3d", {"relu", "conv2d"}), " (did you mean 'conv2d'?)");
  EXPECT_EQ(did_you_mean("x", {"relu", "conv2d"}), "");
  const std::string endless(2'000'000, 'a');  // would take hours
  EXPECT_EQ(did_you_mean(endless, {endless + "b"}), "");
}

}  // namespace
}  // namespace atrous

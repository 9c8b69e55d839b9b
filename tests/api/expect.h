/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATROUS_TESTS_EXPECT_H
#define ATROUS_TESTS_EXPECT_H

#include <atrous.h>
#include <stdio.h>

static int failures = 0;

/* Where the condition does not hold: says so and counts a failure. */
#define EXPECT(condition)                                                                                   \
  do {                                                                                                      \
    if (!(condition)) {                                                                                     \
      fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, atrous_last_error()); \
      ++failures;                                                                                           \
    }                                                                                                       \
  } while (0)

#endif

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atrous::cli {

/// "atrous: TEXT" on standard error, as one line whatever TEXT holds.
void say(std::string_view text);

/// A terminal that can do more than append lines: not TERM=dumb.
bool is_terminal(int descriptor);
/// May colour be used there? A terminal, and NO_COLOR is not set.
bool wants_color(int descriptor);

/// `text` with control characters, of a hostile file name for instance, replaced.
std::string printable(std::string_view text);

/// 1234567 -> "1.23 M"; with `unit`: "1.23 MB".
std::string short_number(double value, std::string_view unit = "");

/// Rows of cells as columns: the first left-aligned, the others right-aligned; the first row is the header.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace atrous::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <string>

namespace atrous::cli {

/// Where the program's own lines go: what stderr was at the first call, unbuffered. From then on stderr leads
/// nowhere, because the image libraries under OpenCV print there what is wrong with a file, beside our one
/// line.
std::FILE* messages();

/// "atrous: TEXT" as one line of messages().
void say(const std::string& text);

}  // namespace atrous::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace atrous {

/// Of a plugin (src/image/plugins): a library of atrous's own that is loaded when it is first used, because
/// what it stands on takes longer to load than everything else. It stays loaded. Throws Error{unsupported}.
const void* load_plugin(const std::string& name);

/// The functions of the plugin NAME, which it has as atrous_NAME, of type Table.
template <typename Table>
const Table& plugin(const std::string& name) {
  return *static_cast<const Table*>(load_plugin(name));
}

}  // namespace atrous

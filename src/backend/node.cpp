// SPDX-License-Identifier: Apache-2.0
// What backend.h has for nodes and weights on any device. Compiled into the graph's library, which owns such
// caches, so that no backend needs another one.
#include "backend/backend.h"

namespace atrous {

const Constant* NodeDesc::constant(std::string_view wanted) const {
  for (const Constant& candidate : constants)
    if (candidate.name == wanted) return &candidate;
  return nullptr;
}

std::vector<Constant> NodeDesc::constants_of(std::string_view part) const {
  const std::string prefix = std::string(part) + ".";
  std::vector<Constant> found;
  for (const Constant& candidate : constants)
    if (candidate.name.starts_with(prefix)) {
      found.push_back(candidate);
      found.back().name.erase(0, prefix.size());
    }
  return found;
}

std::shared_ptr<DeviceMemory> WeightCache::get_or_make(const std::string& key, const Make& make) {
  std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
  return entries_.emplace(key, make()).first->second;
}

std::size_t WeightCache::bytes() const {
  std::lock_guard lock(mutex_);
  std::size_t total = 0;
  for (const auto& [key, memory] : entries_) total += memory->size();
  return total;
}

}  // namespace atrous

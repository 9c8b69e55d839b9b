// SPDX-License-Identifier: Apache-2.0
#include "backend/backend.h"

#include "backend/cpu/cpu_backend.h"
#include "core/error.h"

namespace atrous {

const Constant* NodeDesc::constant(std::string_view wanted) const {
  for (const Constant& candidate : constants)
    if (candidate.name == wanted) return &candidate;
  return nullptr;
}

std::shared_ptr<DeviceMemory> WeightCache::get_or_make(const std::string& key, const Make& make) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<DeviceMemory>& entry = entries_[key];
  if (!entry) entry = make();
  return entry;
}

std::size_t WeightCache::bytes() const {
  std::lock_guard lock(mutex_);
  std::size_t total = 0;
  for (const auto& [key, memory] : entries_) total += memory->size();
  return total;
}

std::shared_ptr<const Backend> make_backend(Device device) {
  if (device.kind == DeviceKind::cpu) return make_cpu_backend();
  fail(ErrorCode::unsupported, "device '{}': this build has no CUDA backend (use cpu or auto)",
       to_string(device));
}

std::vector<std::string> compiled_backends() { return {"cpu"}; }

std::vector<Device> find_devices() { return {Device{}}; }

}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
#include "backend/backend.h"

#include "backend/cpu/cpu_backend.h"
#ifdef ATROUS_HAVE_CUDA
#include "backend/cuda/cuda_backend.h"
#endif
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
#ifdef ATROUS_HAVE_CUDA
  return make_cuda_backend(device.index);
#else
  fail(ErrorCode::unsupported, "device '{}': {} (use cpu or auto)", to_string(device), why_no_gpu());
#endif
}

#ifdef ATROUS_HAVE_CUDA
std::vector<std::string> compiled_backends() { return {"cpu", "cuda"}; }

std::vector<Device> find_devices() {
  std::vector<Device> devices;
  for (int i = 0; i < cuda::device_count(); ++i) devices.push_back({DeviceKind::cuda, i});
  devices.push_back({});
  return devices;
}

std::string why_no_gpu() {
  std::string why;
  return cuda::device_count(&why) > 0 ? "" : why;
}
#else
std::vector<std::string> compiled_backends() { return {"cpu"}; }

std::vector<Device> find_devices() { return {Device{}}; }

std::string why_no_gpu() { return "this build has no CUDA backend"; }
#endif

}  // namespace atrous

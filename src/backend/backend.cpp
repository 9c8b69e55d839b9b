// SPDX-License-Identifier: Apache-2.0
#include "backend/backend.h"

#include "backend/cpu/cpu_backend.h"
#ifdef ATROUS_HAVE_CUDA
#include "backend/cuda/cuda_backend.h"
#endif
#include "core/error.h"

namespace atrous {

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
  for (int i = 0; i < cuda::device_count(); ++i)
    if (refuse_cuda_device(i).empty()) devices.push_back({DeviceKind::cuda, i});
  devices.push_back({});
  return devices;
}

std::string why_no_gpu() {
  std::string why;
  const int count = cuda::device_count(&why);
  for (int i = 0; i < count; ++i) {
    why = refuse_cuda_device(i);
    if (why.empty()) break;
  }
  return why;
}
#else
std::vector<std::string> compiled_backends() { return {"cpu"}; }

std::vector<Device> find_devices() { return {Device{}}; }

std::string why_no_gpu() { return "this build has no CUDA backend"; }
#endif

}  // namespace atrous

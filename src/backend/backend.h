// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/tensor_ref.h"
#include "core/types.h"
#include "ops/params.h"

/// The whole boundary between the engine and a device. Above it nothing knows oneDNN, OpenMP or CUDA.
namespace atrous {

/// A node as a backend sees it when it prepares: everything but the addresses.
struct NodeDesc {
  std::string_view name;
  const OpParams& params;
  std::span<const TensorDesc> inputs;
  TensorDesc output;
  std::span<const Constant> constants;

  /// The constant of that name; nullptr where the node has none.
  const Constant* constant(std::string_view name) const;
};

/// Device memory; host() is its address where the host can reach it, else nullptr.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual std::byte* data() = 0;
  virtual std::byte* host() = 0;
  virtual std::size_t size() const = 0;
};

/// Packed weights shared by all plans and sessions of one model on one device, by a key that names node, layout and
/// implementation. Thread-safe.
class WeightCache {
 public:
  using Make = std::function<std::shared_ptr<DeviceMemory>()>;
  std::shared_ptr<DeviceMemory> get_or_make(const std::string& key, const Make& make);
  std::size_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<DeviceMemory>> entries_;
};

/// Addresses for one run; the descriptors were given to prepare().
struct KernelArgs {
  std::span<const void* const> inputs;
  void* output = nullptr;
  void* workspace = nullptr;  ///< Kernel::workspace_bytes() bytes, 64-byte aligned, content undefined
};

/// A prepared implementation of one node: weights packed, workspace sized. run() is const and allocates nothing.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual std::size_t workspace_bytes() const { return 0; }
  virtual void run(const KernelArgs& args) const = 0;
  /// The input that may lie where the output lies, provided that both are dense and of one shape; -1: none.
  virtual int overwrites() const { return -1; }
  virtual std::string detail() const { return {}; }  ///< more for `inspect --plan`, e.g. "brgconv:avx512_core"
};

struct PrepareContext {
  WeightCache& weights;
  int threads = 1;  ///< the team this plan will run with
};

/// One way to run an operator on one device. The first of the ordered list that accepts wins.
struct Implementation {
  std::string_view name;                         ///< names the algorithm: "direct", "implicit_gemm", ...
  std::string (*refuse)(const NodeDesc& node);  ///< why not, or "" to accept
  std::unique_ptr<Kernel> (*prepare)(const NodeDesc& node, PrepareContext& context);
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual Device device() const = 0;
  virtual std::string describe() const = 0;  ///< "oneDNN 2.6.3, AVX-512, 2 threads"
  virtual std::span<const Implementation> implementations(OpKind kind) const = 0;
  virtual std::unique_ptr<DeviceMemory> allocate(std::size_t bytes) const = 0;
  /// Called by the executor around a run on the calling thread: sets the size of the thread team.
  virtual void set_threads(int threads) const = 0;
  virtual int default_threads() const = 0;
};

/// The backends of this build. Throws Error{unsupported} for a device this build or machine does not have.
std::shared_ptr<const Backend> make_backend(Device device);
/// Names of the backends compiled in: "cpu", "cuda".
std::vector<std::string> compiled_backends();
/// Devices that would work now.
std::vector<Device> find_devices();

}  // namespace atrous

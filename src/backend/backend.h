// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/image.h"
#include "core/resample.h"
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
  bool allow_tf32 = false;  ///< products of f32 activations may be rounded to tf32 (10 bits of mantissa)

  /// The constant of that name; nullptr where the node has none.
  const Constant* constant(std::string_view name) const;
  /// The constants "PART.NAME" of an operator made of several, as NAME.
  std::vector<Constant> constants_of(std::string_view part) const;
};

/// Device memory; host() is its address where the host can reach it, else nullptr.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual std::byte* data() = 0;
  virtual std::byte* host() = 0;
  virtual std::size_t size() const = 0;
};

/// Packed weights shared by all plans and sessions of one model on one device, by a key that names node,
/// layout and implementation. Thread-safe.
class WeightCache {
 public:
  using Make = std::function<std::shared_ptr<DeviceMemory>()>;
  std::shared_ptr<DeviceMemory> get_or_make(const std::string& key, const Make& make);
  std::size_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<DeviceMemory>> entries_;
};

/// Work put on a stream once, to be done again with the same addresses.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() const = 0;
};

/// Work on one device, in order, and the staging memory that crossing to it needs. One thread at a time. On
/// the CPU all is done when a call returns.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void upload(void* device, const void* host, std::size_t bytes) = 0;  ///< `host` is free on return
  virtual void download(void* host, const void* device,
                        std::size_t bytes) = 0;  ///< waits for the work before it
  virtual void synchronise() = 0;
  /// What `enqueue` puts on this stream (which does not run it yet); null where the device cannot record.
  virtual std::unique_ptr<Recording> record(const std::function<void()>& enqueue) = 0;

  /// Fills one image of the network's input (NHWC, 3 channels, on the device) from pixels of the photo,
  /// scaled already, in its top left corner; the rest is 0 (the mean). `flip` mirrors the pixels left to
  /// right.
  virtual void normalise(const ImageView& scaled, const PixelTable& table, bool flip, const TensorDesc& input,
                         void* image) = 0;
  /// The best class of every pixel of the photo into `labels` (host, width*height); the lowest id wins a tie.
  /// The full-size scores never exist. False where a logit is not finite.
  virtual bool upsample_labels(const LogitsView& logits, const PhotoSampling& photo,
                               std::uint8_t* labels) = 0;
  /// Scores of every pixel into `scores` (host, [height, width, classes]); with `softmax` as probabilities.
  /// False where a logit is not finite.
  virtual bool upsample_scores(const LogitsView& logits, const PhotoSampling& photo, bool softmax,
                               float* scores) = 0;
};

/// Addresses for one run; the descriptors were given to prepare().
struct KernelArgs {
  std::span<const void* const> inputs;
  void* output = nullptr;
  void* workspace = nullptr;  ///< Kernel::workspace_bytes() bytes, 64-byte aligned, content undefined
  Stream* stream = nullptr;   ///< of the backend that prepared the kernel; the CPU's kernels need none
};

/// A prepared implementation of one node: weights packed, workspace sized. run() is const, allocates nothing
/// and, on a device, only puts work on the stream.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual std::size_t workspace_bytes() const { return 0; }
  virtual void run(const KernelArgs& args) const = 0;
  /// The input that may lie where the output lies, provided that both are dense and of one shape; -1: none.
  virtual int overwrites() const { return -1; }
  virtual std::string detail() const {
    return {};
  }  ///< more for `inspect --plan`, e.g. "brgconv:avx512_core"
};

struct PrepareContext {
  WeightCache& weights;
  int threads = 1;  ///< the team this plan will run with
};

/// One way to run an operator on one device. The first of the ordered list that accepts wins.
struct Implementation {
  std::string_view name;                        ///< names the algorithm: "direct", "implicit_gemm", ...
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
  virtual std::unique_ptr<Stream> make_stream() const = 0;
  /// Types its activations can have, the one that `--precision auto` takes first.
  virtual std::span<const DType> activation_types() const = 0;
  /// Why PlanOptions::convolutions of that type is nothing for it, to follow its name; "" where it has them.
  virtual std::string refuse_convolutions(DType) const { return "does not compute in it"; }
  /// Called by the executor before work on the calling thread: the size of its teams, on a GPU also its
  /// current device.
  virtual void set_threads(int threads) const = 0;
  virtual int default_threads() const = 0;
};

/// The backends of this build. Throws Error{unsupported} for a device this build or machine does not have.
std::shared_ptr<const Backend> make_backend(Device device);
/// Names of the backends compiled in: "cpu", "cuda".
std::vector<std::string> compiled_backends();
/// Devices that would work now, the best first; the CPU is always one.
std::vector<Device> find_devices();
/// Why find_devices() has no GPU, in the driver's words where there is one; "" where it has.
std::string why_no_gpu();

}  // namespace atrous

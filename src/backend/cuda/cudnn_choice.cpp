// SPDX-License-Identifier: Apache-2.0
#include "backend/cuda/cudnn_choice.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "graph/tuner.h"

namespace atrous::cudnn {
namespace {

constexpr int kRounds = 3, kRuns = 5;

/// Where algorithms are tried on one device. Never destroyed: at the program's end cuDNN may be gone already.
class Laboratory {
 public:
  Laboratory() : stream_(cuda::create_stream()) {
    check(library().cudnnSetStream(handle_, stream_), "choosing a stream");
  }

  Choice choose(const std::string& key, const cuda::Conv2dProblem& problem, Math math) {
    std::lock_guard lock(mutex_);
    auto found = choices_.find(key);
    if (found == choices_.end()) found = choices_.emplace(key, try_all(problem, math)).first;
    return found->second;
  }

 private:
  Choice try_all(const cuda::Conv2dProblem& problem, Math math) {
    Convolution convolution(problem);
    const std::vector<Algorithm> offered = convolution.offered(handle_, math);
    std::size_t workspace = 0;
    for (const Algorithm& algorithm : offered) workspace = std::max(workspace, algorithm.workspace);
    std::vector<std::unique_ptr<DeviceMemory>> memory;
    auto scratch = [&](std::size_t bytes) {
      return memory.emplace_back(allocate_device(std::max<std::size_t>(bytes, 256)))->data();
    };
    const std::size_t size = size_of(problem.in.dtype);
    const cuda::Conv2dAddresses at{scratch(problem.in.bytes()),
                                   scratch(weight_elements(problem) * size),
                                   nullptr,
                                   scratch(problem.params.has_residual ? problem.residual.bytes() : 0),
                                   scratch(problem.out.bytes()),
                                   scratch(workspace)};
    const void* bias = scratch(static_cast<std::size_t>(problem.params.oc) * size);
    Choice best{"cuDNN offers no algorithm", {}};
    double least = 0;
    for (const Algorithm& algorithm : offered) {
      convolution.use(algorithm);
      const cudnnStatus_t status = convolution.enqueue(handle_, at, bias);
      if (status != CUDNN_STATUS_SUCCESS) {
        if (!best.refusal.empty()) best.refusal = library().cudnnGetErrorString(status);
        continue;
      }
      cuda::synchronise(stream_);
      const double time = time_of(convolution, at, bias);
      if (best.refusal.empty() && time >= least) continue;
      best = {"", algorithm};
      least = time;
    }
    return best;
  }

  double time_of(const Convolution& convolution, const cuda::Conv2dAddresses& at, const void* bias) const {
    double best = 0;
    for (int round = 0; round < kRounds; ++round) {
      Stopwatch watch;
      for (int run = 0; run < kRuns; ++run)
        check(convolution.enqueue(handle_, at, bias), "trying a convolution");
      cuda::synchronise(stream_);
      const double time = watch.lap();
      best = round == 0 ? time : std::min(best, time);
    }
    return best;
  }

  Handle handle_;
  cuda::StreamHandle stream_;
  std::mutex mutex_;
  std::map<std::string, Choice> choices_;
};

Laboratory& laboratory() {
  static std::mutex mutex;
  static auto& all = *new std::map<int, Laboratory>;  // NOLINT: never destroyed, see above
  std::lock_guard lock(mutex);
  return all[cuda::current_device()];
}

}  // namespace

Choice choose(const NodeDesc& node, const cuda::Conv2dProblem& problem, Math math) {
  cuda::Conv2dProblem image = problem;  // the choice must not depend on the batch
  for (TensorDesc* desc : {&image.in, &image.out, &image.residual}) desc->shape.n = 1;
  return laboratory().choose(describe_problem(node) + (math == Math::tf32 ? " tf32" : ""), image, math);
}

}  // namespace atrous::cudnn

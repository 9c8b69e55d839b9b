// SPDX-License-Identifier: Apache-2.0
#include "graph/tuner.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/digest.h"
#include "core/error.h"
#include "core/files.h"
#include "core/stopwatch.h"
#include "ops/schema.h"

namespace atrous {
namespace {

using TunedTimes = std::map<std::string, std::vector<Tuner::Measured>>;

constexpr int kRounds = 3, kRuns = 10;
constexpr double kHopeless =
    8;  ///< times the fastest; a single run also waits, which takes long for small ones

TensorDesc one_image(TensorDesc desc) {
  desc.shape.n = 1;
  return desc;
}

std::string describe(const TensorDesc& desc) {
  return fmt::format("{}p{}a{}{}", to_string(one_image(desc).shape), desc.pitch,
                     std::min<std::size_t>(desc.base_alignment, 16), to_string(desc.dtype));
}

std::string describe(const Padding& p) {
  return p.same ? "same" : fmt::format("{},{},{},{}", p.top, p.left, p.bottom, p.right);
}

/// The parameters that the shapes do not tell and a time may depend on.
std::string describe(const OpParams& params) {
  if (const auto* p = std::get_if<Conv2dParams>(&params))
    return fmt::format("k{}x{}s{}x{}d{}x{}g{}p{}b{}r{}a{}", p->kh, p->kw, p->sh, p->sw, p->dh, p->dw,
                       p->groups, describe(p->padding), p->has_bias, p->has_residual,
                       static_cast<int>(p->activation.kind));
  if (const auto* p = std::get_if<Pool2dParams>(&params))
    return fmt::format("k{}x{}s{}x{}d{}x{}p{}", p->kh, p->kw, p->sh, p->sw, p->dh, p->dw,
                       describe(p->padding));
  if (const auto* p = std::get_if<PyramidParams>(&params)) {
    std::string text = p->sum ? "sum" : "concat";
    if (p->pooled >= 0) text += fmt::format(" pooled{}", p->pooled);
    for (const Conv2dParams& branch : p->branches)
      text += fmt::format(" o{}", branch.oc) + describe(OpParams(branch));
    return text;
  }
  if (const auto* p = std::get_if<SeparableParams>(&params))
    return describe(OpParams(p->depthwise)) + " " + describe(OpParams(p->pointwise));
  if (const auto* p = std::get_if<FullyConnectedParams>(&params))
    return fmt::format("b{}a{}", p->has_bias, static_cast<int>(p->activation.kind));
  if (const auto* p = std::get_if<ResizeParams>(&params))
    return fmt::format("m{}c{}", static_cast<int>(p->mode), static_cast<int>(p->coordinates));
  return {};
}

std::unique_ptr<DeviceMemory> filled_memory(const Backend& backend, Stream& stream, std::size_t bytes) {
  std::unique_ptr<DeviceMemory> memory = backend.allocate(std::max<std::size_t>(bytes, 64));
  constexpr std::size_t kPiece = std::size_t{8} << 20U;
  const std::vector<std::byte> pattern(std::min(bytes, kPiece),
                                       std::byte{0x3c});  // a small normal number in every type
  for (std::size_t at = 0; at < bytes; at += kPiece)
    stream.upload(memory->data() + at, pattern.data(), std::min(kPiece, bytes - at));
  return memory;
}

/// What the file says; empty where it is missing or broken.
TunedTimes read_times(const std::filesystem::path& file) {
  try {
    TunedTimes times;
    const std::vector<std::byte> content = read_file(file);
    const auto* text = reinterpret_cast<const char*>(content.data());
    const nlohmann::json document = nlohmann::json::parse(text, text + content.size());
    for (const auto& [problem, entries] : document.at("problems").items())
      for (const nlohmann::json& entry : entries)
        times[problem].push_back({entry.at(0).get<std::string>(), entry.at(1).get<double>()});
    return times;
  } catch (const Error&) {  // not there, or not readable
  } catch (const nlohmann::json::exception&) {
  }
  return {};
}

std::string text_of(const TunedTimes& times, const std::string& backend) {
  nlohmann::json problems = nlohmann::json::object();
  for (const auto& [problem, entries] : times)
    for (const Tuner::Measured& m : entries) problems[problem].push_back({m.implementation, m.milliseconds});
  return nlohmann::json{{"version", ATROUS_VERSION}, {"backend", backend}, {"problems", problems}}.dump(1);
}

/// Keeps other processes from writing `file` between our reading and our writing it; nothing where the file
/// system has no locks.
std::optional<FileLock> lock_if_possible(const std::filesystem::path& file) {
  std::filesystem::path name = file;
  name += ".lock";
  try {
    return std::optional<FileLock>(std::in_place, name);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string describe_problem(const NodeDesc& node) {
  std::string text = std::string(schema_of(node.params).name) + " " + describe(node.params);
  for (const TensorDesc& input : node.inputs) text += " " + describe(input);
  return text + " > " + describe(node.output);
}

std::filesystem::path cache_folder() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg == '/')
    return std::filesystem::path(xdg) / "atrous";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/')
    return std::filesystem::path(home) / ".cache" / "atrous";
  return {};
}

Tuner::Tuner(const Backend& backend, const std::filesystem::path& folder) : backend_(backend) {
  if (folder.empty()) return;
  Digest digest;
  digest.add(ATROUS_VERSION);
  digest.add(backend.describe());
  file_ = folder / fmt::format("tuning-{}.json", digest.text());
  known_ = read_times(file_);
}

std::vector<Tuner::Measured> Tuner::measure(const NodeDesc& node,
                                            const std::vector<const Implementation*>& candidates) {
  std::vector<TensorDesc> inputs;
  for (const TensorDesc& input : node.inputs) inputs.push_back(one_image(input));
  const NodeDesc image{node.name,      node.params,    inputs, one_image(node.output),
                       node.constants, node.allow_tf32};
  const std::string problem = describe_problem(image) + (node.allow_tf32 ? " tf32" : "");
  std::lock_guard lock(mutex_);
  auto is_known = [&](const std::vector<Measured>& times) {
    return times.size() == candidates.size() &&
           std::all_of(candidates.begin(), candidates.end(), [&](const Implementation* candidate) {
             return std::any_of(times.begin(), times.end(),
                                [&](const Measured& m) { return m.implementation == candidate->name; });
           });
  };
  std::vector<Measured>& times = known_[problem];
  if (!is_known(times)) {
    times.clear();
    double fastest = std::numeric_limits<double>::infinity();
    for (const Implementation* candidate : candidates) {
      times.push_back({std::string(candidate->name), time_of(image, *candidate, fastest)});
      fastest = std::min(fastest, times.back().milliseconds);
    }
    std::stable_sort(times.begin(), times.end(),
                     [](const Measured& a, const Measured& b) { return a.milliseconds < b.milliseconds; });
    save();
  }
  return times;
}

/// Milliseconds a run: the best of a few rounds, each of several runs with one wait at its end; those of a
/// single run where that is far from `fastest`.
double Tuner::time_of(const NodeDesc& node, const Implementation& candidate, double fastest) const {
  WeightCache cache;
  PrepareContext context{cache};
  const std::unique_ptr<Kernel> kernel = candidate.prepare(node, context);
  const std::unique_ptr<Stream> stream = backend_.make_stream();
  std::vector<std::unique_ptr<DeviceMemory>> memory;
  std::vector<const void*> inputs;
  for (const TensorDesc& input : node.inputs) {
    memory.push_back(filled_memory(backend_, *stream, input.bytes()));
    inputs.push_back(memory.back()->data());
  }
  const std::unique_ptr<DeviceMemory> output = filled_memory(backend_, *stream, node.output.bytes()),
                                      workspace = filled_memory(backend_, *stream, kernel->workspace_bytes());
  const KernelArgs args{inputs, output->data(), workspace->data(), stream.get()};
  auto time_runs = [&](int runs) {
    Stopwatch watch;
    for (int run = 0; run < runs; ++run) kernel->run(args);
    stream->synchronise();
    return watch.lap() / runs;
  };
  time_runs(1);  // loads the kernel
  double best = time_runs(1);
  if (best > kHopeless * fastest) return best;
  for (int round = 0; round < kRounds; ++round) {
    const double milliseconds = time_runs(kRuns);
    best = round == 0 ? milliseconds : std::min(best, milliseconds);
  }
  return best;
}

void Tuner::save() {
  if (file_.empty()) return;
  try {
    const std::optional<FileLock> lock = lock_if_possible(file_);
    known_.merge(read_times(file_));  // what others have measured since
    const std::string text = text_of(known_, backend_.describe());
    write_file(file_, std::as_bytes(std::span(text)));
  } catch (const Error&) {  // a cache that cannot be written is no reason to fail
  }
}

}  // namespace atrous

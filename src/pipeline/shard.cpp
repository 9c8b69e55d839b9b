// SPDX-License-Identifier: Apache-2.0
#include "pipeline/shard.h"

#include <utility>

#include "core/error.h"
#include "core/value.h"

namespace atrous {
namespace {

using Variable = std::function<const char*(const char*)>;

constexpr std::int64_t kMostShards = 1'000'000;

std::int64_t read(const Variable& variable, const char* name) {
  const char* text = variable(name);
  if (text == nullptr) fail(ErrorCode::invalid_argument, "--shard auto: {} is not set", name);
  const auto value = parse_integer(text);
  if (!value || *value < 0 || *value > kMostShards)
    fail(ErrorCode::invalid_argument, "--shard auto: {}={} is no whole number from 0 to {}", name, text,
         kMostShards);
  return *value;
}

Shard checked(std::int64_t index, std::int64_t count, const std::string& source) {
  if (count < 1 || count > kMostShards || index < 1 || index > count)
    fail(ErrorCode::invalid_argument, "--shard: {} is not one of 1/N to N/N, with N up to {}", source,
         kMostShards);
  return {static_cast<int>(index), static_cast<int>(count)};
}

Shard find_shard(const Variable& variable) {
  if (variable("SLURM_ARRAY_TASK_ID") != nullptr) {
    const std::int64_t id = read(variable, "SLURM_ARRAY_TASK_ID"),
                       first = read(variable, "SLURM_ARRAY_TASK_MIN"),
                       count = read(variable, "SLURM_ARRAY_TASK_COUNT"),
                       step = variable("SLURM_ARRAY_TASK_STEP") ? read(variable, "SLURM_ARRAY_TASK_STEP") : 1;
    if (step < 1 || (id - first) % step != 0)
      fail(ErrorCode::invalid_argument,
           "--shard auto: SLURM_ARRAY_TASK_ID={} is none of the steps of {} from {} on", id, step, first);
    return checked((id - first) / step + 1, count,
                   fmt::format("task {} of a Slurm array of {} from {}", id, count, first));
  }
  if (variable("JOB_COMPLETION_INDEX") != nullptr) {
    const std::int64_t index = read(variable, "JOB_COMPLETION_INDEX"),
                       count = read(variable, "JOB_COMPLETIONS");
    return checked(index + 1, count, fmt::format("JOB_COMPLETION_INDEX={} of {}", index, count));
  }
  fail(ErrorCode::invalid_argument,
       "--shard auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set");
}

}  // namespace

Shard parse_shard(const std::string& text, const Variable& variable) {
  if (text == "auto") return find_shard(variable);
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto index = parse_integer(text.substr(0, slash)),
             count = parse_integer(slash < text.size() ? text.substr(slash + 1) : "");
  return checked(index.value_or(0), count.value_or(0), "'" + text + "'");
}

std::vector<InputFile> take_shard(std::vector<InputFile> inputs, const Shard& shard) {
  std::vector<InputFile> taken;
  for (auto i = static_cast<std::size_t>(shard.index - 1); i < inputs.size();
       i += static_cast<std::size_t>(shard.count))
    taken.push_back(std::move(inputs[i]));
  return taken;
}

std::string shard_file(const std::string& name, const Shard& shard, const std::string& ending) {
  if (shard.count == 1) return name + ending;
  return fmt::format("{}.{}-of-{}{}", name, shard.index, shard.count, ending);
}

}  // namespace atrous

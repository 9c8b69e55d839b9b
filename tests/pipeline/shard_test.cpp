// SPDX-License-Identifier: Apache-2.0
#include "pipeline/shard.h"

#include <gtest/gtest.h>

#include <map>

#include "core/error.h"

namespace atrous {
namespace {

using Variables = std::map<std::string, std::string>;

std::string parse(const std::string& text, const Variables& variables = {}) {
  try {
    const Shard shard = parse_shard(text, [&](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? nullptr : found->second.c_str();
    });
    return std::to_string(shard.index) + "/" + std::to_string(shard.count);
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Shard, ReadsWhatIsGiven) {
  EXPECT_EQ(parse("1/1"), "1/1");
  EXPECT_EQ(parse("3/12"), "3/12");
  for (const char* text : {"", "/", "0/2", "3/2", "1/0", "1", "x/2", "1/2/3", "1/9223372036854775807"})
    EXPECT_NE(parse(text).find(std::string("'") + text + "'"), std::string::npos) << parse(text);
}

TEST(Shard, ReadsTheVariablesOfSlurm) {
  Variables slurm{
      {"SLURM_ARRAY_TASK_ID", "0"}, {"SLURM_ARRAY_TASK_MIN", "0"}, {"SLURM_ARRAY_TASK_COUNT", "4"}};
  EXPECT_EQ(parse("auto", slurm), "1/4");
  slurm["SLURM_ARRAY_TASK_ID"] = "3";
  EXPECT_EQ(parse("auto", slurm), "4/4");
  EXPECT_EQ(parse("2/7", slurm), "2/7") << "only auto looks at them";
  slurm["SLURM_ARRAY_TASK_ID"] = "21", slurm["SLURM_ARRAY_TASK_MIN"] = "1",
  slurm["SLURM_ARRAY_TASK_STEP"] = "10";
  EXPECT_EQ(parse("auto", slurm), "3/4");
  slurm["SLURM_ARRAY_TASK_ID"] = "25";  // --array=1,11,25,31
  EXPECT_NE(parse("auto", slurm).find("SLURM_ARRAY_TASK_ID=25"), std::string::npos);
  slurm["SLURM_ARRAY_TASK_ID"] = "91";
  EXPECT_NE(parse("auto", slurm).find("task 91"), std::string::npos);
  slurm["SLURM_ARRAY_TASK_STEP"] = "0";
  EXPECT_NE(parse("auto", slurm).find("SLURM_ARRAY_TASK_ID"), std::string::npos);
}

TEST(Shard, ReadsTheVariablesOfKubernetes) {
  EXPECT_EQ(parse("auto", {{"JOB_COMPLETION_INDEX", "0"}, {"JOB_COMPLETIONS", "3"}}), "1/3");
  EXPECT_EQ(parse("auto", {{"JOB_COMPLETION_INDEX", "2"}, {"JOB_COMPLETIONS", "3"}}), "3/3");
  EXPECT_NE(parse("auto", {{"JOB_COMPLETION_INDEX", "3"}, {"JOB_COMPLETIONS", "3"}}).find("=3 of 3"),
            std::string::npos);
  EXPECT_NE(parse("auto", {{"JOB_COMPLETION_INDEX", "2"}}).find("JOB_COMPLETIONS is not set"),
            std::string::npos);
  EXPECT_NE(parse("auto", {{"JOB_COMPLETION_INDEX", "-2"}}).find("JOB_COMPLETION_INDEX=-2"),
            std::string::npos);
  EXPECT_NE(parse("auto").find("neither"), std::string::npos);
}

TEST(Shard, PartsAreDisjointAndWhole) {
  std::vector<InputFile> inputs;
  for (const char* name : {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}) inputs.push_back({name, name});
  for (int count : {1, 2, 3, 10, 12}) {
    std::multiset<std::string> seen;
    for (int index = 1; index <= count; ++index) {
      const std::vector<InputFile> part = take_shard(inputs, {index, count});
      EXPECT_LE(part.size(), (10U + static_cast<unsigned>(count) - 1) / static_cast<unsigned>(count));
      for (const InputFile& input : part) seen.emplace(input.file);
    }
    EXPECT_EQ(seen, (std::multiset<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  }
}

}  // namespace
}  // namespace atrous

// SPDX-License-Identifier: Apache-2.0
// The GPU benchmark (gpu.md): a JSON line a measurement on stdout, where it stands on stderr.
// Usage: gpu_bench NETWORKS.json [--dtype f16|bf16|f32] [--seconds N] [--groups ceiling,head,...]
//        gpu_bench --probe     only the line that describes the device; status 2 where there is none
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "backend/cuda/cuda_backend.h"
#include "core/error.h"
#include "gpu_suite.h"

namespace atrous::bench {
namespace {

struct Arguments {
  std::string networks;
  bool probe = false;
  Suite::Options options;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--probe") {
      arguments.probe = true;
      continue;
    }
    if (!option.starts_with("--")) {
      arguments.networks = option;
      continue;
    }
    if (i + 1 == argc) fail(ErrorCode::invalid_argument, "{} needs a value", option);
    const std::string value = argv[++i];
    if (option == "--dtype") {
      const std::map<std::string, DType> known{
          {"f16", DType::f16}, {"bf16", DType::bf16}, {"f32", DType::f32}};
      if (!known.contains(value)) fail(ErrorCode::invalid_argument, "--dtype takes f16, bf16 or f32");
      arguments.options.dtype = known.at(value);
    } else if (option == "--seconds") {
      arguments.options.seconds = parse_number(value).value_or(0);
    } else if (option == "--groups") {
      arguments.options.groups = value;
    } else {
      fail(ErrorCode::invalid_argument, "no option {}", option);
    }
  }
  if (arguments.networks.empty() && !arguments.probe)
    fail(ErrorCode::invalid_argument, "usage: gpu_bench NETWORKS.json [options]");
  return arguments;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) fail(ErrorCode::not_found, "{}: cannot be read", path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  Suite suite(make_cuda_backend(0), arguments.options, [](const nlohmann::ordered_json& line) {
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  });
  suite.describe_device();
  if (!arguments.probe) suite.run(read_networks(read_text(arguments.networks)));
}

}  // namespace
}  // namespace atrous::bench

int main(int argc, char** argv) {
  try {
    atrous::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_bench: %s\n", error.what());
    return 2;
  }
}

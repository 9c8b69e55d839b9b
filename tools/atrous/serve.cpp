// SPDX-License-Identifier: Apache-2.0
#include <malloc.h>

#include "commands.h"
#include "core/error.h"
#include "image/codec.h"
#include "interrupts.h"
#include "messages.h"
#include "model_run.h"
#include "options.h"
#include "server/segment_routes.h"

namespace atrous::cli {
namespace {

struct ServeCommand {
  ModelArguments model;
  SegmentArguments segment;
  DynamicBatchOptions batch{.batch = 4};
  std::string host = "127.0.0.1";
  int port = 8080, queue = 32, batch_wait = 2;
  double max_body = 32, timeout = 30;
  std::int64_t max_pixels = 25'000'000;
};

int serve(ServeCommand& arguments) {
  // Many threads decode and encode; each arena of theirs would keep what the largest image took.
  mallopt(M_ARENA_MAX, 2);
  const SegmentOptions options = arguments.segment.parse(arguments.model.threads);
  const std::vector<std::shared_ptr<const Model>> models = Model::open_on(
      arguments.batch.workers * arguments.batch.batch, arguments.model.model, arguments.model.options);
  arguments.batch.workers = std::max(arguments.batch.workers, static_cast<int>(models.size()));
  arguments.batch.wait = std::chrono::milliseconds(arguments.batch_wait);
  ServerMetrics metrics;
  SegmentService service(models, options, arguments.batch, arguments.max_pixels, metrics);

  const HttpLimits limits{static_cast<std::size_t>(arguments.max_body * (1 << 20)),
                          std::chrono::milliseconds(static_cast<int>(arguments.timeout * 1000)),
                          arguments.queue + arguments.batch.workers * arguments.batch.batch};
  constexpr int kMostUploads = 900;  // a thread and a socket each, of which a process has about 1024
  if (limits.uploads > kMostUploads)
    fail(ErrorCode::invalid_argument,
         "--queue, --batch and --workers: {} images at the same time, more than {}", limits.uploads,
         kMostUploads);
  HttpServer server(limits, [&](const HttpOutcome& outcome) { metrics.add_request(outcome); });
  const std::stop_token stopping = watch_interrupts();
  const auto is_stopping = [&] { return stopping.stop_requested(); };
  add_routes(server, service, metrics, is_stopping);

  const int port = server.bind(arguments.host, arguments.port);
  const bool is_v6 = arguments.host.find(':') != std::string::npos;
  say(fmt::format("{} on {}: http://{}:{}", models.front()->config().name, describe_devices(models),
                  is_v6 ? "[" + arguments.host + "]" : arguments.host, port));
  server.serve(is_stopping);
  return kDone;
}

}  // namespace

void add_serve(CLI::App& app, Run& run) {
  auto arguments = std::make_shared<ServeCommand>();
  CLI::App* command = app.add_subcommand("serve", "label maps over HTTP: POST an image, get its mask");
  command->add_option("--host", arguments->host, "address to listen at; 0.0.0.0: other machines reach it")
      ->capture_default_str();
  command->add_option("--port", arguments->port, "0: a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  arguments->model.add_to(*command, false);
  arguments->segment.add_to(*command);
  command->add_option("--batch", arguments->batch.batch, "images of one size a run of the network, at most")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--batch-wait", arguments->batch_wait,
                   "milliseconds an image waits for others of its size")
      ->check(CLI::Range(0, 10000))
      ->capture_default_str();
  command
      ->add_option("--workers", arguments->batch.workers, "batches at the same time; they share the threads")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command
      ->add_option("--queue", arguments->queue,
                   "images that may be received or wait beside those in work; more are answered 503")
      ->check(CLI::Range(0, 900))
      ->capture_default_str();
  command->add_option("--max-body", arguments->max_body, "MiB an image's file may have")
      ->check(real_range(0.001, 2047.0))
      ->capture_default_str();
  command->add_option("--max-pixels", arguments->max_pixels, "pixels an image may have")
      ->check(CLI::Range(std::int64_t{1}, kMostImagePixels))
      ->capture_default_str();
  command
      ->add_option("--timeout", arguments->timeout,
                   "seconds from a connection's start to its answer, and again for the client to take that")
      ->check(real_range(0.1, 86400.0))
      ->capture_default_str();
  command->callback([arguments, &run] { run = [arguments] { return serve(*arguments); }; });
}

}  // namespace atrous::cli

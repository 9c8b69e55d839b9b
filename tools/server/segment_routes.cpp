// SPDX-License-Identifier: Apache-2.0
#include "segment_routes.h"

namespace atrous::cli {
namespace {

constexpr const char* kUsage =
    "POST /v1/segment    an image (the body, or the part image of a form) -> its mask, an indexed PNG\n"
    "    ?output=        mask, overlay, color, probs (NumPy), rle (COCO), polygons (GeoJSON)\n"
    "GET  /v1/model      name, labels, palette and input of the model\n"
    "GET  /healthz       is the program alive?      GET /readyz   does it take images?\n"
    "GET  /metrics       counts and times for Prometheus\n"
    "curl --data-binary @photo.jpg http://HOST:PORT/v1/segment > mask.png\n";

HttpAnswer plain(const char* text) { return {200, "text/plain", text}; }

}  // namespace

void add_routes(HttpServer& server, SegmentService& service, const ServerMetrics& metrics,
                std::function<bool()> is_stopping) {
  server.get("/", [] { return plain(kUsage); });
  server.get("/healthz", [] { return plain("ok\n"); });
  server.get("/readyz", [is_stopping = std::move(is_stopping)] {
    return is_stopping() ? refuse(503, "the server is stopping") : plain("ready\n");
  });
  server.get("/v1/model", [&] { return service.describe_model(); });
  server.get("/metrics", [&] {
    return HttpAnswer{200, ServerMetrics::kType, metrics.text(server.uploads(), service.waiting())};
  });
  server.post("/v1/segment", [&](HttpUpload upload) { return service.segment(std::move(upload)); });
}

}  // namespace atrous::cli

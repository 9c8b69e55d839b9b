// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "http_server.h"
#include "segment_service.h"
#include "server_metrics.h"

namespace atrous::cli {

/// Every path of `atrous serve`. What it is given must outlive the server; `is_stopping` is asked from many
/// threads.
void add_routes(HttpServer& server, SegmentService& service, const ServerMetrics& metrics,
                std::function<bool()> is_stopping);

}  // namespace atrous::cli

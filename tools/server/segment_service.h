// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http_server.h"
#include "pipeline/dynamic_batcher.h"
#include "pipeline/outputs.h"
#include "server_metrics.h"

namespace atrous::cli {

/// What stands behind POST /v1/segment and GET /v1/model. Thread-safe.
class SegmentService {
 public:
  /// `models`: one model, once a device. `metrics` must outlive it. Throws what Segmenter throws.
  SegmentService(const std::vector<std::shared_ptr<const Model>>& models, const SegmentOptions& segment,
                 const DynamicBatchOptions& batch, std::int64_t most_pixels, ServerMetrics& metrics);

  /// The photo as the output kind that the query names, byte for byte what `atrous segment` writes for a
  /// photo of that file name ("image" where the upload has none).
  HttpAnswer segment(HttpUpload upload);
  HttpAnswer describe_model() const;
  std::size_t waiting() const { return batcher_.waiting(); }

 private:
  HttpAnswer answer(HttpUpload upload, const OutputKind& kind);

  const Model& model_;
  std::int64_t most_pixels_;
  ServerMetrics& metrics_;
  DynamicBatcher batcher_;
};

}  // namespace atrous::cli

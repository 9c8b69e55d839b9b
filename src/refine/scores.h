// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/image.h"

namespace atrous {

/// softmax(-U), or the softmax of logits where `sign` is 1.
ScoreMap softmax_of(ScoreMap scores, float sign);

/// U = -log max(p, 1e-5).
ScoreMap unary_from_probabilities(ScoreMap probabilities);
/// U = -log max(softmax(logits), 1e-5).
ScoreMap unary_from_logits(ScoreMap logits);

/// The best class of every pixel; the lowest id wins a tie.
LabelMap argmax(const ScoreMap& scores);

}  // namespace atrous

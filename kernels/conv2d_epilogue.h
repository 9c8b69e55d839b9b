// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/activate.h"
#include "kernels/conv2d_problem.h"
#include "kernels/items.h"
#include "kernels/packs.h"

/// What every convolution kernel does with a finished sum: out = act(sum + bias + residual), rounded once.
namespace atrous::cuda {

template <typename T>
struct Epilogue {
  const float* bias = nullptr;  ///< [oc], or null
  const T* residual = nullptr;  ///< or null
  T* out = nullptr;
  std::int64_t residual_pitch = 0, out_pitch = 0;
  int oc = 0;
  bool vector_residual = false, vector_out = false;  ///< 16-byte accesses are aligned
  ActivationParams activation;
};

/// values[i] = from[i] for i < count, else 0. `vector`: load_floats() may be used.
template <int V, typename T>
ATROUS_DEVICE void load_channels(const T* from, bool vector, int count, float (&values)[V]) {
  if (vector && count >= V)
    load_floats<V>(from, values);
  else
    for (int i = 0; i < V; ++i) values[i] = i < count ? to_float(from[i]) : 0;
}

/// to[i] = values[i] for i < count.
template <int V, typename T>
ATROUS_DEVICE void store_channels(T* to, bool vector, int count, const float (&values)[V]) {
  if (vector && count >= V)
    store_floats<V>(to, values);
  else
    for (int i = 0; i < V; ++i)
      if (i < count) to[i] = from_float<T>(values[i]);
}

/// Finishes V neighbouring channels of one pixel; those past the last are dropped. `channel` is a multiple of
/// V.
template <int V, typename T>
ATROUS_DEVICE void finish(const Epilogue<T>& e, std::int64_t pixel, int channel, float (&values)[V]) {
  const int count = e.oc - channel;
  float term[V];
  if (e.bias != nullptr) {
    load_channels(e.bias + channel, true, count, term);
    for (int i = 0; i < V; ++i) values[i] += term[i];
  }
  if (e.residual != nullptr) {
    load_channels(e.residual + pixel * e.residual_pitch + channel, e.vector_residual, count, term);
    for (int i = 0; i < V; ++i) values[i] += term[i];
  }
  activate(e.activation, values);
  store_channels(e.out + pixel * e.out_pitch + channel, e.vector_out, count, values);
}

template <typename T>
Epilogue<T> make_epilogue(const Conv2dProblem& problem, const Conv2dAddresses& at) {
  Epilogue<T> e;
  e.bias = at.bias;
  e.residual = problem.params.has_residual ? static_cast<const T*>(at.residual) : nullptr;
  e.out = static_cast<T*>(at.out);
  e.residual_pitch = problem.residual.pitch, e.out_pitch = problem.out.pitch;
  e.oc = problem.params.oc;
  e.vector_residual = pixels_aligned(problem.residual), e.vector_out = pixels_aligned(problem.out);
  e.activation = problem.params.activation;
  return e;
}

}  // namespace atrous::cuda

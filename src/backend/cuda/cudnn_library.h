// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cudnn.h>

#include <string>
#include <utility>

/// cuDNN 9, loaded while the program runs and never linked: a machine without it lacks these convolutions and
/// nothing else.
namespace atrous::cudnn {

#define ATROUS_CUDNN_FUNCTIONS(X)           \
  X(cudnnGetVersion)                        \
  X(cudnnGetErrorString)                    \
  X(cudnnGetLastErrorString)                \
  X(cudnnCreate)                            \
  X(cudnnDestroy)                           \
  X(cudnnSetStream)                         \
  X(cudnnCreateTensorDescriptor)            \
  X(cudnnDestroyTensorDescriptor)           \
  X(cudnnSetTensor4dDescriptorEx)           \
  X(cudnnCreateFilterDescriptor)            \
  X(cudnnDestroyFilterDescriptor)           \
  X(cudnnSetFilter4dDescriptor)             \
  X(cudnnCreateActivationDescriptor)        \
  X(cudnnDestroyActivationDescriptor)       \
  X(cudnnSetActivationDescriptor)           \
  X(cudnnCreateConvolutionDescriptor)       \
  X(cudnnDestroyConvolutionDescriptor)      \
  X(cudnnSetConvolution2dDescriptor)        \
  X(cudnnSetConvolutionGroupCount)          \
  X(cudnnSetConvolutionMathType)            \
  X(cudnnGetConvolutionForwardAlgorithm_v7) \
  X(cudnnConvolutionForward)                \
  X(cudnnConvolutionBiasActivationForward)

/// The functions under their own names; all null where `why_none` is not empty.
struct Library {
  std::string why_none;
  std::string version;  ///< "9.19.0"
#define ATROUS_CUDNN_POINTER(name) decltype(&::name) name = nullptr;
  ATROUS_CUDNN_FUNCTIONS(ATROUS_CUDNN_POINTER)
#undef ATROUS_CUDNN_POINTER
};

/// The library that $ATROUS_CUDNN names (a file, or the folder it is in); else libcudnn.so.9 where the loader
/// finds it; else where Python's package nvidia-cudnn put it below $VIRTUAL_ENV or $CONDA_PREFIX. Loaded at
/// the first call and never unloaded.
const Library& library();

/// Throws Error{internal} in cuDNN's words where `status` is no success.
void check(cudnnStatus_t status, const char* doing);

/// Something that cuDNN creates and destroys: a handle or a descriptor.
template <typename T, auto create, auto destroy>
class Owned {
 public:
  Owned() { check((library().*create)(&value_), "creating a handle or descriptor"); }
  Owned(Owned&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Owned& operator=(Owned&&) = delete;
  ~Owned() {
    if (value_ != nullptr) (library().*destroy)(value_);
  }
  operator T() const { return value_; }  // NOLINT: stands for what it owns

 private:
  T value_ = nullptr;
};

using Handle = Owned<cudnnHandle_t, &Library::cudnnCreate, &Library::cudnnDestroy>;
using TensorDescriptor = Owned<cudnnTensorDescriptor_t, &Library::cudnnCreateTensorDescriptor,
                               &Library::cudnnDestroyTensorDescriptor>;
using FilterDescriptor = Owned<cudnnFilterDescriptor_t, &Library::cudnnCreateFilterDescriptor,
                               &Library::cudnnDestroyFilterDescriptor>;
using ActivationDescriptor = Owned<cudnnActivationDescriptor_t, &Library::cudnnCreateActivationDescriptor,
                                   &Library::cudnnDestroyActivationDescriptor>;
using ConvolutionDescriptor = Owned<cudnnConvolutionDescriptor_t, &Library::cudnnCreateConvolutionDescriptor,
                                    &Library::cudnnDestroyConvolutionDescriptor>;

}  // namespace atrous::cudnn

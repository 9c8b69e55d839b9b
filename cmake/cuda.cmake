# Enables CUDA where nvcc is found; sets ATROUS_HAVE_CUDA. The CUDA kernels are also compiled as C++ for the tests, which
# needs none of this.
set(ATROUS_CUDA AUTO CACHE STRING "CUDA backend: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE ATROUS_CUDA PROPERTY STRINGS AUTO ON OFF)
set(ATROUS_CUDA_ARCHITECTURES "75-real;80-real;86-real;89-real;90a-real;90-virtual" CACHE STRING
    "CUDA architectures as CMake names them; one without -real also gets PTX for what comes after; 90a has wgmma")
set(ATROUS_HAVE_CUDA OFF)
set(ATROUS_HAVE_CUDNN OFF)
set(ATROUS_CUDNN_SOURCES "/cudnn_(library|convolution|choice|conv2d).cpp$")  # that need the headers; else cudnn_none.cpp

set(cuda_refused "")
if(ATROUS_CUDA STREQUAL "OFF")
  set(cuda_refused "ATROUS_CUDA is OFF")
elseif(ATROUS_SANITIZE)
  set(cuda_refused "nvcc has no sanitizers; kernels run on the CPU in the tests")
else()
  find_program(ATROUS_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT ATROUS_NVCC AND NOT CMAKE_CUDA_COMPILER)
    set(cuda_refused "nvcc was not found; name it with -DATROUS_NVCC=PATH")
  endif()
endif()

if(cuda_refused STREQUAL "")
  if(NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${ATROUS_NVCC})
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${ATROUS_CUDA_ARCHITECTURES})
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake before 3.25.2 does not know that nvcc speaks C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  find_package(CUDAToolkit REQUIRED)
  if(CCACHE_PROGRAM)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  endif()
  # Only cuDNN's headers are needed: the library is looked for when a program runs.
  find_path(ATROUS_CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS} ENV CUDNN_PATH PATH_SUFFIXES include
            DOC "Where cuDNN 9's headers are; without them no convolution runs on cuDNN")
  if(ATROUS_CUDNN_INCLUDE_DIR)
    file(STRINGS ${ATROUS_CUDNN_INCLUDE_DIR}/cudnn_version.h cudnn_major REGEX "define CUDNN_MAJOR 9$")
    if(cudnn_major)
      set(ATROUS_HAVE_CUDNN ON)
    endif()
  endif()
  set(ATROUS_HAVE_CUDA ON)
  message(STATUS "CUDA backend: yes, nvcc ${CMAKE_CUDA_COMPILER_VERSION}, architectures ${ATROUS_CUDA_ARCHITECTURES}, cuDNN headers ${ATROUS_HAVE_CUDNN}")
elseif(ATROUS_CUDA STREQUAL "ON")
  message(FATAL_ERROR "CUDA backend: ATROUS_CUDA is ON, but ${cuda_refused}")
else()
  message(STATUS "CUDA backend: no (${cuda_refused})")
endif()

# atrous_cuda_options(TARGET): how nvcc compiles our kernels. A kernel that spills registers is warned about, and fails the
# build where warnings are errors.
function(atrous_cuda_options target)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=-warn-spills -Xcompiler=-Wall,-Wextra
      $<$<BOOL:${ATROUS_WERROR}>:--Werror=all-warnings>>)
  if(ATROUS_CUDA_ARCHITECTURES MATCHES "90a")
    target_compile_definitions(${target} PRIVATE ATROUS_SM90A)
  endif()
endfunction()

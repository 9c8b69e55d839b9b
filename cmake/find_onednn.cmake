# oneDNN as the target onednn. Its own CMake package asks for OpenCL on Debian, which the CPU backend does not use.
find_path(ONEDNN_INCLUDE_DIR dnnl.hpp HINTS ${ATROUS_ONEDNN_ROOT} PATH_SUFFIXES include REQUIRED)
find_library(ONEDNN_LIBRARY dnnl HINTS ${ATROUS_ONEDNN_ROOT} PATH_SUFFIXES lib REQUIRED)
add_library(onednn INTERFACE)
target_include_directories(onednn SYSTEM INTERFACE ${ONEDNN_INCLUDE_DIR})
target_link_libraries(onednn INTERFACE ${ONEDNN_LIBRARY})

# Options every target of ours shares, as the interface target atrous_options.
add_library(atrous_options INTERFACE)
target_compile_features(atrous_options INTERFACE cxx_std_20)
target_compile_options(atrous_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Wno-missing-field-initializers
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-stringop-overflow>>  # GCC 12 warns about its own headers
  $<$<AND:$<BOOL:${ATROUS_WERROR}>,$<COMPILE_LANGUAGE:C,CXX>>:-Werror>)
if(ATROUS_SANITIZE)
  target_compile_options(atrous_options INTERFACE -fsanitize=${ATROUS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  if(ATROUS_SANITIZE MATCHES address)
    # seen anyway; a fifth of the compiler's time
    target_compile_options(atrous_options INTERFACE -fno-sanitize=null,object-size)
  endif()
  target_link_options(atrous_options INTERFACE -fsanitize=${ATROUS_SANITIZE})
  target_compile_definitions(atrous_options INTERFACE ATROUS_SANITIZED=1)
endif()

# atrous_gpu_program(TARGET): with ATROUS_SELF_CONTAINED it needs no shared library beyond glibc's; cuDNN and the driver are
# loaded at run time.
function(atrous_gpu_program target)
  if(ATROUS_SELF_CONTAINED)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -Wl,--as-needed,--gc-sections)
  endif()
endfunction()

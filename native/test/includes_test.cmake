# Tests which folder of src/ includes which, so that arrows point down only: what all operations stand on knows none of
# them, and an operation knows another only where that is written here.
#      cmake -P includes_test.cmake
cmake_minimum_required(VERSION 3.18)
set(src ${CMAKE_CURRENT_LIST_DIR}/../src)

set(base runtime simd shared)  # each may include those before it and itself; vertebra.h is everyone's
set(convolution_includes gemm)  # whose tiles multiply between its transforms

set(failed FALSE)
file(GLOB_RECURSE files RELATIVE ${src} ${src}/*.h ${src}/*.cc)
foreach(file ${files})
  string(REGEX REPLACE "/.*" "" folder ${file})
  list(FIND base ${folder} place)
  if(place EQUAL -1)
    set(allowed ${base} ${${folder}_includes})
  else()
    list(SUBLIST base 0 ${place} allowed)
  endif()
  file(STRINGS ${src}/${file} includes REGEX "^#include \"")
  foreach(include ${includes})
    string(REGEX REPLACE "^#include \"([^/\"]*).*" "\\1" included ${include})
    if(NOT included IN_LIST allowed AND NOT included STREQUAL folder AND NOT included STREQUAL "vertebra.h")
      message("src/${file}: ${include} points up")
      set(failed TRUE)
    endif()
  endforeach()
endforeach()
if(failed OR NOT files)
  message(FATAL_ERROR "${src}: includes must point down")
endif()

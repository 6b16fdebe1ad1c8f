# A test that clang-format and the limit of 120 columns, which it does not hold comments to, find nothing in C++ and
# CUDA sources. Other versions than 14 format differently.
include(${CMAKE_CURRENT_LIST_DIR}/RequireDebianPackage.cmake)
find_program(VERTEBRA_CLANG_FORMAT clang-format-14)
if(NOT VERTEBRA_CLANG_FORMAT)
  vertebra_require_debian_package("clang-format 14" clang-format-14)
  find_program(VERTEBRA_CLANG_FORMAT clang-format-14 REQUIRED)
endif()

# Adds the test, of all sources below these folders.
function(vertebra_add_format_test)
  foreach(folder ${ARGN})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${folder}/*.h ${folder}/*.cc ${folder}/*.cuh ${folder}/*.cu)
    list(APPEND sources ${found})
  endforeach()
  add_test(NAME format COMMAND ${VERTEBRA_CLANG_FORMAT} --dry-run -Werror ${sources})
  add_test(NAME line_length COMMAND grep -nE "^.{121}" ${sources})
  set_tests_properties(line_length PROPERTIES WILL_FAIL ON)
endfunction()

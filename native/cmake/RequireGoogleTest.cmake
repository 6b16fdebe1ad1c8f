# Finds GoogleTest for the native tests.
include(${CMAKE_CURRENT_LIST_DIR}/RequireDebianPackage.cmake)
find_package(GTest QUIET)
if(NOT GTest_FOUND)
  vertebra_require_debian_package(GoogleTest libgtest-dev)
  find_package(GTest REQUIRED)
endif()

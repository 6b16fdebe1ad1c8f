# Finds GoogleTest for the native tests; where it is missing, installs it if the user is root (as in a container) and
# has apt-get, and otherwise says how.
find_package(GTest QUIET)
if(NOT GTest_FOUND)
  set(install "apt-get install -y libgtest-dev")
  find_program(APT_GET apt-get)
  execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT APT_GET OR NOT user STREQUAL "0")
    message(FATAL_ERROR "GoogleTest is missing; the native tests need it. Install it: sudo ${install}")
  endif()
  message(STATUS "GoogleTest is missing: running ${install}")
  execute_process(COMMAND sh -c "apt-get -qq update && DEBIAN_FRONTEND=noninteractive ${install}"
      RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "GoogleTest is missing, and installing it failed (${install}):\n${output}")
  endif()
  find_package(GTest REQUIRED)
endif()

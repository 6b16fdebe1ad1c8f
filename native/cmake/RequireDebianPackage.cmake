# Installs a Debian package that the native tests need if the user is root (as in a container) and has apt-get, and
# otherwise says how. `name` is what people call what is in it.
function(vertebra_require_debian_package name package)
  set(install "apt-get install -y ${package}")
  find_program(APT_GET apt-get)
  execute_process(COMMAND id -u OUTPUT_VARIABLE user OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT APT_GET OR NOT user STREQUAL "0")
    message(FATAL_ERROR "${name} is missing; the native tests need it. Install it: sudo ${install}")
  endif()
  message(STATUS "${name} is missing: running ${install}")
  execute_process(COMMAND sh -c "apt-get -qq update && DEBIAN_FRONTEND=noninteractive ${install}"
      RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${name} is missing, and installing it failed (${install}):\n${output}")
  endif()
endfunction()

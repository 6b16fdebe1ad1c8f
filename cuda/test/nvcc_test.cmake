# Which nvcc the build takes, and what it says of one that it does not: cmake -P nvcc_test.cmake
include(${CMAKE_CURRENT_LIST_DIR}/../cmake/Nvcc.cmake)

set(folder ${CMAKE_CURRENT_BINARY_DIR}/nvcc_test)
set(ENV{PATH} "${folder}:$ENV{PATH}")

# Puts an nvcc of this version on the PATH that compiles by this shell command.
function(nvcc version compiles)
  file(WRITE ${folder}/nvcc "#!/bin/sh
if [ \"$1\" = --version ]; then echo 'Cuda compilation tools, release ${version}, V${version}.1'; exit; fi
${compiles}
")
  file(CHMOD ${folder}/nvcc PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endfunction()

function(expect_reason text)
  vertebra_find_nvcc()
  if(VERTEBRA_FATBIN OR NOT VERTEBRA_NO_FATBIN MATCHES "${text}")
    message(SEND_ERROR "not taken for '${text}': '${VERTEBRA_FATBIN}', '${VERTEBRA_NO_FATBIN}'")
  endif()
endfunction()

nvcc(11.8 true)
expect_reason("^${folder}/nvcc is of CUDA 11.8, and the kernels need 12.0$")
nvcc(12.0 "echo a note; echo '#error -- unsupported GNU version!' >&2; exit 1")
expect_reason("^${folder}/nvcc 12.0 is unusable: #error -- unsupported GNU version!$")
nvcc(12.0 "exit 3")
expect_reason("^${folder}/nvcc 12.0 is unusable: 3$")
file(WRITE ${folder}/nvcc "#!/bin/sh\nexit 0\n")
expect_reason("^${folder}/nvcc of unknown version is unusable: nvcc --version tells none$")
set(CMAKE_IGNORE_PATH ${folder} /usr/local/cuda/bin /usr/local/bin /usr/bin)
expect_reason("^there is no nvcc on the PATH$")
unset(CMAKE_IGNORE_PATH)

nvcc(12.4 true)
vertebra_find_nvcc()
if(NOT VERTEBRA_NVCC STREQUAL ${folder}/nvcc OR NOT VERTEBRA_NVCC_VERSION STREQUAL 12.4 OR NOT VERTEBRA_FATBIN)
  message(SEND_ERROR "not taken: '${VERTEBRA_NVCC}', '${VERTEBRA_NVCC_VERSION}', '${VERTEBRA_FATBIN}'")
endif()
file(REMOVE_RECURSE ${folder})

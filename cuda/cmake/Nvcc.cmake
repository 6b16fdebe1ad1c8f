# Finds an nvcc that can compile the kernels. Sets in the caller's scope
#   VERTEBRA_NVCC          its path
#   VERTEBRA_NVCC_VERSION  such as 13.0
#   VERTEBRA_FATBIN        the command that makes a fat binary, but for -o FILE SOURCE; empty if there is none
#   VERTEBRA_NO_FATBIN     why there is none, in one line
function(vertebra_find_nvcc)
  # The PATH of now counts, not that of an earlier configuration.
  unset(VERTEBRA_NVCC CACHE)
  find_program(VERTEBRA_NVCC nvcc PATHS /usr/local/cuda/bin)
  set(VERTEBRA_FATBIN "" PARENT_SCOPE)
  if(NOT VERTEBRA_NVCC)
    set(VERTEBRA_NO_FATBIN "there is no nvcc on the PATH" PARENT_SCOPE)
    return()
  endif()

  set(version "of unknown version")
  execute_process(COMMAND ${VERTEBRA_NVCC} --version
      OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
  if(output MATCHES "release ([0-9]+\\.[0-9]+)")
    set(version ${CMAKE_MATCH_1})
    if(version VERSION_LESS 12.0)
      set(VERTEBRA_NO_FATBIN "${VERTEBRA_NVCC} is of CUDA ${version}, and the kernels need 12.0" PARENT_SCOPE)
      return()
    endif()
    # Machine code for sm_80 and sm_90, and PTX that drivers compile for what came later. A spilled register is an
    # error.
    set(fatbin ${VERTEBRA_NVCC} -std=c++17 -O3 -lineinfo -gencode arch=compute_80,code=sm_80
        -gencode arch=compute_90,code=[sm_90,compute_90] --threads 0 -Xptxas -v,-warn-spills -Werror all-warnings
        -Xfatbin -compress-all -fatbin)
    # It may dislike the host's compiler, or lack a part of its own.
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/probe)
    file(WRITE ${probe}.cu "__global__ void probe(float* x) {\n  x[threadIdx.x] += 1;\n}\n")
    execute_process(COMMAND ${fatbin} -o ${probe}.fatbin ${probe}.cu
        OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
  elseif(NOT failed)
    set(failed "nvcc --version tells none")
  endif()
  if(failed)
    string(STRIP "${output}" output)
    if(output MATCHES "[^\n]*([Ee]rror|fatal)[^\n]*")
      set(failed "${CMAKE_MATCH_0}")
    elseif(output MATCHES "[^\n]+")
      set(failed "${CMAKE_MATCH_0}")
    endif()
    set(VERTEBRA_NO_FATBIN "${VERTEBRA_NVCC} ${version} is unusable: ${failed}" PARENT_SCOPE)
    return()
  endif()
  set(VERTEBRA_NVCC_VERSION ${version} PARENT_SCOPE)
  set(VERTEBRA_FATBIN ${fatbin} PARENT_SCOPE)
endfunction()

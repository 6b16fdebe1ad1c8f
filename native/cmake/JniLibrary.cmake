# JNI libraries by JavaCPP: its C++ and the objects beside it as one library that shows JNI functions alone.
set(VERTEBRA_JNI_DIR "" CACHE PATH "Folder of JavaCPP's generated jni*.cpp; empty: no JNI library")
set(VERTEBRA_JAVA_HOME "" CACHE PATH "JDK whose jni.h the JNI library is compiled against")
set(VERTEBRA_JNI_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/jni_exports.map)

# Adds a library of this name, if a folder of generated sources was given.
function(vertebra_add_jni_library target)
  if(NOT VERTEBRA_JNI_DIR)
    return()
  endif()
  # Copied only when their text changed: JavaCPP writes them anew at every build.
  foreach(name jnijavacpp ${target})
    configure_file(${VERTEBRA_JNI_DIR}/${name}.cpp jni/${name}.cpp COPYONLY)
  endforeach()
  add_library(${target} SHARED
      ${CMAKE_CURRENT_BINARY_DIR}/jni/jnijavacpp.cpp ${CMAKE_CURRENT_BINARY_DIR}/jni/${target}.cpp)
  target_include_directories(${target} SYSTEM PRIVATE ${VERTEBRA_JAVA_HOME}/include ${VERTEBRA_JAVA_HOME}/include/linux)
  target_link_libraries(${target} PRIVATE ${ARGN})
  # What nothing calls goes: parts of libstdc++ ask for a newer glibc than anything here does.
  target_link_options(${target} PRIVATE -Wl,--version-script=${VERTEBRA_JNI_EXPORTS} -Wl,--gc-sections -static-libstdc++
      -static-libgcc -s)
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${VERTEBRA_JNI_EXPORTS})
endfunction()

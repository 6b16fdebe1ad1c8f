# JNI libraries by JavaCPP: its C++ and the objects beside it as one library that shows JNI functions alone.
set(VERTEBRA_JNI_DIR "" CACHE PATH "Folder of JavaCPP's generated jni*.cpp; empty: no JNI library")
set(VERTEBRA_JAVA_HOME "" CACHE PATH "JDK whose jni.h the JNI library is compiled against")
set(VERTEBRA_JNI_EXPORTS ${CMAKE_CURRENT_LIST_DIR}/jni_exports.map)
set(VERTEBRA_GLIBC_FLOOR ${CMAKE_CURRENT_LIST_DIR}/glibc_floor.cc)
set(VERTEBRA_CHECK_SYMBOLS ${CMAKE_CURRENT_LIST_DIR}/CheckSymbols.cmake)

# Makes a library start on glibc 2.28 or later (RHEL 8, Debian 10, Ubuntu 20.04), wherever it was built, and holds it to
# that. Not on older ones: expf, exp2f and their results are of 2.27, and no supported distribution is older.
function(vertebra_glibc_floor target)
  if(VERTEBRA_SANITIZE)
    return() # a sanitizer puts itself in the place of the same functions
  endif()
  target_sources(${target} PRIVATE ${VERTEBRA_GLIBC_FLOOR})
  foreach(symbol dlclose dlerror dlopen dlsym pthread_create pthread_join pthread_once pthread_sigmask
      __pthread_key_create pthread_setname_np fstat64 __libc_single_threaded _dl_find_object)
    target_link_options(${target} PRIVATE -Wl,--wrap=${symbol})
  endforeach()
  # Where these functions live on old systems; on new ones the two are empty, and so not linked unless forced to.
  target_link_libraries(${target} PRIVATE -Wl,--push-state,--no-as-needed -l:libpthread.so.0 -l:libdl.so.2
      -Wl,--pop-state)
  add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:${target}> -DREADELF=${CMAKE_READELF}
      -P ${VERTEBRA_CHECK_SYMBOLS})
endfunction()

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
  vertebra_glibc_floor(${target})
endfunction()

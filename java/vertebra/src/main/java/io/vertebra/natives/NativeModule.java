package io.vertebra.natives;

/**
 * What a module of native libraries provides, so that it is there wherever the module that uses it is: nothing in it is
 * called, its libraries are found as resources, and without this no other module would name it.
 */
public interface NativeModule {}

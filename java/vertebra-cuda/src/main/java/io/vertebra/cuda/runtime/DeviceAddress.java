package io.vertebra.cuda.runtime;

import jcuda.driver.CUdeviceptr;

/** A device address as JCuda wants it, made from a number and read as one. */
final class DeviceAddress extends CUdeviceptr {
  private static final CUdeviceptr NULL = new CUdeviceptr();

  /** Room for an address that a call is to give. */
  DeviceAddress() {}

  DeviceAddress(long address) {
    super(NULL, address);
  }

  long value() {
    return getNativePointer() + getByteOffset();
  }
}

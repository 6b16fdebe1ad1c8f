package io.vertebra.cuda;

import io.vertebra.backend.Backend;
import io.vertebra.backend.BackendProvider;
import io.vertebra.cuda.runtime.DriverRuntime;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.natives.JavaCpp;
import io.vertebra.tensor.Precision;

/** NVIDIA GPUs, and the emulator of one. */
public final class CudaDevices implements BackendProvider {
  @Override
  public Backend open(String device, Precision precision) {
    CudaBackend.typeOf(precision); // refuses before it looks for a driver
    JavaCpp.requireLoaderOf(CudaDevices.class);
    if (device.equals("cuda-emulated")) {
      return new CudaBackend(new EmulatedRuntime(), precision);
    }
    int colon = device.indexOf(':');
    return new CudaBackend(new DriverRuntime(colon < 0 ? 0 : Integer.parseInt(device.substring(colon + 1))), precision);
  }
}

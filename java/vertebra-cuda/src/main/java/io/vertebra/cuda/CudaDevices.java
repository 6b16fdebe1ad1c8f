package io.vertebra.cuda;

import io.vertebra.Device;
import io.vertebra.DeviceProvider;
import io.vertebra.Precision;
import io.vertebra.cuda.runtime.DriverRuntime;
import io.vertebra.cuda.runtime.EmulatedRuntime;
import io.vertebra.program.Backend;

/** NVIDIA GPUs, and the emulator of one. */
public final class CudaDevices implements DeviceProvider {
  @Override
  public Backend open(Device device, Precision precision) {
    CudaBackend.typeOf(precision); // refuses before it looks for a driver
    if (device.equals(Device.cudaEmulated())) {
      return new CudaBackend(new EmulatedRuntime(), precision);
    }
    int colon = device.name().indexOf(':');
    return new CudaBackend(new DriverRuntime(colon < 0 ? 0 : Integer.parseInt(device.name().substring(colon + 1))),
        precision);
  }
}

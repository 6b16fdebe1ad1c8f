package io.vertebra.cli;

import io.vertebra.Device;
import io.vertebra.Model;
import io.vertebra.backend.Backend;
import io.vertebra.tensor.Precision;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Where and how to compute. */
final class BackendOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(names = "--device", paramLabel = "cpu|reference|cuda[:N]|cuda-emulated", defaultValue = "cpu",
      converter = DeviceName.class,
      description = "Where to run: cpu, the kernels for this machine; reference, slow and in double precision; cuda or"
          + " cuda:N, an NVIDIA GPU; cuda-emulated, the GPU's kernels on the CPU, which is very slow; default:"
          + " ${DEFAULT-VALUE}.")
  private Device device;

  @Option(names = "--precision", paramLabel = "fp32|tf32|fp16|bf16|int8", defaultValue = "fp32",
      description = "Arithmetic: fp32; bf16, faster where the CPU has AVX-512 BF16 or AMX, and on GPUs, and accurate to"
          + " about 1 %%; int8, faster where the CPU has AVX-512 VNNI, accurate to a few percent; on GPUs also tf32 and"
          + " fp16, accurate to about 0.1 %%; default: ${DEFAULT-VALUE}.")
  private Precision precision;

  @Option(names = "--threads", paramLabel = "N", defaultValue = "0",
      description = "Threads of one operation on the CPU; default: as many as CPUs this process may use.")
  private int threads;

  private boolean warned;

  private static final class DeviceName implements ITypeConverter<Device> {
    @Override
    public Device convert(String name) {
      try {
        return new Device(name);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  Backend open() {
    warn();
    return device.open(threads, precision);
  }

  Model open(Model.Builder model) {
    warn();
    return model.device(device).precision(precision).threads(threads).build();
  }

  private void warn() {
    if (isEmulated() && !warned) {
      warned = true;
      command.commandLine().getErr()
          .println("warning: cuda-emulated runs a GPU's threads one after the other on the CPU; it is slow");
    }
  }

  /** Whether the device is of CUDA, emulated or not. */
  boolean isCuda() {
    return device.name().startsWith("cuda");
  }

  boolean isEmulated() {
    return device.equals(Device.cudaEmulated());
  }

  /** What the device can do at best. For the reference, which is not to be fast, that is what the CPU can. */
  Roofline roofline() {
    try (Backend backend = (device.equals(Device.REFERENCE) ? Device.CPU : device).open(threads, precision)) {
      return Roofline.measure(backend);
    }
  }

  Precision precision() {
    return precision;
  }
}

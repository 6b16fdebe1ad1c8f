package io.vertebra.bench.gemm;

import io.vertebra.cpu.CpuBackend;
import io.vertebra.cpu.Native;
import io.vertebra.cpu.vtb_gemm_args;

/** Our kernel, called as a program's steps call it. */
public final class VertebraGemm implements Gemm {
  private final GemmData data;
  private final CpuBackend backend;
  private final NativeFloats packed;
  private final NativeFloats scratch;
  private final NativeFloats out;
  private final vtb_gemm_args args;
  private final long pool;
  private final long address;

  /** @param data must stay open */
  public VertebraGemm(GemmData data, int threads) {
    GemmShape shape = data.shape;
    this.data = data;
    this.backend = new CpuBackend(threads);
    this.pool = backend.pool();
    this.packed = new NativeFloats(Native.vtb_gemm_packed_bytes(Native.VTB_F32, shape.n(), shape.k()) / Float.BYTES);
    Native.vtb_gemm_pack(pool, data.weights.address(), Native.VTB_F32, Native.VTB_F32, shape.n(), shape.k(), packed.address());
    this.out = new NativeFloats(data.residual);
    this.args = new vtb_gemm_args().m(shape.m()).n(shape.n()).k(shape.k()).groups(1).a(data.a.address()).a_map(0)
        .gamma(0).beta(0).eps(0).activation(shape.gelu() ? Native.VTB_GELU : Native.VTB_IDENTITY)
        .weight(packed.address()).bias(shape.bias() ? data.bias.address() : 0)
        .residual(shape.residual() ? out.address() : 0).out_map(0).out(out.address());
    this.scratch = new NativeFloats(Math.max(16, threads * Native.vtb_gemm_scratch(args) / Float.BYTES));
    args.scratch(scratch.address());
    this.address = args.address();
  }

  @Override
  public void run() {
    Native.vtb_gemm(pool, address);
  }

  @Override
  public void reset() {
    out.set(data.residual);
  }

  @Override
  public float[] output() {
    return out.toArray();
  }

  @Override
  public void close() {
    args.close();
    out.close();
    scratch.close();
    packed.close();
    backend.close();
  }
}

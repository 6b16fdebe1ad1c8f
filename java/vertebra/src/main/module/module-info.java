/**
 * Vision backbones on hand-optimised native kernels. A program uses {@link io.vertebra.Model} and
 * {@link io.vertebra.Session}, images, checkpoints, tensors, and the configurations of the families. The packages that
 * only some modules see are what backends and golden files are made of; they may change with any version.
 */
@SuppressWarnings("module") // Modules named here are built later.
module io.vertebra {
  requires transitive java.desktop;
  requires org.bytedeco.javacpp;

  exports io.vertebra;
  exports io.vertebra.backbone;
  exports io.vertebra.backbone.coatnet;
  exports io.vertebra.backbone.conformer;
  exports io.vertebra.backbone.hornet;
  exports io.vertebra.backbone.swin;
  exports io.vertebra.backbone.uniformer;
  exports io.vertebra.image;
  exports io.vertebra.tensor;
  exports io.vertebra.weights;

  exports io.vertebra.backend to io.vertebra.cuda, io.vertebra.golden;
  exports io.vertebra.program to io.vertebra.cuda, io.vertebra.golden;
  exports io.vertebra.program.op to io.vertebra.cuda, io.vertebra.golden;
  exports io.vertebra.natives
      to io.vertebra.cuda, io.vertebra.natives.linux.x86_64, io.vertebra.cuda.natives.linux.x86_64;
  exports io.vertebra.cpu to org.bytedeco.javacpp;

  uses io.vertebra.backend.BackendProvider;
  uses io.vertebra.natives.NativeModule;
}

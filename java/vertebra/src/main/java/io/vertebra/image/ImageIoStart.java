package io.vertebra.image;

import io.vertebra.tensor.OwnLoader;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import javax.imageio.ImageIO;

/** The first use of ImageIO in a process, which it remembers: where our class loader is to be collected, not by us. */
final class ImageIoStart {
  static {
    if (!OwnLoader.isPermanent()) {
      try {
        OwnLoader.callUnseen(MethodHandles.publicLookup().findStatic(ImageIO.class, "getUseCache",
            MethodType.methodType(boolean.class)));
      } catch (ReflectiveOperationException e) {
        throw new LinkageError("ImageIO has no getUseCache", e);
      }
    }
  }

  private ImageIoStart() {}

  /** Comes before every use. */
  static void require() {}
}

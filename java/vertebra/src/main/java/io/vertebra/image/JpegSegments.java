package io.vertebra.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What the segments before a JPEG's image data say (ITU-T T.81 annex B; EXIF: JEITA CP-3451; Adobe's segment: its
 * technical note 5116). Anything malformed is passed over: the decoder proper judges the file.
 */
final class JpegSegments {
  private static final int START_OF_SCAN = 0xDA;
  private static final int APP1 = 0xE1;
  private static final int APP2 = 0xE2;
  private static final int APP14 = 0xEE;
  private static final byte[] EXIF = ascii("Exif\0\0");
  private static final byte[] ICC = ascii("ICC_PROFILE\0");
  private static final byte[] ADOBE = ascii("Adobe");
  private static final int ORIENTATION_TAG = 0x0112;
  private static final int SHORT_TYPE = 3;

  private final byte[] jpeg;
  private byte[] withoutProfile;
  private int orientation = 1;
  private int components;
  private int adobeTransform = -1;
  private int scans;

  JpegSegments(byte[] jpeg) {
    this.jpeg = jpeg;
    this.withoutProfile = jpeg;
    int removed = 0;
    int at = 2;
    while (at + 4 <= jpeg.length && (jpeg[at] & 0xff) == 0xff) {
      int marker = jpeg[at + 1] & 0xff;
      if (marker == 0xff) {
        at++;
        continue;
      }
      int length = (jpeg[at + 2] & 0xff) << 8 | jpeg[at + 3] & 0xff;
      int end = at + 2 + length;
      if (marker == START_OF_SCAN || length < 2 || end > jpeg.length) {
        break;
      }
      if (marker == APP2 && startsWith(at + 4, end, ICC)) {
        withoutProfile = without(withoutProfile, at - removed, end - removed);
        removed += end - at;
      } else {
        read(marker, at + 4, end);
      }
      at = end;
    }
    // A scan's data hold no such marker: after 0xFF comes 0, or the number of a restart.
    for (; at + 1 < jpeg.length; at++) {
      scans += jpeg[at] == (byte) 0xFF && jpeg[at + 1] == (byte) START_OF_SCAN ? 1 : 0;
    }
  }

  /** Scans of the image data, each of which may be of the whole image. */
  int scans() {
    return scans;
  }

  /** The file without its colour profile, which ImageIO would convert by. */
  byte[] withoutProfile() {
    return withoutProfile;
  }

  /** EXIF orientation, 1 (upright) to 8. */
  int orientation() {
    return orientation;
  }

  /** Colour components, or 0 if the file does not tell. */
  int components() {
    return components;
  }

  /** Whether four components are YCbCr and black, not CMYK. */
  boolean isYcck() {
    return adobeTransform == 2;
  }

  private void read(int marker, int begin, int end) {
    boolean frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame && end - begin >= 6) {
      components = jpeg[begin + 5] & 0xff;
    } else if (marker == APP1 && startsWith(begin, end, EXIF)) {
      orientation = orientation(ByteBuffer.wrap(jpeg, begin + EXIF.length, end - begin - EXIF.length).slice());
    } else if (marker == APP14 && startsWith(begin, end, ADOBE) && end - begin >= 12) {
      adobeTransform = jpeg[begin + 11] & 0xff;
    }
  }

  /** Looks the orientation up in the first directory of a TIFF structure. */
  private static int orientation(ByteBuffer tiff) {
    if (tiff.remaining() < 8) {
      return 1;
    }
    tiff.order(tiff.get(0) == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    long directory = tiff.getInt(4) & 0xffffffffL;
    if (directory + 2 > tiff.limit()) {
      return 1;
    }
    int entries = tiff.getShort((int) directory) & 0xffff;
    for (int i = 0; i < entries; i++) {
      int entry = (int) directory + 2 + 12 * i;
      if (entry + 12 > tiff.limit()) {
        break;
      }
      int value = tiff.getShort(entry + 8) & 0xffff;
      if (tiff.getShort(entry) == ORIENTATION_TAG && tiff.getShort(entry + 2) == SHORT_TYPE && value >= 1
          && value <= 8) {
        return value;
      }
    }
    return 1;
  }

  private boolean startsWith(int begin, int end, byte[] prefix) {
    return end - begin >= prefix.length && Arrays.equals(jpeg, begin, begin + prefix.length, prefix, 0, prefix.length);
  }

  private static byte[] without(byte[] bytes, int begin, int end) {
    byte[] rest = Arrays.copyOf(bytes, bytes.length - (end - begin));
    System.arraycopy(bytes, end, rest, begin, bytes.length - end);
    return rest;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}

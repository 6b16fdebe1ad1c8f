package io.vertebra.weights;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where the entries of a zip archive lie in its file (PKWARE's APPNOTE, sections 4.3 and 4.5, with Zip64). Entries must
 * be stored as they are, which is how PyTorch writes them; each must have bytes of its own and a plain relative name.
 * So nothing read from an archive is larger than the archive.
 */
final class ZipArchive {
  private static final int END = 0x06054b50;
  private static final int END_BYTES = 22;
  private static final int END64 = 0x06064b50;
  private static final int END64_BYTES = 56;
  private static final int LOCATOR = 0x07064b50;
  private static final int LOCATOR_BYTES = 20;
  private static final int CENTRAL = 0x02014b50;
  private static final int CENTRAL_BYTES = 46;
  private static final int LOCAL = 0x04034b50;
  private static final int LOCAL_BYTES = 30;
  private static final int MAX_COMMENT = 0xFFFF;
  private static final long MAX_DIRECTORY_BYTES = 1 << 26;
  private static final long MAX_32 = 0xFFFFFFFFL;

  private final FileBytes file;
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  /** @param header where the bytes that belong to the entry begin, {@code start} where its contents do */
  record Entry(String name, long header, long start, long bytes) {}

  /** @throws WeightsException if this is no sound archive of stored entries */
  ZipArchive(FileBytes file) {
    this.file = file;
    long end = findEnd();
    ByteBuffer record = file.slice(end, END_BYTES);
    long count = record.getShort(10) & 0xFFFF;
    long bytes = record.getInt(12) & MAX_32;
    long start = record.getInt(16) & MAX_32;
    long locator = end - LOCATOR_BYTES;
    if (locator >= 0 && file.slice(locator, LOCATOR_BYTES).getInt() == LOCATOR) {
      long position = file.slice(locator, LOCATOR_BYTES).getLong(8);
      if (position < 0 || position > locator - END64_BYTES || file.slice(position, END64_BYTES).getInt() != END64) {
        throw bad("its Zip64 end record is not where it should be");
      }
      ByteBuffer record64 = file.slice(position, END64_BYTES);
      count = record64.getLong(32);
      bytes = record64.getLong(40);
      start = record64.getLong(48);
      end = position;
    }
    if (start < 0 || bytes < 0 || bytes > MAX_DIRECTORY_BYTES || start > end - bytes || count < 0
        || count > bytes / CENTRAL_BYTES) {
      throw bad("its directory of " + count + " entries in " + bytes + " bytes at " + start + " does not fit the file");
    }
    readDirectory(file.slice(start, bytes), count, start);
    checkOverlaps();
  }

  /** By name, in the archive's order. */
  Map<String, Entry> entries() {
    return Collections.unmodifiableMap(entries);
  }

  private long findEnd() {
    for (long end = file.size() - END_BYTES; end >= 0 && end >= file.size() - END_BYTES - MAX_COMMENT; end--) {
      ByteBuffer record = file.slice(end, END_BYTES);
      if (record.getInt() == END && (record.getShort(20) & 0xFFFF) == file.size() - end - END_BYTES) {
        return end;
      }
    }
    throw bad("it has no end record; the file may be cut off");
  }

  private void readDirectory(ByteBuffer directory, long count, long directoryStart) {
    for (long i = 0; i < count; i++) {
      if (directory.remaining() < CENTRAL_BYTES || directory.getInt(directory.position()) != CENTRAL) {
        throw bad("its directory ends after " + i + " of " + count + " entries");
      }
      ByteBuffer record = directory.slice(directory.position(), CENTRAL_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      int nameBytes = record.getShort(28) & 0xFFFF;
      int extraBytes = record.getShort(30) & 0xFFFF;
      int all = CENTRAL_BYTES + nameBytes + extraBytes + (record.getShort(32) & 0xFFFF);
      if (directory.remaining() < all) {
        throw bad("entry " + i + " of its directory is cut off");
      }
      ByteBuffer nameSlice = directory.slice(directory.position() + CENTRAL_BYTES, nameBytes);
      ByteBuffer extra = directory.slice(directory.position() + CENTRAL_BYTES + nameBytes, extraBytes)
          .order(ByteOrder.LITTLE_ENDIAN);
      directory.position(directory.position() + all);
      addEntry(checkedName(nameSlice), record, extra, nameSlice, directoryStart);
    }
  }

  private void addEntry(String name, ByteBuffer record, ByteBuffer extra, ByteBuffer nameBytes, long directoryStart) {
    if ((record.getShort(8) & 1) != 0) {
      throw badEntry(name, "is encrypted");
    }
    if (record.getShort(10) != 0) {
      throw badEntry(name,
          "is compressed, which PyTorch does not do; unpack the archive and save it again with torch.save");
    }
    long[] fields = {record.getInt(24) & MAX_32, record.getInt(20) & MAX_32, record.getInt(42) & MAX_32};
    readZip64(name, fields, extra);
    long bytes = fields[0];
    long header = fields[2];
    if (bytes != fields[1]) {
      throw badEntry(name, "is stored, yet has " + bytes + " bytes in " + fields[1]);
    }
    if (header < 0 || header > directoryStart - LOCAL_BYTES || file.slice(header, LOCAL_BYTES).getInt() != LOCAL) {
      throw badEntry(name, "has no header at byte " + header);
    }
    ByteBuffer local = file.slice(header, LOCAL_BYTES);
    int localNameBytes = local.getShort(26) & 0xFFFF;
    long start = header + LOCAL_BYTES + localNameBytes + (local.getShort(28) & 0xFFFF);
    if (bytes < 0 || start > directoryStart - bytes) {
      throw badEntry(name, "has " + bytes + " bytes from byte " + start + " on, more than the file; it may be cut off");
    }
    if (!file.slice(header + LOCAL_BYTES, localNameBytes).equals(nameBytes)) {
      throw badEntry(name, "is called otherwise where it lies");
    }
    if (entries.putIfAbsent(name, new Entry(name, header, start, bytes)) != null) {
      throw badEntry(name, "is there twice");
    }
  }

  /** Size, stored size and position, where the directory's 32 bits do not hold them. */
  private void readZip64(String name, long[] fields, ByteBuffer extra) {
    while (extra.remaining() >= 4) {
      int id = extra.getShort();
      int length = extra.getShort() & 0xFFFF;
      if (length > extra.remaining()) {
        throw badEntry(name, "has a damaged extra field");
      }
      ByteBuffer values = extra.slice(extra.position(), length).order(ByteOrder.LITTLE_ENDIAN);
      extra.position(extra.position() + length);
      for (int i = 0; id == 1 && i < fields.length; i++) {
        if (fields[i] == MAX_32 && values.remaining() >= Long.BYTES) {
          fields[i] = values.getLong();
        }
      }
    }
  }

  private String checkedName(ByteBuffer bytes) {
    String name;
    try {
      name = StandardCharsets.UTF_8.newDecoder().decode(bytes.duplicate()).toString();
    } catch (CharacterCodingException e) {
      throw bad("the name of an entry is not UTF-8");
    }
    boolean plain = !name.isEmpty() && name.chars().noneMatch(c -> c < ' ' || c == '\\' || c == ':');
    for (String part : name.split("/", -1)) {
      plain &= !part.isEmpty() && !part.equals(".") && !part.equals("..");
    }
    if (!plain) {
      throw badEntry(name, "must have a plain relative name");
    }
    return name;
  }

  private void checkOverlaps() {
    List<Entry> sorted = new ArrayList<>(entries.values());
    sorted.sort(Comparator.comparingLong(Entry::header));
    for (int i = 1; i < sorted.size(); i++) {
      Entry before = sorted.get(i - 1);
      if (before.start + before.bytes > sorted.get(i).header) {
        throw badEntry(sorted.get(i).name, "shares bytes with '" + before.name + "'");
      }
    }
  }

  private WeightsException bad(String problem) {
    return new WeightsException(file.name() + ": is no sound zip archive: " + problem);
  }

  private WeightsException badEntry(String name, String problem) {
    return new WeightsException(file.name() + ": entry '" + name + "' of the archive " + problem);
  }
}

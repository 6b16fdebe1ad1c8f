package io.vertebra.bench.export;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;

/** A protobuf message being written field by field, by number. */
final class ProtoMessage {
  private final ByteString.Output bytes = ByteString.newOutput();
  private final CodedOutputStream fields = CodedOutputStream.newInstance(bytes);

  ProtoMessage string(int field, String value) {
    Writing.unchecked(() -> fields.writeString(field, value));
    return this;
  }

  ProtoMessage integer(int field, long value) {
    Writing.unchecked(() -> fields.writeInt64(field, value));
    return this;
  }

  ProtoMessage real(int field, float value) {
    Writing.unchecked(() -> fields.writeFloat(field, value));
    return this;
  }

  ProtoMessage message(int field, ProtoMessage value) {
    return bytes(field, value.toByteString());
  }

  ProtoMessage bytes(int field, ByteString value) {
    Writing.unchecked(() -> fields.writeBytes(field, value));
    return this;
  }

  ByteString toByteString() {
    Writing.unchecked(fields::flush);
    return bytes.toByteString();
  }
}

package io.vertebra.bench.export;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.IOException;

/** A protobuf message being written field by field, by number. */
final class ProtoMessage {
  private final ByteString.Output bytes = ByteString.newOutput();
  private final CodedOutputStream fields = CodedOutputStream.newInstance(bytes);

  ProtoMessage string(int field, String value) throws IOException {
    fields.writeString(field, value);
    return this;
  }

  ProtoMessage integer(int field, long value) throws IOException {
    fields.writeInt64(field, value);
    return this;
  }

  ProtoMessage real(int field, float value) throws IOException {
    fields.writeFloat(field, value);
    return this;
  }

  ProtoMessage message(int field, ProtoMessage value) throws IOException {
    return bytes(field, value.toByteString());
  }

  ProtoMessage bytes(int field, ByteString value) throws IOException {
    fields.writeBytes(field, value);
    return this;
  }

  ByteString toByteString() throws IOException {
    fields.flush();
    return bytes.toByteString();
  }
}

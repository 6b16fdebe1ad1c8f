package io.vertebra.weights;

import io.vertebra.tensor.DType;
import io.vertebra.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A checkpoint written by {@code torch.save} of PyTorch 1.6 or later: a zip archive with a pickle of the names and
 * shapes, and an entry for each storage. Nothing in it is executed; the tensors are read as those of
 * {@link Safetensors} are, and the same holds for changing the file meanwhile.
 *
 * <p>The parameters are the tensors of the dictionary under {@code model}, {@code state_dict}, {@code model_state_dict}
 * or {@code model_state} if there is one, or else those of the outermost dictionary. A scalar is read as {@code [1]}. A
 * tensor without elements or of more than 1 GiB is listed, but refused when asked for.
 */
final class TorchCheckpoint implements ParameterSource {
  private static final List<String> WRAPPERS = List.of("model", "state_dict", "model_state_dict", "model_state");
  private static final String PICKLE = "data.pkl";
  private static final long MAX_PICKLE_BYTES = 1 << 26;

  private final FileBytes file;
  private final String folder;
  private final ZipArchive archive;
  private final Map<String, Pickle.Tensor> tensors;

  /**
   * @param entry the entry of the outermost dictionary whose tensors are wanted; null: the usual one
   * @throws WeightsException if this is no sound checkpoint or has no such entry; the message names the file and the
   *   tensor
   */
  TorchCheckpoint(FileBytes file, String entry) {
    this.file = file;
    this.archive = new ZipArchive(file);
    this.folder = folder();
    if (archive.entries().containsKey(folder + "constants.pkl")) {
      throw bad("is a TorchScript program; save the weights alone, with torch.save(model.state_dict(), ...)");
    }
    ZipArchive.Entry order = archive.entries().get(folder + "byteorder");
    if (order != null && !"little".equals(text(order))) {
      throw bad("was written on a big-endian machine; load it there or in PyTorch and save it again on this one");
    }
    ZipArchive.Entry pickle = archive.entries().get(folder + PICKLE);
    if (pickle.bytes() > MAX_PICKLE_BYTES) {
      throw bad("has a pickle of " + pickle.bytes() + " bytes, more than the " + MAX_PICKLE_BYTES + " allowed");
    }
    this.tensors = choose(Pickle.read(file.name(), file.slice(pickle.start(), pickle.bytes())), entry);
    tensors.forEach(this::check);
  }

  /** What every entry's name begins with. */
  private String folder() {
    List<String> pickles
        = archive.entries().keySet().stream().filter(name -> name.matches("([^/]+/)?data\\.pkl")).toList();
    if (pickles.size() != 1) {
      throw bad("is an archive with " + pickles.size() + " entries called " + PICKLE + "; torch.save writes one");
    }
    return pickles.get(0).substring(0, pickles.get(0).length() - PICKLE.length());
  }

  private String text(ZipArchive.Entry entry) {
    return StandardCharsets.ISO_8859_1.decode(file.slice(entry.start(), Math.min(entry.bytes(), 16))).toString();
  }

  private Map<String, Pickle.Tensor> choose(Object top, String entry) {
    if (!(top instanceof Map<?, ?> map)) {
      throw bad("holds no dictionary of tensors; save model.state_dict()");
    }
    if (entry != null) {
      Map<String, Pickle.Tensor> chosen = tensors(map.get(entry));
      if (chosen.isEmpty()) {
        throw bad("has no dictionary of tensors called '" + entry + "'; it has " + keys(map));
      }
      return chosen;
    }
    for (String wrapper : WRAPPERS) {
      Map<String, Pickle.Tensor> wrapped = tensors(map.get(wrapper));
      if (!wrapped.isEmpty()) {
        return wrapped;
      }
    }
    Map<String, Pickle.Tensor> bare = tensors(map);
    if (bare.isEmpty()) {
      throw bad("has no tensors, and none under any of " + WRAPPERS + "; it has " + keys(map));
    }
    return bare;
  }

  private static Set<String> keys(Map<?, ?> map) {
    Set<String> keys = new TreeSet<>();
    map.keySet().stream().filter(String.class::isInstance).limit(20).forEach(key -> keys.add((String) key));
    return keys;
  }

  /** The tensors of a dictionary by their names; empty if it is none. */
  private static Map<String, Pickle.Tensor> tensors(Object value) {
    Map<String, Pickle.Tensor> found = new LinkedHashMap<>();
    if (value instanceof Map<?, ?> map) {
      map.forEach((key, item) -> {
        if (key instanceof String name && item instanceof Pickle.Tensor tensor) {
          found.put(name, tensor);
        }
      });
    }
    return found;
  }

  /** Whether everything the tensor refers to is in the file. */
  private void check(String name, Pickle.Tensor tensor) {
    Pickle.Storage storage = tensor.storage();
    ZipArchive.Entry entry = archive.entries().get(folder + "data/" + storage.key());
    if (entry == null) {
      throw badTensor(name, "lies in storage '" + storage.key() + "', which the archive lacks");
    }
    if (storage.elements() < 0 || storage.elements() > entry.bytes() / storage.dtype().bytes()) {
      throw badTensor(name, "lies in a storage of " + storage.elements() + " elements of type " + storage.dtype()
          + ", but storage '" + storage.key() + "' has only " + entry.bytes() + " bytes");
    }
    String view = "has shape " + tensor.sizes() + ", strides " + tensor.strides() + " and offset " + tensor.offset();
    if (tensor.strides().size() != tensor.sizes().size() || tensor.offset() < 0
        || tensor.sizes().stream().anyMatch(size -> size < 0)
        || tensor.strides().stream().anyMatch(stride -> stride < 0)) {
      throw badTensor(name, view + "; there must be a stride for every dimension, and none may be negative");
    }
    if (elements(name, tensor) > 0 && lastElement(name, tensor) >= storage.elements()) {
      throw badTensor(name, view + ", which goes beyond its storage of " + storage.elements() + " elements");
    }
  }

  private long elements(String name, Pickle.Tensor tensor) {
    try {
      return tensor.sizes().contains(0L) ? 0 : tensor.sizes().stream().reduce(1L, Math::multiplyExact);
    } catch (ArithmeticException e) {
      throw badTensor(name, "has shape " + tensor.sizes() + ", which overflows");
    }
  }

  private long lastElement(String name, Pickle.Tensor tensor) {
    try {
      long last = tensor.offset();
      for (int i = 0; i < tensor.sizes().size(); i++) {
        last = Math.addExact(last, Math.multiplyExact(tensor.sizes().get(i) - 1, tensor.strides().get(i)));
      }
      return last;
    } catch (ArithmeticException e) {
      throw badTensor(name, "has shape " + tensor.sizes() + " and strides " + tensor.strides() + ", which overflow");
    }
  }

  @Override
  public String describe() {
    return file.name();
  }

  /** @throws WeightsException if the tensor has no elements, repeats some, or takes more than 1 GiB */
  @Override
  public Parameter find(String name, Shape expected) {
    Pickle.Tensor tensor = tensors.get(name);
    if (tensor == null) {
      return null;
    }
    DType dtype = tensor.storage().dtype();
    long elements = elements(name, tensor);
    if (elements == 0) {
      throw badTensor(name, dtype + " " + tensor.sizes() + " has no elements");
    }
    if (elements > tensor.storage().elements()) {
      throw badTensor(name,
          dtype + " " + tensor.sizes() + " repeats the elements of a smaller storage; save tensor.contiguous()");
    }
    long span = (lastElement(name, tensor) + 1 - tensor.offset()) * dtype.bytes();
    if (span > FileBytes.MAX_SLICE) {
      throw badTensor(name, dtype + " " + tensor.sizes() + " takes " + span + " bytes, more than the "
          + FileBytes.MAX_SLICE + " this reader allows");
    }
    int[] sizes = tensor.sizes().stream().mapToInt(Math::toIntExact).toArray();
    Shape shape = sizes.length == 0 ? Shape.of(1) : Shape.of(sizes);
    long start
        = archive.entries().get(folder + "data/" + tensor.storage().key()).start() + tensor.offset() * dtype.bytes();
    return Parameter.of(name, shape, dtype, memory -> {
      ByteBuffer bytes = file.slice(start, span, memory);
      return isContiguous(tensor) ? bytes : gather(bytes, tensor, Math.toIntExact(elements));
    });
  }

  private static boolean isContiguous(Pickle.Tensor tensor) {
    long expected = 1;
    for (int i = tensor.sizes().size() - 1; i >= 0; i--) {
      if (tensor.sizes().get(i) != 1 && tensor.strides().get(i) != expected) {
        return false;
      }
      expected *= tensor.sizes().get(i);
    }
    return true;
  }

  /** The elements in row-major order. */
  private static ByteBuffer gather(ByteBuffer bytes, Pickle.Tensor tensor, int elements) {
    int size = tensor.storage().dtype().bytes();
    ByteBuffer gathered = ByteBuffer.allocateDirect(elements * size).order(ByteOrder.LITTLE_ENDIAN);
    List<Long> sizes = tensor.sizes();
    List<Long> strides = tensor.strides();
    for (int i = 0; i < elements; i++) {
      long rest = i;
      long source = 0;
      for (int axis = sizes.size() - 1; axis >= 0; axis--) {
        source += rest % sizes.get(axis) * strides.get(axis);
        rest /= sizes.get(axis);
      }
      for (int b = 0; b < size; b++) {
        gathered.put(bytes.get((int) source * size + b));
      }
    }
    return gathered.flip();
  }

  @Override
  public Listing list(String name) {
    Pickle.Tensor tensor = tensors.get(name);
    return tensor == null ? null : new Listing(tensor.storage().dtype(), tensor.sizes());
  }

  @Override
  public void close() {
    file.close();
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  /** Empty: such files have none. */
  @Override
  public Map<String, String> metadata() {
    return Map.of();
  }

  private WeightsException bad(String problem) {
    return new WeightsException(file.name() + ": " + problem);
  }

  private WeightsException badTensor(String name, String problem) {
    return new WeightsException(file.name() + ": tensor '" + name + "' " + problem);
  }
}

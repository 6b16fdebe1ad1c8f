package io.vertebra.bench.peer;

import io.vertebra.bench.export.OnnxExporter;
import io.vertebra.bench.export.TorchScriptExporter;
import io.vertebra.reference.ReferenceBackend;
import java.io.IOException;
import java.nio.file.Path;

/** What is compared: how each library wants a model as a file, and how it loads that. */
enum Library {
  VERTEBRA("vertebra", "model.safetensors") {
    @Override
    void write(Workload workload, Path file) throws IOException {
      SafetensorsWriter.write(workload, file);
    }

    @Override
    Engine open(Workload workload, Path file, int threads) {
      return new VertebraEngine(workload, file, threads);
    }
  },
  ONNX_RUNTIME("onnxruntime", "model.onnx") {
    @Override
    void write(Workload workload, Path file) throws IOException {
      OnnxExporter.write(workload.recorder(workload.weights(), new ReferenceBackend()).apply(workload.batch()), file);
    }

    @Override
    Engine open(Workload workload, Path file, int threads) {
      return new OnnxRuntimeEngine(workload, file, threads);
    }
  },
  LIBTORCH("libtorch", "model.pt") {
    @Override
    void write(Workload workload, Path file) throws IOException {
      TorchScriptExporter.write(workload.recorder(workload.weights(), new ReferenceBackend()).apply(workload.batch()),
          file);
    }

    @Override
    Engine open(Workload workload, Path file, int threads) throws IOException {
      return new LibtorchEngine(workload, file, threads);
    }
  };

  private final String title;
  private final String file;

  Library(String title, String file) {
    this.title = title;
    this.file = file;
  }

  String title() {
    return title;
  }

  /** Where the model lies in a folder. */
  Path file(Path folder) {
    return folder.resolve(file);
  }

  /** Writes a workload's model with its weights. */
  abstract void write(Workload workload, Path file) throws IOException;

  /** Loads a model written for a workload, whose images it will run on. */
  abstract Engine open(Workload workload, Path file, int threads) throws IOException;
}

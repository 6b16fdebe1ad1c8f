// io.vertebra.cuda.runtime.Nsight: ranges of time that Nsight shows. NVTX is headers alone; without a tool its calls do
// nothing.
#include <jni.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#else
static void nvtxRangePushA(const char*) {}
static void nvtxRangePop() {}
#endif

extern "C" {

JNIEXPORT void JNICALL Java_io_vertebra_cuda_runtime_Nsight_push(JNIEnv* env, jclass, jstring name) {
  const char* text = env->GetStringUTFChars(name, nullptr);
  nvtxRangePushA(text ? text : "");
  if (text) env->ReleaseStringUTFChars(name, text);
}

JNIEXPORT void JNICALL Java_io_vertebra_cuda_runtime_Nsight_pop(JNIEnv*, jclass) { nvtxRangePop(); }

}  // extern "C"

// What the kernels of emulator_kernels.cu take.
#pragma once

#include <cstdint>

struct WhatAndOut {
  int32_t what;
  void* out;
};

struct InAndOut {
  const float* in;
  float* out;
};

struct Product {
  const void *a, *b;
  float* c;
};

// All kernels of the GPU engine, as one source. scripts/cuda/make-ptx.ts compiles it for GPUs, and with CUDA_SHIM
// defined a C++ compiler compiles it for the CPU (shim/shim.hpp). native/README.md lists the files.
#include "attention-backward.cuh"
#include "attention-bf16.cuh"
#include "attention.cuh"
#include "elements.cuh"
#include "lstm-bf16.cuh"
#include "products.cuh"
#include "rows.cuh"
#include "update.cuh"

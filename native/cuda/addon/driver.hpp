// The functions of the CUDA driver API that this addon calls. The library is opened when a device is opened, so the
// addon builds and loads on machines without it. The types are copied from cuda.h, which is not needed to build.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace cuda {

using Result = int;
using Pointer = unsigned long long;  // an address on the device
using Handle = void*;                // a context, module, function, stream or graph

/// A call of the driver failed. `code` is the driver's name for the reason, such as CUDA_ERROR_OUT_OF_MEMORY.
struct DriverError : std::runtime_error {
  DriverError(const std::string& message, std::string code) : std::runtime_error(message), code(std::move(code)) {}
  const std::string code;
};

/// The library and its functions. Opened once for each path, and never closed, because contexts may outlive their
/// owners.
struct Driver {
  /// Throws DriverError: NO_DRIVER if the library is missing, OLD_DRIVER if a function is missing in it.
  static const Driver& open(const std::string& path);

  /// Throws DriverError if `result` is not 0. `doing` says what was attempted: "copying to the GPU".
  void check(Result result, const char* doing) const;

#define CUDA_FUNCTIONS(X)                                                                               \
  X(init, "cuInit", (unsigned flags))                                                                   \
  X(driverVersion, "cuDriverGetVersion", (int* version))                                                \
  X(deviceCount, "cuDeviceGetCount", (int* count))                                                      \
  X(deviceAt, "cuDeviceGet", (int* device, int ordinal))                                                \
  X(deviceName, "cuDeviceGetName", (char* name, int size, int device))                                  \
  X(deviceUuid, "cuDeviceGetUuid", (unsigned char* uuid, int device))                                   \
  X(deviceAttribute, "cuDeviceGetAttribute", (int* value, int attribute, int device))                   \
  X(retainContext, "cuDevicePrimaryCtxRetain", (Handle * context, int device))                          \
  X(releaseContext, "cuDevicePrimaryCtxRelease_v2", (int device))                                       \
  X(setContext, "cuCtxSetCurrent", (Handle context))                                                    \
  X(memoryInfo, "cuMemGetInfo_v2", (size_t* free, size_t* total))                                       \
  X(loadModule, "cuModuleLoadDataEx",                                                                   \
    (Handle * module, const void* image, unsigned count, int* options, void** values))                  \
  X(unloadModule, "cuModuleUnload", (Handle module))                                                    \
  X(functionOf, "cuModuleGetFunction", (Handle * function, Handle module, const char* name))            \
  X(setFunctionAttribute, "cuFuncSetAttribute", (Handle function, int attribute, int value))            \
  X(residentBlocks, "cuOccupancyMaxActiveBlocksPerMultiprocessor",                                      \
    (int* blocks, Handle function, int threads, size_t sharedBytes))                                    \
  X(allocate, "cuMemAlloc_v2", (Pointer * pointer, size_t size))                                        \
  X(free, "cuMemFree_v2", (Pointer pointer))                                                            \
  X(copyToDevice, "cuMemcpyHtoDAsync_v2", (Pointer to, const void* from, size_t size, Handle stream))   \
  X(copyToHost, "cuMemcpyDtoHAsync_v2", (void* to, Pointer from, size_t size, Handle stream))           \
  X(clear, "cuMemsetD8Async", (Pointer to, unsigned char value, size_t size, Handle stream))            \
  X(allocateHost, "cuMemHostAlloc", (void** data, size_t size, unsigned flags))                         \
  X(freeHost, "cuMemFreeHost", (void* data))                                                            \
  X(createEvent, "cuEventCreate", (Handle * event, unsigned flags))                                     \
  X(recordEvent, "cuEventRecord", (Handle event, Handle stream))                                        \
  X(waitForEvent, "cuEventSynchronize", (Handle event))                                                 \
  X(destroyEvent, "cuEventDestroy_v2", (Handle event))                                                  \
  X(createStream, "cuStreamCreate", (Handle * stream, unsigned flags))                                  \
  X(destroyStream, "cuStreamDestroy_v2", (Handle stream))                                               \
  X(synchronize, "cuStreamSynchronize", (Handle stream))                                                \
  X(beginCapture, "cuStreamBeginCapture_v2", (Handle stream, int mode))                                 \
  X(endCapture, "cuStreamEndCapture", (Handle stream, Handle * graph))                                  \
  X(launchGraph, "cuGraphLaunch", (Handle executable, Handle stream))                                   \
  X(destroyGraph, "cuGraphDestroy", (Handle graph))                                                     \
  X(destroyExecutable, "cuGraphExecDestroy", (Handle executable))                                       \
  X(launch, "cuLaunchKernel",                                                                           \
    (Handle function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, \
     unsigned blockZ, unsigned sharedBytes, Handle stream, void** parameters, void** extra))

#define CUDA_DECLARE(member, name, parameters) Result(*member) parameters = nullptr;
  CUDA_FUNCTIONS(CUDA_DECLARE)
#undef CUDA_DECLARE

  /// Prepares a graph to be launched. Throws DriverError.
  Handle instantiate(Handle graph) const;

 private:
  // Drivers since CUDA 11.4 have the first function, older ones the second.
  Result (*instantiateWithFlags_)(Handle* executable, Handle graph, unsigned long long flags) = nullptr;
  Result (*instantiateWithLog_)(Handle* executable, Handle graph, Handle* errorNode, char* log, size_t size) = nullptr;
  Result (*errorName_)(Result, const char**) = nullptr;
  Result (*errorString_)(Result, const char**) = nullptr;
};

}  // namespace cuda

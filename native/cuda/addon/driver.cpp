// Opens the driver; driver.hpp describes it.
#include "driver.hpp"

#include <uv.h>

#include <map>
#include <mutex>

namespace cuda {

namespace {
/// " and supports CUDA 10.2", if the driver says so. It does so even before it is started.
std::string supportedVersion(uv_lib_t* library) {
  Result (*driverVersion)(int*) = nullptr;
  int version = 0;
  if (uv_dlsym(library, "cuDriverGetVersion", reinterpret_cast<void**>(&driverVersion)) != 0) return "";
  if (driverVersion(&version) != 0) return "";
  return " and supports CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}
}  // namespace

const Driver& Driver::open(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Driver>> opened;
  std::lock_guard<std::mutex> lock(mutex);
  auto& driver = opened[path];
  if (driver) return *driver;
  auto library = std::make_unique<uv_lib_t>();
  if (uv_dlopen(path.c_str(), library.get()) != 0) throw DriverError(uv_dlerror(library.get()), "NO_DRIVER");
  auto loading = std::make_unique<Driver>();
  const auto find = [&](const char* name, void** at) {
    if (uv_dlsym(library.get(), name, at) != 0)
      throw DriverError("it lacks the function " + std::string(name) + supportedVersion(library.get()), "OLD_DRIVER");
  };
  find("cuGetErrorName", reinterpret_cast<void**>(&loading->errorName_));
  find("cuGetErrorString", reinterpret_cast<void**>(&loading->errorString_));
#define CUDA_FIND(member, name, parameters) find(name, reinterpret_cast<void**>(&loading->member));
  CUDA_FUNCTIONS(CUDA_FIND)
#undef CUDA_FIND
  if (uv_dlsym(library.get(), "cuGraphInstantiateWithFlags",
               reinterpret_cast<void**>(&loading->instantiateWithFlags_)) != 0)
    find("cuGraphInstantiate_v2", reinterpret_cast<void**>(&loading->instantiateWithLog_));
  // With LAZY, a kernel is loaded when it is first used. Without it, all kernels of cuBLASLt would be loaded, which
  // takes hundreds of megabytes. LAZY is the default since CUDA 12.2.
  char set[8];
  size_t size = sizeof set;
  if (uv_os_getenv("CUDA_MODULE_LOADING", set, &size) == UV_ENOENT) uv_os_setenv("CUDA_MODULE_LOADING", "LAZY");
  loading->check(loading->init(0), "starting the driver");
  library.release();  // stays open
  driver = std::move(loading);
  return *driver;
}

Handle Driver::instantiate(Handle graph) const {
  Handle executable = nullptr;
  check(instantiateWithFlags_ ? instantiateWithFlags_(&executable, graph, 0)
                              : instantiateWithLog_(&executable, graph, nullptr, nullptr, 0),
        "preparing a plan");
  return executable;
}

void Driver::check(Result result, const char* doing) const {
  if (result == 0) return;
  const char *name = "CUDA_ERROR_UNKNOWN", *meaning = "unknown error";
  errorName_(result, &name);
  errorString_(result, &meaning);
  throw DriverError(std::string(doing) + ": " + meaning + " (" + name + ")", name);
}

}  // namespace cuda

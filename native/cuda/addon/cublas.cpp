// Opens cuBLASLt; cublas.hpp describes it.
#include "cublas.hpp"

#include <uv.h>

#include <map>
#include <mutex>

#include "driver.hpp"

namespace cuda::cublas {
namespace {

/// Makes the loader's message one line that begins with the path. On Linux it already is. On Windows it names no file
/// and ends with a line break.
std::string loaderMessage(const std::string& path, std::string message) {
  message.erase(message.find_last_not_of(" \r\n") + 1);
  return message.rfind(path, 0) == 0 ? message : path + ": " + message;
}

}  // namespace

const Library& Library::open(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Library>> opened;
  std::lock_guard<std::mutex> lock(mutex);
  auto& library = opened[path];
  if (library) return *library;
  uv_lib_t file;
  if (uv_dlopen(path.c_str(), &file) != 0) {
    const DriverError error(loaderMessage(path, uv_dlerror(&file)), "NO_CUBLAS");
    uv_dlclose(&file);
    throw error;
  }
  auto loading = std::make_unique<Library>();
  loading->path = path;
#define CUBLAS_FIND(member, name, Result, parameters)                         \
  if (uv_dlsym(&file, name, reinterpret_cast<void**>(&loading->member)) != 0) \
    throw DriverError(path + " lacks the function " name, "NO_CUBLAS");
  CUBLAS_FUNCTIONS(CUBLAS_FIND)
#undef CUBLAS_FIND
  library = std::move(loading);
  return *library;
}

void Library::check(Status status, const std::string& doing) const {
  if (status == kSuccess) return;
  const char* name = statusName(status);
  throw DriverError(doing + ": " + name, name);
}

}  // namespace cuda::cublas

// The JavaScript interface of the GPU: functions on handles and typed arrays, which are not checked here.
// lib/engine/gpu/device/addon.ts declares them. Addresses of the device are numbers.
#include <napi.h>

#include "launches.hpp"
#include "run.hpp"

namespace {

using cuda::Bytes;
using cuda::Device;
using cuda::DriverError;
using cuda::Plan;
using cuda::Run;

/// Calls f and turns its C++ exceptions into JavaScript exceptions with a property `code`.
template <class F>
auto guarded(Napi::Env env, F f) -> decltype(f()) {
  try {
    return f();
  } catch (const DriverError& e) {
    Napi::Error error = Napi::Error::New(env, e.what());
    error.Set("code", Napi::String::New(env, e.code));
    throw error;
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& e) {
    throw Napi::Error::New(env, e.what());
  }
}

using DeviceHandle = Napi::External<std::shared_ptr<Device>>;
using PlanHandle = Napi::External<std::shared_ptr<Plan>>;

template <class T>
Napi::Value wrap(Napi::Env env, std::shared_ptr<T> object) {
  return Napi::External<std::shared_ptr<T>>::New(env, new std::shared_ptr<T>(std::move(object)),
                                                 [](Napi::Env, std::shared_ptr<T>* held) { delete held; });
}
/// Throws after close().
template <class T>
std::shared_ptr<T>& unwrap(const Napi::Value& value) {
  auto& held = *value.As<Napi::External<std::shared_ptr<T>>>().Data();
  if (!held) throw Napi::Error::New(value.Env(), "the GPU was closed");
  return held;
}

uint64_t addressOf(const Napi::Value& value) { return static_cast<uint64_t>(value.As<Napi::Number>().DoubleValue()); }

Bytes bytesOf(const Napi::Value& value) {
  const auto array = value.As<Napi::TypedArray>();
  return {static_cast<unsigned char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

/// open(library, ordinal) → a device
Napi::Value open(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const int ordinal = info[1].As<Napi::Number>().Int32Value();
    return wrap(info.Env(), std::make_shared<Device>(info[0].As<Napi::String>(), ordinal));
  });
}

/// load(device, ptx): compiles the kernels
void load(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { unwrap<Device>(info[0])->loadKernels(info[1].As<Napi::String>()); });
}

/// properties(device) → {name, uuid, compute, multiprocessors, driver, sharedMemory}
Napi::Value properties(const Napi::CallbackInfo& info) {
  const auto& p = unwrap<Device>(info[0])->properties();
  auto out = Napi::Object::New(info.Env());
  out.Set("name", p.name);
  out.Set("uuid", p.uuid);
  out.Set("compute", p.major * 10 + p.minor);
  out.Set("multiprocessors", p.multiprocessors);
  out.Set("driver", p.driverVersion);
  out.Set("sharedMemory", p.sharedMemory);
  return out;
}

/// memory(device) → {free, total}, in bytes
Napi::Value memory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    size_t free = 0, total = 0;
    unwrap<Device>(info[0])->memory(&free, &total);
    auto out = Napi::Object::New(info.Env());
    out.Set("free", static_cast<double>(free));
    out.Set("total", static_cast<double>(total));
    return out;
  });
}

/// residentBlocks(device, kernel, threads, shared) → number
Napi::Value residentBlocks(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    const int threads = info[2].As<Napi::Number>().Int32Value();
    const unsigned shared = info[3].As<Napi::Number>().Uint32Value();
    return Napi::Number::New(info.Env(), device->residentBlocks(info[1].As<Napi::String>(), threads, shared));
  });
}

/// allocate(device, bytes) → address. The memory is zeros.
Napi::Value allocate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    const auto size = static_cast<size_t>(addressOf(info[1]));
    const cuda::Pointer pointer = device->allocate(size);
    device->driver.check(device->driver.clear(pointer, 0, size, device->stream), "clearing memory of the GPU");
    return Napi::Number::New(info.Env(), static_cast<double>(pointer));
  });
}

/// free(device, address)
void release(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    device->free(addressOf(info[1]));
  });
}

/// write(device, address, array)
void write(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    device->use();
    const Bytes from = bytesOf(info[2]);
    device->driver.check(device->driver.copyToDevice(addressOf(info[1]), from.data, from.size, device->stream),
                         "copying to the GPU");
    device->driver.check(device->driver.synchronize(device->stream), "copying to the GPU");
  });
}

/// read(device, address, array)
void read(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    device->use();
    const Bytes to = bytesOf(info[2]);
    device->driver.check(device->driver.copyToHost(to.data, addressOf(info[1]), to.size, device->stream),
                         "copying from the GPU");
    device->driver.check(device->driver.synchronize(device->stream), "copying from the GPU");
  });
}

/// openProducts(device, libraries, largestWorkspace) → {library, version}: opens cuBLASLt
Napi::Value openProducts(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    const auto list = info[1].As<Napi::Array>();
    std::vector<std::string> libraries;
    for (uint32_t i = 0; i < list.Length(); i++) libraries.push_back(list.Get(i).As<Napi::String>());
    device->openProducts(libraries, static_cast<size_t>(addressOf(info[2])));
    const auto& library = device->products().library();
    auto out = Napi::Object::New(info.Env());
    out.Set("library", library.path);
    out.Set("version", static_cast<double>(library.version()));
    return out;
  });
}

/// workspaceOf(device, shape) → bytes, or −1 if cuBLASLt has no algorithm for such a product
Napi::Value workspaceOf(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    std::lock_guard<std::mutex> lock(device->busy);
    device->use();
    const auto bytes = device->products().workspaceOf(cuda::shapeOf(info[1].As<Napi::Object>()));
    return Napi::Number::New(info.Env(), static_cast<double>(bytes));
  });
}

/// plan(device, launches) → a plan. launches.hpp says what a launch is.
Napi::Value makePlan(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    auto launches = cuda::launchesOf(info[1].As<Napi::Array>());
    std::lock_guard<std::mutex> lock(device->busy);
    device->use();
    return wrap(info.Env(), std::make_shared<Plan>(device, std::move(launches)));
  });
}

/// Calls wait() on a thread of libuv, and then settles a promise.
class Waiting : public Napi::AsyncWorker {
 public:
  explicit Waiting(Napi::Env env) : AsyncWorker(env), deferred(Napi::Promise::Deferred::New(env)) {}

  void Execute() override {
    try {
      wait();
    } catch (const DriverError& e) {
      code_ = e.code;
      SetError(e.what());
    } catch (const std::exception& e) {
      SetError(e.what());
    }
  }
  void OnOK() override {
    finish();
    deferred.Resolve(Env().Undefined());
  }
  void OnError(const Napi::Error& error) override {
    error.Value().Set("code", Napi::String::New(Env(), code_));
    deferred.Reject(error.Value());
  }

  const Napi::Promise::Deferred deferred;

 protected:
  /// On a thread of libuv.
  virtual void wait() = 0;
  /// On the JavaScript thread, unless wait() threw.
  virtual void finish() {}

 private:
  std::string code_;
};

/// Queues the job and returns its promise. The job deletes itself.
Napi::Value queue(Waiting* job) {
  const Napi::Promise promise = job->deferred.Promise();
  job->Queue();
  return promise;
}

class Reading : public Waiting {
 public:
  explicit Reading(const Napi::CallbackInfo& info)
      : Waiting(info.Env()),
        device_(unwrap<Device>(info[0])),
        from_(addressOf(info[1])),
        to_(bytesOf(info[2])),
        kept_(Napi::Persistent(info[2].As<Napi::Object>())) {}

 protected:
  void wait() override {
    std::lock_guard<std::mutex> lock(device_->busy);
    const cuda::Driver& driver = device_->driver;
    device_->use();
    driver.check(driver.copyToHost(to_.data, from_, to_.size, device_->stream), "copying from the GPU");
    driver.check(driver.synchronize(device_->stream), "copying from the GPU");
  }

 private:
  const std::shared_ptr<Device> device_;
  const uint64_t from_;
  const Bytes to_;
  const Napi::ObjectReference kept_;  // keeps the array until it is filled
};

/// readLater(device, address, array) → a promise: as read, on another thread.
Napi::Value readLater(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return queue(new Reading(info)); });
}

/// Reads a list that alternates between an address and an array.
Run::Copies copiesOf(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  Run::Copies copies;
  for (uint32_t i = 0; i < list.Length(); i += 2) copies.push_back({addressOf(list.Get(i)), bytesOf(list.Get(i + 1))});
  return copies;
}

class Running : public Waiting {
 public:
  Running(const Napi::CallbackInfo& info, std::unique_ptr<Run> run) : Waiting(info.Env()), run_(std::move(run)) {
    const auto downloads = info[3].As<Napi::Array>();
    for (uint32_t i = 1; i < downloads.Length(); i += 2)
      kept_.push_back(Napi::Persistent(downloads.Get(i).As<Napi::Object>()));
  }

 protected:
  void wait() override { run_->wait(); }
  void finish() override { run_->finish(); }

 private:
  const std::unique_ptr<Run> run_;
  std::vector<Napi::ObjectReference> kept_;  // keeps the arrays of the downloads until they are filled
};

std::unique_ptr<Run> start(const Napi::CallbackInfo& info) {
  return std::make_unique<Run>(unwrap<Device>(info[0]), unwrap<Plan>(info[1]), copiesOf(info[2]), copiesOf(info[3]));
}

/// run(device, plan, uploads, downloads) → a promise. Both lists alternate between an address and an array. The run is
/// started before this returns.
Napi::Value run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return queue(new Running(info, start(info))); });
}

/// runNow(device, plan, uploads, downloads): the same, and waits.
void runNow(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    const auto run = start(info);
    run->wait();
    run->finish();
  });
}

/// close(device or plan): releases it. Plans and runs keep their device open until they end.
void closeDevice(const Napi::CallbackInfo& info) { info[0].As<DeviceHandle>().Data()->reset(); }
void closePlan(const Napi::CallbackInfo& info) { info[0].As<PlanHandle>().Data()->reset(); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New<open>(env));
  exports.Set("load", Napi::Function::New<load>(env));
  exports.Set("properties", Napi::Function::New<properties>(env));
  exports.Set("memory", Napi::Function::New<memory>(env));
  exports.Set("residentBlocks", Napi::Function::New<residentBlocks>(env));
  exports.Set("allocate", Napi::Function::New<allocate>(env));
  exports.Set("free", Napi::Function::New<release>(env));
  exports.Set("write", Napi::Function::New<write>(env));
  exports.Set("read", Napi::Function::New<read>(env));
  exports.Set("readLater", Napi::Function::New<readLater>(env));
  exports.Set("openProducts", Napi::Function::New<openProducts>(env));
  exports.Set("workspaceOf", Napi::Function::New<workspaceOf>(env));
  exports.Set("plan", Napi::Function::New<makePlan>(env));
  exports.Set("run", Napi::Function::New<run>(env));
  exports.Set("runNow", Napi::Function::New<runNow>(env));
  exports.Set("closeDevice", Napi::Function::New<closeDevice>(env));
  exports.Set("closePlan", Napi::Function::New<closePlan>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(cuda, initialize)

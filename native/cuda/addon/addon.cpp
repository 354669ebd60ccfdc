// The JavaScript interface of the GPU: functions on handles and typed arrays. lib/engine/gpu/addon.ts declares it and
// checks what it passes; addresses of the device are numbers.
#include <napi.h>

#include <cstring>

#include "plan.hpp"

namespace {

using cuda::Device;
using cuda::DriverError;
using cuda::Plan;

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

struct Bytes {
  unsigned char* data;
  size_t size;
};
Bytes bytesOf(const Napi::Value& value) {
  const auto array = value.As<Napi::TypedArray>();
  return {static_cast<unsigned char*>(array.ArrayBuffer().Data()) + array.ByteOffset(), array.ByteLength()};
}

/// open(library, ordinal, ptx) → a device with its kernels compiled
Napi::Value open(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto device = std::make_shared<Device>(info[0].As<Napi::String>(), info[1].As<Napi::Number>().Int32Value());
    device->loadKernels(info[2].As<Napi::String>());
    return wrap(info.Env(), std::move(device));
  });
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

/// plan(device, launches) → a plan. A launch is {kernel, grid: [x, y, z], threads, shared, kinds, values}: kinds has a
/// letter for each value, f for a float, else i.
Napi::Value makePlan(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    const auto list = info[1].As<Napi::Array>();
    std::vector<cuda::Launch> launches(list.Length());
    for (uint32_t i = 0; i < list.Length(); i++) {
      const auto from = list.Get(i).As<Napi::Object>();
      cuda::Launch& l = launches[i];
      l.kernel = from.Get("kernel").As<Napi::String>();
      const auto grid = from.Get("grid").As<Napi::Array>();
      for (uint32_t d = 0; d < 3; d++) l.grid[d] = grid.Get(d).As<Napi::Number>().Uint32Value();
      l.threads = from.Get("threads").As<Napi::Number>().Uint32Value();
      l.sharedBytes = from.Get("shared").As<Napi::Number>().Uint32Value();
      const std::string kinds = from.Get("kinds").As<Napi::String>();
      const auto values = from.Get("values").As<Napi::Array>();
      for (uint32_t a = 0; a < values.Length(); a++) {
        const double value = values.Get(a).As<Napi::Number>().DoubleValue();
        uint64_t slot = 0;
        if (kinds[a] == 'f') {
          const float single = static_cast<float>(value);
          memcpy(&slot, &single, sizeof single);
        } else {
          slot = static_cast<uint64_t>(static_cast<int64_t>(value));
        }
        l.arguments.push_back(slot);
      }
    }
    std::lock_guard<std::mutex> lock(device->busy);
    device->use();
    return wrap(info.Env(), std::make_shared<Plan>(device, std::move(launches)));
  });
}

/// Copies to the device, a plan, copies from the device. Runs on a thread of libuv.
class Run : public Napi::AsyncWorker {
 public:
  Run(const Napi::CallbackInfo& info)
      : AsyncWorker(info.Env()),
        deferred(Napi::Promise::Deferred::New(info.Env())),
        device_(unwrap<Device>(info[0])),
        plan_(unwrap<Plan>(info[1])) {
    const auto uploads = info[2].As<Napi::Array>(), downloads = info[3].As<Napi::Array>();
    for (uint32_t i = 0; i < uploads.Length(); i += 2) {
      const Bytes from = bytesOf(uploads.Get(i + 1));
      uploads_.push_back({addressOf(uploads.Get(i)), {from.data, from.data + from.size}});
    }
    for (uint32_t i = 0; i < downloads.Length(); i += 2) {
      downloads_.push_back({addressOf(downloads.Get(i)), bytesOf(downloads.Get(i + 1))});
      kept_.push_back(Napi::Persistent(downloads.Get(i + 1).As<Napi::Object>()));
    }
  }

  void Execute() override {
    try {
      std::lock_guard<std::mutex> lock(device_->busy);
      const cuda::Driver& driver = device_->driver;
      device_->use();
      for (const auto& [to, bytes] : uploads_)
        driver.check(driver.copyToDevice(to, bytes.data(), bytes.size(), device_->stream), "copying to the GPU");
      plan_->start();
      for (const auto& [from, to] : downloads_)
        driver.check(driver.copyToHost(to.data, from, to.size, device_->stream), "copying from the GPU");
      driver.check(driver.synchronize(device_->stream), "running a plan");
    } catch (const DriverError& e) {
      code_ = e.code;
      SetError(e.what());
    } catch (const std::exception& e) {
      SetError(e.what());
    }
  }
  void OnOK() override { deferred.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override {
    error.Value().Set("code", Napi::String::New(Env(), code_));
    deferred.Reject(error.Value());
  }

  const Napi::Promise::Deferred deferred;

 private:
  const std::shared_ptr<Device> device_;
  const std::shared_ptr<Plan> plan_;
  std::vector<std::pair<uint64_t, std::vector<unsigned char>>> uploads_;
  std::vector<std::pair<uint64_t, Bytes>> downloads_;
  std::vector<Napi::ObjectReference> kept_;  // the arrays of the downloads, until they are filled
  std::string code_;
};

/// Copies from the device. Runs on a thread of libuv.
class Read : public Napi::AsyncWorker {
 public:
  Read(const Napi::CallbackInfo& info)
      : AsyncWorker(info.Env()),
        deferred(Napi::Promise::Deferred::New(info.Env())),
        device_(unwrap<Device>(info[0])),
        from_(addressOf(info[1])),
        to_(bytesOf(info[2])),
        kept_(Napi::Persistent(info[2].As<Napi::Object>())) {}

  void Execute() override {
    try {
      std::lock_guard<std::mutex> lock(device_->busy);
      const cuda::Driver& driver = device_->driver;
      device_->use();
      driver.check(driver.copyToHost(to_.data, from_, to_.size, device_->stream), "copying from the GPU");
      driver.check(driver.synchronize(device_->stream), "copying from the GPU");
    } catch (const DriverError& e) {
      code_ = e.code;
      SetError(e.what());
    } catch (const std::exception& e) {
      SetError(e.what());
    }
  }
  void OnOK() override { deferred.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override {
    error.Value().Set("code", Napi::String::New(Env(), code_));
    deferred.Reject(error.Value());
  }

  const Napi::Promise::Deferred deferred;

 private:
  const std::shared_ptr<Device> device_;
  const uint64_t from_;
  const Bytes to_;
  const Napi::ObjectReference kept_;  // the array, until it is filled
  std::string code_;
};

/// readLater(device, address, array) → a promise: as read, on another thread.
Napi::Value readLater(const Napi::CallbackInfo& info) {
  auto* job = new Read(info);
  const Napi::Promise promise = job->deferred.Promise();
  job->Queue();
  return promise;
}

/// run(device, plan, uploads, downloads) → a promise. Both lists alternate between an address and an array.
Napi::Value run(const Napi::CallbackInfo& info) {
  auto* job = new Run(info);
  const Napi::Promise promise = job->deferred.Promise();
  job->Queue();
  return promise;
}

/// runNow(device, plan, uploads, downloads): the same, and waits.
void runNow(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] {
    auto& device = unwrap<Device>(info[0]);
    auto& plan = unwrap<Plan>(info[1]);
    const cuda::Driver& driver = device->driver;
    std::lock_guard<std::mutex> lock(device->busy);
    device->use();
    const auto forEach = [&](const Napi::Value& list, auto copy) {
      const auto pairs = list.As<Napi::Array>();
      for (uint32_t i = 0; i < pairs.Length(); i += 2) copy(addressOf(pairs.Get(i)), bytesOf(pairs.Get(i + 1)));
    };
    forEach(info[2], [&](uint64_t to, Bytes from) {
      driver.check(driver.copyToDevice(to, from.data, from.size, device->stream), "copying to the GPU");
    });
    plan->start();
    forEach(info[3], [&](uint64_t from, Bytes to) {
      driver.check(driver.copyToHost(to.data, from, to.size, device->stream), "copying from the GPU");
    });
    driver.check(driver.synchronize(device->stream), "running a plan");
  });
}

/// close(device or plan): lets go of it. Plans and runs keep their device until they end.
void closeDevice(const Napi::CallbackInfo& info) { info[0].As<DeviceHandle>().Data()->reset(); }
void closePlan(const Napi::CallbackInfo& info) { info[0].As<PlanHandle>().Data()->reset(); }

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("open", Napi::Function::New<open>(env));
  exports.Set("properties", Napi::Function::New<properties>(env));
  exports.Set("memory", Napi::Function::New<memory>(env));
  exports.Set("residentBlocks", Napi::Function::New<residentBlocks>(env));
  exports.Set("allocate", Napi::Function::New<allocate>(env));
  exports.Set("free", Napi::Function::New<release>(env));
  exports.Set("write", Napi::Function::New<write>(env));
  exports.Set("read", Napi::Function::New<read>(env));
  exports.Set("readLater", Napi::Function::New<readLater>(env));
  exports.Set("plan", Napi::Function::New<makePlan>(env));
  exports.Set("run", Napi::Function::New<run>(env));
  exports.Set("runNow", Napi::Function::New<runNow>(env));
  exports.Set("closeDevice", Napi::Function::New<closeDevice>(env));
  exports.Set("closePlan", Napi::Function::New<closePlan>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(cuda, initialize)

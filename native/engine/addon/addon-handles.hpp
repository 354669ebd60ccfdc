// The objects of the engine that JavaScript holds: handles of models and decoders. Its garbage collector frees them.
#pragma once
#include <memory>
#include <mutex>
#include <unordered_set>

#include "addon-arguments.hpp"
#include "src/trainer.hpp"

namespace engine {

/// A model of JavaScript. `trainer` is null after dispose().
struct ModelHandle {
  std::shared_ptr<Trainer> trainer;
  int vocabulary, block;
};

/// A decoder of JavaScript. `decoder` is null after decoderDispose().
struct DecoderHandle {
  std::shared_ptr<Trainer> trainer;  // whose weights the decoder reads
  std::unique_ptr<Decoder> decoder;
  size_t streams, vocabulary;
};

/// All live handles of one type. With this set, unwrap() recognises a handle of another type, or of another addon,
/// without reading its memory.
template <class T>
struct LiveHandles {
  static inline std::mutex mutex;
  static inline std::unordered_set<void*> all;
};

/// Passes a handle to JavaScript, whose garbage collector then owns it.
template <class T>
napi_value wrap(napi_env env, std::unique_ptr<T> handle) {
  const auto forget = [](napi_env, void* p, void*) {
    std::lock_guard<std::mutex> lock(LiveHandles<T>::mutex);
    LiveHandles<T>::all.erase(p);
    delete static_cast<T*>(p);
  };
  napi_value value;
  check(napi_create_external(env, handle.get(), forget, nullptr, &value));
  std::lock_guard<std::mutex> lock(LiveHandles<T>::mutex);
  LiveHandles<T>::all.insert(handle.get());
  handle.release();
  return value;
}

/// The handle in a JavaScript value. Throws if it is not a live handle of this type.
template <class T>
T& unwrap(napi_env env, napi_value value) {
  void* p;
  check(napi_get_value_external(env, value, &p));
  std::lock_guard<std::mutex> lock(LiveHandles<T>::mutex);
  if (LiveHandles<T>::all.count(p) == 0) fail("a handle is of another kind");
  return *static_cast<T*>(p);
}

/// The model in a JavaScript value. Throws after dispose().
inline ModelHandle& model(napi_env env, napi_value value) {
  auto& handle = unwrap<ModelHandle>(env, value);
  if (!handle.trainer) fail("the model was disposed of");
  return handle;
}

}  // namespace engine

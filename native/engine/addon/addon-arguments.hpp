// Converts arguments of the addon's functions from JavaScript to C++, and results back to JavaScript. Every function
// throws std::runtime_error with a message for the user if a value has the wrong type or range. The configuration of a
// model is read in addon.cpp.
#pragma once
#include <node_api.h>

#include <cmath>
#include <new>
#include <stdexcept>
#include <string>

namespace engine {

[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

/// Throws if a call of Node-API failed.
inline void check(napi_status status) {
  if (status != napi_ok) fail("an argument has the wrong type");
}

/// Calls f and turns its C++ exceptions into JavaScript exceptions.
template <class F>
napi_value guarded(napi_env env, F f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, nullptr, "not enough memory");
  } catch (const std::exception& e) {
    napi_throw_error(env, nullptr, e.what());
  }
  return nullptr;
}

/// The first `count` arguments of a call. Throws if there are fewer.
template <size_t count>
struct Arguments {
  napi_value values[count];
  Arguments(napi_env env, napi_callback_info info) {
    size_t argumentCount = count;
    check(napi_get_cb_info(env, info, &argumentCount, values, nullptr, nullptr));
    if (argumentCount < count) fail("too few arguments");
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

inline double readNumber(napi_env env, napi_value value) {
  double x;
  check(napi_get_value_double(env, value, &x));
  return x;
}
/// The property `name` of an object; undefined if it is missing.
inline napi_value getProperty(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value));
  return value;
}
/// The property `name` of an object, which must be a number.
inline double readNumber(napi_env env, napi_value object, const char* name) {
  return readNumber(env, getProperty(env, object, name));
}
constexpr double kMaxSafeInteger = 9007199254740991.0;
/// Largest size of anything in a model. Products of two such sizes are far below the limit of size_t.
constexpr double kMaxSize = 1 << 24;
constexpr double kMaxThreads = 4096, kMaxStreams = 1 << 16;

/// An integer from `min` to `max`. `name` is used in the error message.
inline int64_t readInteger(napi_env env, napi_value value, const char* name, double min, double max) {
  const double x = readNumber(env, value);
  if (!(x >= min && x <= max && x == std::floor(x)))
    fail(std::string(name) + " is not a whole number from " + std::to_string(static_cast<int64_t>(min)) + " to " +
         std::to_string(static_cast<int64_t>(max)));
  return static_cast<int64_t>(x);
}
inline int readInt(napi_env env, napi_value value, const char* name, double min = 1, double max = kMaxSize) {
  return static_cast<int>(readInteger(env, value, name, min, max));
}
/// At most 255 bytes of a string.
inline std::string readString(napi_env env, napi_value value) {
  char buffer[256];
  size_t length;
  check(napi_get_value_string_utf8(env, value, buffer, sizeof buffer, &length));
  return std::string(buffer, length);
}

/// The elements of a JavaScript typed array, which owns them.
template <class T>
struct TypedArray {
  T* data;
  size_t size;
};
template <class T>
TypedArray<T> readTypedArray(napi_env env, napi_value value, napi_typedarray_type wanted) {
  napi_typedarray_type type;
  size_t size;
  void* data;
  check(napi_get_typedarray_info(env, value, &type, &size, &data, nullptr, nullptr));
  if (type != wanted) fail("an array has the wrong type");
  return {static_cast<T*>(data), size};
}
inline TypedArray<float> readFloats(napi_env env, napi_value value) {
  return readTypedArray<float>(env, value, napi_float32_array);
}
inline TypedArray<uint32_t> readTokens(napi_env env, napi_value value) {
  return readTypedArray<uint32_t>(env, value, napi_uint32_array);
}

/// Whether a value is not undefined.
inline bool isDefined(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type));
  return type != napi_undefined;
}

inline napi_value toJsNumber(napi_env env, double x) {
  napi_value value;
  check(napi_create_double(env, x, &value));
  return value;
}
/// Sets the property `name` of an object.
inline void setNumber(napi_env env, napi_value object, const char* name, double x) {
  check(napi_set_named_property(env, object, name, toJsNumber(env, x)));
}

}  // namespace engine

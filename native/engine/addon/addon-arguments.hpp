// What JavaScript hands to a function of the addon, as C++ has it, or an error in words; and numbers the other way.
// What a model is made of is read in addon.cpp.
#pragma once
#include <node_api.h>

#include <cmath>
#include <new>
#include <stdexcept>
#include <string>

namespace engine {

[[noreturn]] inline void fail(const std::string& message) { throw std::runtime_error(message); }

inline void check(napi_status status) {
  if (status != napi_ok) fail("an argument has the wrong type");
}

/// Calls f and turns what it throws into a JavaScript exception.
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

template <size_t count>
struct Arguments {
  napi_value values[count];
  Arguments(napi_env env, napi_callback_info info) {
    size_t given = count;
    check(napi_get_cb_info(env, info, &given, values, nullptr, nullptr));
    if (given < count) fail("too few arguments");
  }
  napi_value operator[](size_t i) const { return values[i]; }
};

inline double number(napi_env env, napi_value value) {
  double x;
  check(napi_get_value_double(env, value, &x));
  return x;
}
inline napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value));
  return value;
}
inline double number(napi_env env, napi_value object, const char* name) {
  return number(env, property(env, object, name));
}
constexpr double kExact = 9007199254740991.0;
/// sizes beyond this are no models; products of two are far from the end of size_t
constexpr double kLargest = 1 << 24;
constexpr double kMostThreads = 4096, kMostStreams = 1 << 16;

/// a whole number from `least` to `most`
inline int64_t whole(napi_env env, napi_value value, const char* name, double least, double most) {
  const double x = number(env, value);
  if (!(x >= least && x <= most && x == std::floor(x)))
    fail(std::string(name) + " is not a whole number from " + std::to_string(static_cast<int64_t>(least)) + " to " +
         std::to_string(static_cast<int64_t>(most)));
  return static_cast<int64_t>(x);
}
inline int count(napi_env env, napi_value value, const char* name, double least = 1, double most = kLargest) {
  return static_cast<int>(whole(env, value, name, least, most));
}
inline std::string text(napi_env env, napi_value value) {
  char buffer[256];
  size_t length;
  check(napi_get_value_string_utf8(env, value, buffer, sizeof buffer, &length));
  return std::string(buffer, length);
}

template <class T>
struct Array {
  T* data;
  size_t size;
};
template <class T>
Array<T> array(napi_env env, napi_value value, napi_typedarray_type wanted) {
  napi_typedarray_type type;
  size_t size;
  void* data;
  check(napi_get_typedarray_info(env, value, &type, &size, &data, nullptr, nullptr));
  if (type != wanted) fail("an array has the wrong type");
  return {static_cast<T*>(data), size};
}
inline Array<float> floats(napi_env env, napi_value value) { return array<float>(env, value, napi_float32_array); }
inline Array<uint32_t> tokens(napi_env env, napi_value value) { return array<uint32_t>(env, value, napi_uint32_array); }

inline bool isGiven(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type));
  return type != napi_undefined;
}

inline napi_value asValue(napi_env env, double x) {
  napi_value value;
  check(napi_create_double(env, x, &value));
  return value;
}
inline void set(napi_env env, napi_value object, const char* name, double x) {
  check(napi_set_named_property(env, object, name, asValue(env, x)));
}

}  // namespace engine

// The JavaScript interface of the engine: functions on handles and typed arrays. lib/engine/native calls them and
// checks the arguments. The addon repeats only the checks without which the process could crash. Here are the table of
// functions and those of a model; addon-run.cpp and addon-decoder.cpp have the others.
#define NAPI_VERSION 8
#include <node_api.h>

#include <memory>
#include <mutex>
#include <string>

#include "addon-handles.hpp"

namespace engine {

// addon-run.cpp
napi_value run(napi_env env, napi_callback_info info);
// addon-decoder.cpp
napi_value decoder(napi_env env, napi_callback_info info);
napi_value decoderStep(napi_env env, napi_callback_info info);
napi_value decoderReset(napi_env env, napi_callback_info info);
napi_value decoderDispose(napi_env env, napi_callback_info info);
// addon-kernels.cpp
napi_value kernel(napi_env env, napi_callback_info info);

namespace {

// ── configuration ────────────────────────────────────────────────────────────────────────────────────────────────

/// Reads the configuration of a model, as lib/models writes it. Numbers and booleans that not every architecture has go
/// to Config::settings, strings to Config::words.
Config readConfig(napi_env env, napi_value o) {
  const auto size = [&](const char* name) { return readInt(env, getProperty(env, o, name), name); };
  Config c;
  c.architecture = readString(env, getProperty(env, o, "architecture"));
  c.vocabulary = size("vocabularySize");
  c.block = size("block");
  c.layers = size("layers");
  c.width = size("width");
  c.dropout = static_cast<float>(readNumber(env, o, "dropout"));
  if (!(c.dropout >= 0 && c.dropout < 1)) fail("dropout must be at least 0 and below 1");
  napi_value names;
  uint32_t length;
  check(napi_get_property_names(env, o, &names));
  check(napi_get_array_length(env, names, &length));
  for (uint32_t i = 0; i < length; i++) {
    napi_value name, value;
    napi_valuetype type;
    check(napi_get_element(env, names, i, &name));
    check(napi_get_property(env, o, name, &value));
    check(napi_typeof(env, value, &type));
    bool truth;
    if (type == napi_number)
      c.settings[readString(env, name)] = readNumber(env, value);
    else if (napi_get_value_bool(env, value, &truth) == napi_ok)
      c.settings[readString(env, name)] = truth;
    else if (type == napi_string)
      c.words[readString(env, name)] = readString(env, value);
  }
  return c;
}

/// [{name, size, decay}, …]
ParameterTable readParameterTable(napi_env env, napi_value list) {
  uint32_t length;
  check(napi_get_array_length(env, list, &length));
  ParameterTable table;
  for (uint32_t i = 0; i < length; i++) {
    napi_value item, name;
    check(napi_get_element(env, list, i, &item));
    check(napi_get_named_property(env, item, "name", &name));
    const auto size = static_cast<size_t>(readInteger(env, getProperty(env, item, "size"), "size", 1, kMaxSafeInteger));
    table.add(readString(env, name), size, readNumber(env, item, "decay") != 0);
    if (table.total() > kMaxSafeInteger) fail("there are too many parameters");
  }
  return table;
}

/// The table of kernels `name` (empty: the best) with products of `precision`.
const Kernels& findKernels(const std::string& name, const std::string& precision) {
  const Kernels* kernels = chooseKernels(name.c_str());
  if (!kernels) fail("this CPU has no kernels named " + name);
  return precision == "bf16" ? *kernels->bf16 : *kernels->fp32;
}

// ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────

/// kernelsName(wanted | "", precision) → name of the kernels for this CPU, or undefined if it lacks them
napi_value kernelsName(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> a(env, info);
    const std::string wanted = readString(env, a[0]), precision = readString(env, a[1]);
    napi_value name;
    if (!chooseKernels(wanted.c_str())) return nullptr;
    check(napi_create_string_utf8(env, findKernels(wanted, precision).name, NAPI_AUTO_LENGTH, &name));
    return name;
  });
}

/// architectures() → names of the architectures
napi_value architectureNames(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    napi_value list;
    check(napi_create_array(env, &list));
    for (const std::string& name : architectures()) {
      napi_value value;
      uint32_t length;
      check(napi_create_string_utf8(env, name.data(), name.size(), &value));
      check(napi_get_array_length(env, list, &length));
      check(napi_set_element(env, list, length, value));
    }
    return list;
  });
}

/// create(config, parameters, threads, kernels, precision) → model
napi_value create(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<5> a(env, info);
    const Config config = readConfig(env, a[0]);
    auto trainer =
        std::make_shared<Trainer>(config, findKernels(readString(env, a[3]), readString(env, a[4])),
                                  readParameterTable(env, a[1]), readInt(env, a[2], "threads", 1, kMaxThreads));
    return wrap(env, std::make_unique<ModelHandle>(ModelHandle{std::move(trainer), config.vocabulary, config.block}));
  });
}

/// memory(config, parameters, threads, batch, microbatch, kernels, precision) → bytes
napi_value memory(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<7> a(env, info);
    return toJsNumber(env,
                      Trainer::memory(readConfig(env, a[0]), findKernels(readString(env, a[5]), readString(env, a[6])),
                                      readParameterTable(env, a[1]), readInt(env, a[2], "threads", 1, kMaxThreads),
                                      readInt(env, a[3], "batch"), readInt(env, a[4], "microbatch", 0)));
  });
}

/// Copies one of the model's arrays of parameters into a Float32Array, or from it if `writing`.
napi_value transfer(napi_env env, napi_callback_info info, bool writing) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<3> a(env, info);
    Trainer& trainer = *model(env, a[0]).trainer;
    const auto which = static_cast<Trainer::ParameterArray>(readInt(env, a[1], "which", 0, 2));
    const auto values = readFloats(env, a[2]);
    if (values.size != trainer.parameterCount()) fail("an array is not as long as the parameters");
    std::lock_guard<std::mutex> lock(trainer.busy);
    if (writing)
      trainer.write(which, values.data);
    else
      trainer.read(which, values.data);
    return nullptr;
  });
}
/// read(model, which, out), write(model, which, in); which: 0 weights, 1 first moments, 2 second moments
napi_value read(napi_env env, napi_callback_info info) { return transfer(env, info, false); }
napi_value write(napi_env env, napi_callback_info info) { return transfer(env, info, true); }

/// step(model) → number
napi_value step(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<1> a(env, info);
    return toJsNumber(env, static_cast<double>(model(env, a[0]).trainer->step()));
  });
}
/// setStep(model, number)
napi_value setStep(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> a(env, info);
    model(env, a[0]).trainer->setStep(readInteger(env, a[1], "step", 0, kMaxSafeInteger));
    return nullptr;
  });
}

/// dispose(model): releases the memory as soon as no job uses it
napi_value dispose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<1> a(env, info);
    unwrap<ModelHandle>(env, a[0]).trainer.reset();
    return nullptr;
  });
}

}  // namespace
}  // namespace engine

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"kernelsName", engine::kernelsName},
      {"architectures", engine::architectureNames},
      {"create", engine::create},
      {"memory", engine::memory},
      {"read", engine::read},
      {"write", engine::write},
      {"step", engine::step},
      {"setStep", engine::setStep},
      {"dispose", engine::dispose},
      {"run", engine::run},
      {"decoder", engine::decoder},
      {"decoderStep", engine::decoderStep},
      {"decoderReset", engine::decoderReset},
      {"decoderDispose", engine::decoderDispose},
      {"kernel", engine::kernel},
  };
  for (const auto& f : functions) {
    napi_value value;
    if (napi_create_function(env, f.name, NAPI_AUTO_LENGTH, f.function, nullptr, &value) != napi_ok ||
        napi_set_named_property(env, exports, f.name, value) != napi_ok)
      return nullptr;
  }
  return exports;
}

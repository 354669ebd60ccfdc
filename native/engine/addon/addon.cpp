// The JavaScript interface of the engine: functions on handles and typed arrays. lib/engine/native calls them and
// checks the arguments. This file repeats only the checks without which the process could crash. Training and
// evaluation run on a libuv thread and on the threads of the Trainer; decoder steps run on the calling thread.
#define NAPI_VERSION 8
#include <node_api.h>

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "addon-arguments.hpp"
#include "src/trainer.hpp"

namespace engine {

napi_value kernel(napi_env env, napi_callback_info info);  // addon-kernels.cpp

namespace {

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

// ── handles ──────────────────────────────────────────────────────────────────────────────────────────────────────

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
ModelHandle& model(napi_env env, napi_value value) {
  auto& handle = unwrap<ModelHandle>(env, value);
  if (!handle.trainer) fail("the model was disposed of");
  return handle;
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

/// The values are part of the JavaScript interface (argument `work` of run).
enum class JobType { train, loss, gradients, logits, tokenLosses };

/// One asynchronous call of run(): its inputs, its result, and the promise to settle.
struct Job {
  JobType type;
  std::shared_ptr<Trainer> trainer;
  std::vector<uint32_t> inputs, targets;
  Batch batch;
  StepOptions options = {};
  std::vector<float> state;
  float* out = nullptr;
  napi_ref outReference = nullptr;
  StepResult result = {};
  std::string error;
  napi_deferred deferred;
  napi_async_work handle;
};

/// Runs the job on a libuv thread.
void execute(napi_env, void* data) {
  Job& job = *static_cast<Job*>(data);
  try {
    std::lock_guard<std::mutex> lock(job.trainer->busy);
    switch (job.type) {
      case JobType::train:
        job.result = job.trainer->trainStep(job.batch, job.options);
        break;
      case JobType::loss:
        job.result.loss = job.trainer->loss(job.batch);
        break;
      case JobType::gradients:
        job.result.loss = job.trainer->gradients(job.batch, job.out);
        break;
      case JobType::logits:
        job.trainer->logits(job.batch, job.out);
        break;
      case JobType::tokenLosses:
        job.result.loss = job.trainer->tokenLosses(job.batch, job.out);
        break;
    }
  } catch (const std::bad_alloc&) {
    job.error = "not enough memory for this batch";
  } catch (const std::exception& e) {
    job.error = e.what();
  }
}

/// Settles the promise on the JavaScript thread.
void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<Job> job(static_cast<Job*>(data));
  if (job->error.empty()) {
    napi_value result;
    napi_create_object(env, &result);
    setNumber(env, result, "loss", job->result.loss);
    setNumber(env, result, "gradientNorm", job->result.gradientNorm);
    napi_resolve_deferred(env, job->deferred, result);
  } else {
    napi_value message, error;
    napi_create_string_utf8(env, job->error.c_str(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &error);
    napi_reject_deferred(env, job->deferred, error);
  }
  if (job->outReference) napi_delete_reference(env, job->outReference);
  napi_delete_async_work(env, job->handle);
}

/// Copies sequences × length tokens. Throws if there are more or fewer, or if one is outside the vocabulary.
std::vector<uint32_t> copyTokens(napi_env env, napi_value value, size_t size, int vocabulary) {
  const auto from = readTokens(env, value);
  if (from.size != size || from.size == 0) fail("an array of tokens is not sequences × length long");
  for (size_t i = 0; i < from.size; i++)
    if (from.data[i] >= static_cast<uint32_t>(vocabulary)) fail("a token is outside the vocabulary");
  return {from.data, from.data + from.size};
}

/// Reads the options of a training step, all of which must be present.
StepOptions readStepOptions(napi_env env, napi_value o) {
  StepOptions s;
  s.learningRate = readNumber(env, o, "learningRate");
  s.beta1 = readNumber(env, o, "beta1");
  s.beta2 = readNumber(env, o, "beta2");
  s.epsilon = readNumber(env, o, "epsilon");
  s.weightDecay = readNumber(env, o, "weightDecay");
  s.clip = readNumber(env, o, "clip");
  s.microbatch = readInt(env, getProperty(env, o, "microbatch"), "microbatch", 0);
  const napi_value seed = getProperty(env, o, "dropoutSeed");
  s.dropoutSeed = static_cast<uint32_t>(readInteger(env, seed, "dropoutSeed", 0, 0xffffffff));
  return s;
}

/// Copies the state before the sequences into the job.
void readState(napi_env env, napi_value value, Job& job) {
  const auto state = readFloats(env, value);
  const size_t stateWidth = job.trainer->stateWidth();
  if (stateWidth == 0 || state.size != job.batch.sequences * stateWidth)
    fail("a state has the wrong length for these sequences, or the model carries no state");
  job.state.assign(state.data, state.data + state.size);
  job.batch.state = job.state.data();
}

/// Size in floats of the output array of a job, or 0 if it has none.
size_t outputSize(const Job& job, int vocabulary) {
  switch (job.type) {
    case JobType::gradients:
      return job.trainer->parameterCount();
    case JobType::logits:
      return static_cast<size_t>(job.batch.sequences) * job.batch.length * vocabulary;
    case JobType::tokenLosses:
      return static_cast<size_t>(job.batch.sequences) * job.batch.length;
    case JobType::train:
      return job.state.size();
    default:
      return 0;
  }
}

/// run(model, work, inputs, targets | undefined, sequences, length, options | undefined, out | undefined,
///     state | undefined) → Promise of {loss, gradientNorm}
/// work: 0 train, 1 loss, 2 gradients, 3 logits, 4 losses of tokens. inputs and targets (B,T). out: gradients
/// (parameters), logits (B,T,V), losses (B,T), or the state after training. state: (layers,2,B,H).
napi_value run(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<9> a(env, info);
    const ModelHandle& handle = model(env, a[0]);
    auto job = std::make_unique<Job>();
    job->trainer = handle.trainer;
    job->type = static_cast<JobType>(readInt(env, a[1], "work", 0, 4));
    const int sequences = readInt(env, a[4], "sequences"), length = readInt(env, a[5], "length", 1, handle.block);
    const size_t tokens = static_cast<size_t>(sequences) * length;
    job->inputs = copyTokens(env, a[2], tokens, handle.vocabulary);
    if (job->type != JobType::logits) job->targets = copyTokens(env, a[3], tokens, handle.vocabulary);
    job->batch = {job->inputs.data(), job->targets.empty() ? nullptr : job->targets.data(), sequences, length};
    if (job->type == JobType::train) job->options = readStepOptions(env, a[6]);
    if (isDefined(env, a[8])) readState(env, a[8], *job);
    if (const size_t size = outputSize(*job, handle.vocabulary)) {
      const auto out = readFloats(env, a[7]);
      if (out.size != size) fail("an array for results has the wrong length");
      job->out = out.data;
      if (job->type == JobType::train) job->batch.stateAfter = out.data;
      check(napi_create_reference(env, a[7], 1, &job->outReference));
    }
    napi_value promise, name;
    check(napi_create_promise(env, &job->deferred, &promise));
    check(napi_create_string_utf8(env, "engine", NAPI_AUTO_LENGTH, &name));
    check(napi_create_async_work(env, nullptr, name, execute, complete, job.get(), &job->handle));
    check(napi_queue_async_work(env, job->handle));
    job.release();
    return promise;
  });
}

/// decoder(model, streams) → decoder
napi_value decoder(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<2> a(env, info);
    const ModelHandle& handle = model(env, a[0]);
    const int streams = readInt(env, a[1], "streams", 1, kMaxStreams);
    return wrap(env, std::make_unique<DecoderHandle>(DecoderHandle{handle.trainer, handle.trainer->decoder(streams),
                                                                   static_cast<size_t>(streams),
                                                                   static_cast<size_t>(handle.vocabulary)}));
  });
}
/// The decoder in a JavaScript value. Throws after decoderDispose().
DecoderHandle& decoderAt(napi_env env, napi_value value) {
  auto& handle = unwrap<DecoderHandle>(env, value);
  if (!handle.decoder) fail("the decoder was disposed of");
  return handle;
}
/// decoderStep(decoder, tokens (B), logits (B,V)): feeds a token of each stream and writes the logits of the next
napi_value decoderStep(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<3> a(env, info);
    auto& handle = decoderAt(env, a[0]);
    const auto tokens = readTokens(env, a[1]);
    const auto logits = readFloats(env, a[2]);
    if (tokens.size != handle.streams || logits.size != handle.streams * handle.vocabulary)
      fail("an array has the wrong length");
    for (size_t i = 0; i < tokens.size; i++)
      if (tokens.data[i] >= handle.vocabulary) fail("a token is outside the vocabulary");
    std::lock_guard<std::mutex> lock(handle.trainer->busy);
    if (handle.decoder->full()) fail("the decoder is full");
    handle.trainer->decode(*handle.decoder, static_cast<int>(handle.streams), tokens.data, logits.data);
    return nullptr;
  });
}
/// decoderReset(decoder)
napi_value decoderReset(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<1> a(env, info);
    decoderAt(env, a[0]).decoder->reset();
    return nullptr;
  });
}
/// decoderDispose(decoder)
napi_value decoderDispose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<1> a(env, info);
    auto& handle = unwrap<DecoderHandle>(env, a[0]);
    handle.decoder.reset();
    handle.trainer.reset();
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

// What JavaScript sees: plain functions on handles and typed arrays. Arguments have been checked by
// lib/engine/native.ts; here only what would crash is checked again. Computing runs on libuv's threads and on the
// trainer's pool.
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

/// A model's configuration as lib/models has it. Numbers and truth values beside those that all architectures have are
/// its own.
Config readConfig(napi_env env, napi_value o) {
  const auto size = [&](const char* name) { return count(env, property(env, o, name), name); };
  Config c;
  c.architecture = text(env, property(env, o, "architecture"));
  c.vocabulary = size("vocabularySize");
  c.block = size("block");
  c.layers = size("layers");
  c.width = size("width");
  c.dropout = static_cast<float>(number(env, o, "dropout"));
  if (!(c.dropout >= 0 && c.dropout < 1)) fail("dropout is not at least 0 and below 1");
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
      c.own[text(env, name)] = number(env, value);
    else if (napi_get_value_bool(env, value, &truth) == napi_ok)
      c.own[text(env, name)] = truth;
  }
  return c;
}

/// [{name, size, decay}, …]
Slots readSlots(napi_env env, napi_value list) {
  uint32_t length;
  check(napi_get_array_length(env, list, &length));
  Slots slots;
  for (uint32_t i = 0; i < length; i++) {
    napi_value item, name;
    check(napi_get_element(env, list, i, &item));
    check(napi_get_named_property(env, item, "name", &name));
    const auto size = static_cast<size_t>(whole(env, property(env, item, "size"), "size", 1, kExact));
    slots.add(text(env, name), size, number(env, item, "decay") != 0);
    if (slots.total() > kExact) fail("the parameters are too many");
  }
  return slots;
}

const Kernels& kernelsNamed(const std::string& name, const std::string& precision) {
  const Kernels* kernels = chooseKernels(name.c_str());
  if (!kernels) fail("this CPU has no kernels named " + name);
  return precision == "bf16" ? *kernels->bf16 : *kernels->fp32;
}

// ── handles ──────────────────────────────────────────────────────────────────────────────────────────────────────

struct ModelHandle {
  std::shared_ptr<Trainer> trainer;
  int vocabulary, block;
};
struct DecoderHandle {
  std::shared_ptr<Trainer> trainer;  // whose weights the decoder reads
  std::unique_ptr<Decoder> decoder;
  size_t streams, vocabulary;
};

/// Those of a kind that there are: a handle of another kind, or another addon's, is recognised without looking into it.
template <class T>
struct Live {
  static inline std::mutex mutex;
  static inline std::unordered_set<void*> all;
};
template <class T>
napi_value wrap(napi_env env, std::unique_ptr<T> handle) {
  const auto forget = [](napi_env, void* p, void*) {
    std::lock_guard<std::mutex> lock(Live<T>::mutex);
    Live<T>::all.erase(p);
    delete static_cast<T*>(p);
  };
  napi_value value;
  check(napi_create_external(env, handle.get(), forget, nullptr, &value));
  std::lock_guard<std::mutex> lock(Live<T>::mutex);
  Live<T>::all.insert(handle.get());
  handle.release();
  return value;
}
template <class T>
T& unwrap(napi_env env, napi_value value) {
  void* p;
  check(napi_get_value_external(env, value, &p));
  std::lock_guard<std::mutex> lock(Live<T>::mutex);
  if (Live<T>::all.count(p) == 0) fail("a handle is of another kind");
  return *static_cast<T*>(p);
}
ModelHandle& model(napi_env env, napi_value value) {
  auto& handle = unwrap<ModelHandle>(env, value);
  if (!handle.trainer) fail("the model was disposed of");
  return handle;
}

// ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────

/// kernelsName(wanted | "", precision) → the name of the kernels this CPU gets, or undefined
napi_value kernelsName(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> a(env, info);
    const std::string wanted = text(env, a[0]), precision = text(env, a[1]);
    napi_value name;
    if (!chooseKernels(wanted.c_str())) return nullptr;
    check(napi_create_string_utf8(env, kernelsNamed(wanted, precision).name, NAPI_AUTO_LENGTH, &name));
    return name;
  });
}

/// architectures() → the names of those that there are
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
    auto trainer = std::make_shared<Trainer>(config, kernelsNamed(text(env, a[3]), text(env, a[4])),
                                             readSlots(env, a[1]), count(env, a[2], "threads", 1, kMostThreads));
    return wrap(env, std::make_unique<ModelHandle>(ModelHandle{std::move(trainer), config.vocabulary, config.block}));
  });
}

/// memory(config, parameters, threads, batch, microbatch, kernels, precision) → bytes
napi_value memory(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<7> a(env, info);
    return asValue(env, Trainer::memory(readConfig(env, a[0]), kernelsNamed(text(env, a[5]), text(env, a[6])),
                                        readSlots(env, a[1]), count(env, a[2], "threads", 1, kMostThreads),
                                        count(env, a[3], "batch"), count(env, a[4], "microbatch", 0)));
  });
}

napi_value transfer(napi_env env, napi_callback_info info, bool writing) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<3> a(env, info);
    Trainer& trainer = *model(env, a[0]).trainer;
    const auto which = static_cast<Trainer::State>(count(env, a[1], "which", 0, 2));
    const auto values = floats(env, a[2]);
    if (values.size != trainer.parameters()) fail("an array is not as long as the parameters");
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
    return asValue(env, static_cast<double>(model(env, a[0]).trainer->step()));
  });
}
/// setStep(model, number)
napi_value setStep(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<2> a(env, info);
    model(env, a[0]).trainer->setStep(whole(env, a[1], "step", 0, kExact));
    return nullptr;
  });
}

/// dispose(model): memory is given back when nothing runs on it any more
napi_value dispose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<1> a(env, info);
    unwrap<ModelHandle>(env, a[0]).trainer.reset();
    return nullptr;
  });
}

enum class Work { train, loss, gradients, logits };

struct Job {
  Work work;
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

void execute(napi_env, void* data) {
  Job& job = *static_cast<Job*>(data);
  try {
    std::lock_guard<std::mutex> lock(job.trainer->busy);
    switch (job.work) {
      case Work::train:
        job.result = job.trainer->trainStep(job.batch, job.options);
        break;
      case Work::loss:
        job.result.loss = job.trainer->loss(job.batch);
        break;
      case Work::gradients:
        job.result.loss = job.trainer->gradients(job.batch, job.out);
        break;
      case Work::logits:
        job.trainer->logits(job.batch, job.out);
        break;
    }
  } catch (const std::bad_alloc&) {
    job.error = "not enough memory for this batch";
  } catch (const std::exception& e) {
    job.error = e.what();
  }
}

void complete(napi_env env, napi_status, void* data) {
  std::unique_ptr<Job> job(static_cast<Job*>(data));
  if (job->error.empty()) {
    napi_value result;
    napi_create_object(env, &result);
    set(env, result, "loss", job->result.loss);
    set(env, result, "gradientNorm", job->result.gradientNorm);
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

/// run(model, work, inputs, targets | undefined, sequences, length, options | undefined, out | undefined, state |
/// undefined)
///   → Promise of {loss, gradientNorm}
napi_value run(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const Arguments<9> a(env, info);
    const ModelHandle& handle = model(env, a[0]);
    auto job = std::make_unique<Job>();
    job->trainer = handle.trainer;
    job->work = static_cast<Work>(count(env, a[1], "work", 0, 3));
    const size_t sequences = count(env, a[4], "sequences"), length = count(env, a[5], "length", 1, handle.block);
    const auto copy = [&](napi_value value, std::vector<uint32_t>& to) {
      const auto from = tokens(env, value);
      if (from.size != sequences * length || from.size == 0) fail("an array of tokens is not sequences × length long");
      for (size_t i = 0; i < from.size; i++)
        if (from.data[i] >= static_cast<uint32_t>(handle.vocabulary)) fail("a token is outside the vocabulary");
      to.assign(from.data, from.data + from.size);
    };
    copy(a[2], job->inputs);
    if (job->work != Work::logits) copy(a[3], job->targets);
    job->batch = {job->inputs.data(), job->targets.empty() ? nullptr : job->targets.data(), static_cast<int>(sequences),
                  static_cast<int>(length)};
    if (job->work == Work::train) {
      const napi_value o = a[6];
      job->options = {number(env, o, "learningRate"),
                      number(env, o, "beta1"),
                      number(env, o, "beta2"),
                      number(env, o, "epsilon"),
                      number(env, o, "weightDecay"),
                      number(env, o, "clip"),
                      count(env, property(env, o, "microbatch"), "microbatch", 0),
                      static_cast<uint32_t>(whole(env, property(env, o, "dropoutSeed"), "dropoutSeed", 0, 0xffffffff))};
    }
    if (isGiven(env, a[8])) {
      const auto state = floats(env, a[8]);
      const size_t stateWidth = job->trainer->stateWidth();
      if (stateWidth == 0 || state.size != sequences * stateWidth)
        fail("a state is not as long as these sequences' states, or the model has none");
      job->state.assign(state.data, state.data + state.size);
      job->batch.state = job->state.data();
    }
    if (job->work == Work::gradients || job->work == Work::logits || (job->work == Work::train && job->batch.state)) {
      const auto out = floats(env, a[7]);
      const size_t wanted = job->work == Work::gradients ? job->trainer->parameters()
                            : job->work == Work::train   ? job->state.size()
                                                         : sequences * length * static_cast<size_t>(handle.vocabulary);
      if (out.size != wanted) fail("an array for results has the wrong length");
      job->out = out.data;
      if (job->work == Work::train) job->batch.stateAfter = out.data;
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
    const int streams = count(env, a[1], "streams", 1, kMostStreams);
    return wrap(env, std::make_unique<DecoderHandle>(DecoderHandle{handle.trainer, handle.trainer->decoder(streams),
                                                                   static_cast<size_t>(streams),
                                                                   static_cast<size_t>(handle.vocabulary)}));
  });
}
DecoderHandle& decoderAt(napi_env env, napi_value value) {
  auto& handle = unwrap<DecoderHandle>(env, value);
  if (!handle.decoder) fail("the decoder was disposed of");
  return handle;
}
/// decoderStep(decoder, tokens, logits)
napi_value decoderStep(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const Arguments<3> a(env, info);
    auto& handle = decoderAt(env, a[0]);
    const auto fed = tokens(env, a[1]);
    const auto logits = floats(env, a[2]);
    if (fed.size != handle.streams || logits.size != handle.streams * handle.vocabulary)
      fail("an array has the wrong length");
    for (size_t i = 0; i < fed.size; i++)
      if (fed.data[i] >= handle.vocabulary) fail("a token is outside the vocabulary");
    std::lock_guard<std::mutex> lock(handle.trainer->busy);
    if (handle.decoder->full()) fail("the decoder is full");
    handle.trainer->decode(*handle.decoder, static_cast<int>(handle.streams), fed.data, logits.data);
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

// run(): passes of a model over a batch, on a libuv thread and on the threads of the Trainer.
#define NAPI_VERSION 8
#include <node_api.h>

#include <string>
#include <vector>

#include "addon-handles.hpp"

namespace engine {
namespace {

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

}  // namespace

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

}  // namespace engine

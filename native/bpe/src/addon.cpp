// The JavaScript interface of the addon; lib/tokenizer/bpe/native.ts has its types. Two classes are exported: Trainer
// and Encoder. Long work runs on libuv's thread pool and returns a promise.
#include <napi.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>

#include "documents.hpp"
#include "encode.hpp"
#include "pieces.hpp"
#include "train.hpp"

namespace {

using namespace bpe;

// Reads the name of a pre-tokenizer. Throws a TypeError if it is unknown.
Pretokenizer readPretokenizer(const Napi::Value& value) {
  const std::string name = value.As<Napi::String>();
  if (name == "bar") return Pretokenizer::bar;
  if (name == "line") return Pretokenizer::line;
  if (name == "none") return Pretokenizer::none;
  throw Napi::TypeError::New(value.Env(), "the pre-tokenizer must be bar, line or none");
}

// Bytes owned by JavaScript.
struct Span {
  const uint8_t* bytes;
  size_t length;
};

// The bytes of a Uint8Array. Throws a TypeError for any other value.
Span readBytes(const Napi::Value& value) {
  if (!value.IsTypedArray()) throw Napi::TypeError::New(value.Env(), "the argument must be a Uint8Array");
  const auto array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array)
    throw Napi::TypeError::New(value.Env(), "the argument must be a Uint8Array");
  const auto bytes = array.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.ByteLength()};
}

// The bytes of an array of Uint8Array. If another thread reads them, the caller must keep the array alive meanwhile.
std::vector<Span> readDocuments(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<Span> documents(array.Length());
  for (uint32_t i = 0; i < documents.size(); i++) documents[i] = readBytes(array[i]);
  return documents;
}

// Merges from a Uint32Array that alternates left and right.
std::vector<Merge> readMerges(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint32Array>();
  std::vector<Merge> merges(array.ElementLength() / 2);
  for (size_t k = 0; k < merges.size(); k++) merges[k] = {array[2 * k], array[2 * k + 1]};
  return merges;
}

// Runs `work` on the thread pool, then `finish` on the JavaScript thread. The value of `finish` resolves the promise.
// The values of `held` stay alive meanwhile.
class Task : public Napi::AsyncWorker {
 public:
  using Work = std::function<void()>;
  using Finish = std::function<Napi::Value(Napi::Env)>;

  static Napi::Promise start(Napi::Env env, std::vector<Napi::Value> held, Work work, Finish finish) {
    auto* task = new Task(env, std::move(work), std::move(finish));
    for (const Napi::Value& value : held) task->held_.push_back(Napi::Persistent(value.As<Napi::Object>()));
    task->Queue();
    return task->deferred_.Promise();
  }

 protected:
  void Execute() override {
    try {
      work_();
    } catch (const std::bad_alloc&) {
      SetError("out of memory");
    }
  }
  void OnOK() override { deferred_.Resolve(finish_(Env())); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Task(Napi::Env env, Work work, Finish finish)
      : Napi::AsyncWorker(env), deferred_(env), work_(std::move(work)), finish_(std::move(finish)) {}

  Napi::Promise::Deferred deferred_;
  std::vector<Napi::ObjectReference> held_;
  Work work_;
  Finish finish_;
};

// The class Trainer: counts pieces, then learns merges.
class JsTrainer : public Napi::ObjectWrap<JsTrainer> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Trainer",
                       {InstanceMethod<&JsTrainer::add>("add"), InstanceMethod<&JsTrainer::learn>("learn")});
  }
  explicit JsTrainer(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<JsTrainer>(info), counter_(readPretokenizer(info[0])) {}

 private:
  Napi::Value add(const Napi::CallbackInfo& info) {
    begin(info.Env());
    auto documents = readDocuments(info[0]);
    return Task::start(
        info.Env(), {info.This(), info[0]},
        [this, documents = std::move(documents)] {
          const BusyGuard guard(busy_);
          for (const Span& document : documents) counter_.add(document.bytes, document.length);
        },
        [](Napi::Env env) { return env.Undefined(); });
  }

  Napi::Value learn(const Napi::CallbackInfo& info) {
    begin(info.Env());
    TrainOptions options{info[0].As<Napi::Number>().Uint32Value(),
                         static_cast<uint64_t>(std::max<int64_t>(0, info[1].As<Napi::Number>().Int64Value())),
                         {}};
    const auto forbidden = info[2].As<Napi::Array>();
    for (uint32_t i = 0; i < forbidden.Length(); i++) {
      const Span bytes = readBytes(forbidden.Get(i));
      options.forbidden.emplace_back(reinterpret_cast<const char*>(bytes.bytes), bytes.length);
    }
    static_assert(sizeof(std::atomic<int32_t>) == sizeof(int32_t), "progress is written where JavaScript reads it");
    auto* progress = reinterpret_cast<std::atomic<int32_t>*>(info[3].As<Napi::Int32Array>().Data());
    auto merges = std::make_shared<std::vector<Merge>>();
    return Task::start(
        info.Env(), {info.This(), info[3]},
        [this, options, merges, progress] {
          const BusyGuard guard(busy_);
          *merges = learnMerges(counter_, options, *progress);
        },
        [merges](Napi::Env env) {
          auto result = Napi::Uint32Array::New(env, 2 * merges->size());
          for (size_t k = 0; k < merges->size(); k++) {
            result[2 * k] = (*merges)[k].left;
            result[2 * k + 1] = (*merges)[k].right;
          }
          return result;
        });
  }

  // Marks the trainer as busy. Throws if another call is running.
  void begin(Napi::Env env) {
    if (busy_.exchange(true)) throw Napi::Error::New(env, "the trainer is busy: only one call may run at a time");
  }

  // Clears the mark at the end of the work.
  struct BusyGuard {
    explicit BusyGuard(std::atomic<bool>& busy) : busy(busy) {}
    ~BusyGuard() { busy = false; }
    std::atomic<bool>& busy;
  };

  PieceCounter counter_;
  std::atomic<bool> busy_{false};
};

// The class Encoder: encodes documents.
class JsEncoder : public Napi::ObjectWrap<JsEncoder> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Encoder",
        {InstanceMethod<&JsEncoder::encode>("encode"), InstanceMethod<&JsEncoder::encodeAll>("encodeAll")});
  }

  explicit JsEncoder(const Napi::CallbackInfo& info) : Napi::ObjectWrap<JsEncoder>(info) {
    try {
      encoder_ = std::make_unique<Encoder>(readMerges(info[0]));
    } catch (const std::invalid_argument& error) {
      throw Napi::Error::New(info.Env(), error.what());
    }
    const auto ids = info[1].As<Napi::Uint32Array>();
    ids_.assign(ids.Data(), ids.Data() + ids.ElementLength());
    if (ids_.size() != encoder_->symbolCount()) throw Napi::Error::New(info.Env(), "each symbol needs an id");
    wide_ = info[2].As<Napi::Boolean>();
    pretokenizer_ = readPretokenizer(info[3]);
  }

 private:
  using Worker = std::unique_ptr<DocumentEncoder>;

  Napi::Value encode(const Napi::CallbackInfo& info) {
    const Span text = readBytes(info[0]);
    if (!syncWorker_) syncWorker_ = makeWorker();
    syncWorker_->clear();
    syncWorker_->encode(text.bytes, text.length);
    return makeIds(info.Env(), &syncWorker_, 1);
  }

  Napi::Value encodeAll(const Napi::CallbackInfo& info) {
    auto documents = readDocuments(info[0]);
    const size_t threads = std::clamp<size_t>(info[1].As<Napi::Number>().Uint32Value(), 1, 256);
    auto batch = std::make_shared<Batch>();
    return Task::start(
        info.Env(), {info.This(), info[0]},
        [this, documents = std::move(documents), threads, batch] { encodeBatch(documents, threads, *batch); },
        [this, batch](Napi::Env env) {
          auto ends = Napi::Uint32Array::New(env, batch->ends.size());
          std::copy(batch->ends.begin(), batch->ends.end(), ends.Data());
          auto result = Napi::Object::New(env);
          result.Set("ids", makeIds(env, batch->workers.data(), batch->workers.size()));
          result.Set("ends", ends);
          for (Worker& worker : batch->workers) releaseWorker(std::move(worker));
          return result;
        });
  }

  // The state of one encodeAll.
  struct Batch {
    // One per thread. They hold the ids of consecutive ranges of documents.
    std::vector<Worker> workers;
    // End of each document in the ids.
    std::vector<uint32_t> ends;
  };

  Worker makeWorker() const { return std::make_unique<DocumentEncoder>(*encoder_, ids_.data(), wide_, pretokenizer_); }

  // Takes an idle worker or makes one. Workers are reused between batches, since their caches and memory are expensive.
  Worker takeWorker() {
    const std::lock_guard<std::mutex> lock(idleMutex_);
    if (idle_.empty()) return makeWorker();
    Worker worker = std::move(idle_.back());
    idle_.pop_back();
    return worker;
  }

  // Clears a worker and makes it idle.
  void releaseWorker(Worker worker) {
    worker->clear();
    const std::lock_guard<std::mutex> lock(idleMutex_);
    idle_.push_back(std::move(worker));
  }

  // Encodes documents on `threads` threads. Each takes a range of documents with about the same number of bytes.
  void encodeBatch(const std::vector<Span>& documents, size_t threads, Batch& batch) {
    size_t bytes = 0;
    for (const Span& document : documents) bytes += document.length;
    std::vector<size_t> firsts{0};
    size_t bytesSoFar = 0;
    for (size_t i = 0; i < documents.size() && firsts.size() < threads; i++) {
      bytesSoFar += documents[i].length;
      if (bytesSoFar * threads >= bytes * firsts.size()) firsts.push_back(i + 1);
    }
    firsts.push_back(documents.size());
    for (size_t part = 0; part + 1 < firsts.size(); part++) batch.workers.push_back(takeWorker());
    batch.ends.resize(documents.size());
    std::atomic<bool> outOfMemory{false};
    const auto run = [&](size_t part) {
      try {
        DocumentEncoder& worker = *batch.workers[part];
        for (size_t i = firsts[part]; i < firsts[part + 1]; i++) {
          worker.encode(documents[i].bytes, documents[i].length);
          batch.ends[i] = static_cast<uint32_t>(worker.ids().size());
        }
      } catch (const std::bad_alloc&) {
        outOfMemory = true;
      }
    };
    std::vector<std::thread> running;
    for (size_t part = 1; part < batch.workers.size(); part++) running.emplace_back(run, part);
    run(0);
    for (std::thread& thread : running) thread.join();
    if (outOfMemory) throw std::bad_alloc();
    uint32_t before = 0;
    for (size_t part = 0; part < batch.workers.size(); part++) {
      for (size_t i = firsts[part]; i < firsts[part + 1]; i++) batch.ends[i] += before;
      before += static_cast<uint32_t>(batch.workers[part]->ids().size());
    }
  }

  // The ids of some workers, concatenated, as a typed array.
  Napi::Value makeIds(Napi::Env env, const Worker* workers, size_t count) const {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += workers[i]->ids().byteLength();
    if (count == 1 && bytes > kMaxCopiedBytes) {
      const auto memory = Napi::ArrayBuffer::New(env, workers[0]->ids().release(), bytes,
                                                 [](Napi::Env, void* released) { std::free(released); });
      return viewOf(env, memory);
    }
    auto memory = Napi::ArrayBuffer::New(env, bytes);
    auto* out = static_cast<uint8_t*>(memory.Data());
    for (size_t i = 0; i < count; i++) {
      const Ids& ids = workers[i]->ids();
      if (ids.byteLength() > 0)
        out = static_cast<uint8_t*>(memcpy(out, ids.bytes(), ids.byteLength())) + ids.byteLength();
    }
    return viewOf(env, memory);
  }

  Napi::Value viewOf(Napi::Env env, Napi::ArrayBuffer memory) const {
    if (wide_) return Napi::Uint32Array::New(env, memory.ByteLength() / 4, memory, 0);
    return Napi::Uint16Array::New(env, memory.ByteLength() / 2, memory, 0);
  }

  // Ids of one worker that take more bytes than this are handed over to JavaScript without a copy.
  static constexpr size_t kMaxCopiedBytes = 1 << 24;

  std::unique_ptr<Encoder> encoder_;
  // Symbol → id.
  std::vector<uint32_t> ids_;
  // Whether ids have 4 bytes instead of 2.
  bool wide_ = false;
  Pretokenizer pretokenizer_ = Pretokenizer::none;
  // The worker of `encode`, which runs on the JavaScript thread.
  Worker syncWorker_;
  std::mutex idleMutex_;
  std::vector<Worker> idle_;
};

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Trainer", JsTrainer::define(env));
  exports.Set("Encoder", JsEncoder::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(bpe, init)

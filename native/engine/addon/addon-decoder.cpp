// Decoders: the logits of the next token, a token at a time. Steps run on the calling thread.
#define NAPI_VERSION 8
#include <node_api.h>

#include <memory>

#include "addon-handles.hpp"

namespace engine {
namespace {

/// The decoder in a JavaScript value. Throws after decoderDispose().
DecoderHandle& decoderAt(napi_env env, napi_value value) {
  auto& handle = unwrap<DecoderHandle>(env, value);
  if (!handle.decoder) fail("the decoder was disposed of");
  return handle;
}

}  // namespace

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

}  // namespace engine

// Reads launches; launches.hpp describes them.
#include "launches.hpp"

#include <cstring>

namespace cuda {
namespace {

double numberOf(const Napi::Object& from, const char* key) { return from.Get(key).As<Napi::Number>().DoubleValue(); }

KernelLaunch kernelOf(const Napi::Object& from) {
  KernelLaunch l;
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
  return l;
}

Product productOf(const Napi::Object& from) {
  const auto pointers = from.Get("pointers").As<Napi::Array>();
  const auto at = [&](uint32_t i) { return static_cast<Pointer>(pointers.Get(i).As<Napi::Number>().DoubleValue()); };
  return {shapeOf(from.Get("product").As<Napi::Object>()), at(0), at(1), at(2), at(3), at(4), at(5)};
}

}  // namespace

ProductShape shapeOf(const Napi::Object& from) {
  const std::string layout = from.Get("layout").As<Napi::String>(), addend = from.Get("addend").As<Napi::String>();
  const auto size = [&](const char* key) { return static_cast<uint64_t>(numberOf(from, key)); };
  const auto stride = [&](const char* key) { return static_cast<int64_t>(numberOf(from, key)); };
  return {layout == "TN",
          layout == "NT",
          size("M"),
          size("N"),
          size("K"),
          stride("lda"),
          stride("ldb"),
          stride("ldc"),
          from.Get("rounded").As<Napi::Boolean>(),
          from.Get("bias").As<Napi::Boolean>(),
          addend == "none"       ? ProductShape::kNone
          : addend == "in place" ? ProductShape::kInPlace
                                 : ProductShape::kApart};
}

std::vector<Launch> launchesOf(const Napi::Array& list) {
  std::vector<Launch> launches;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto from = list.Get(i).As<Napi::Object>();
    if (from.Has("product"))
      launches.push_back(productOf(from));
    else
      launches.push_back(kernelOf(from));
  }
  return launches;
}

}  // namespace cuda

// Functions of the fake driver that the fake cuBLASLt calls. They are two libraries, as the real ones are.
#pragma once
#include <cstddef>
#include <functional>

extern "C" {
/// Adds work to the plan that is being recorded, or to the stream. Returns a result of the driver.
int fakeEnqueue(const std::function<void()>& work);
bool fakeIsCapturing();
/// Whether memory of the device is allocated.
bool fakeIsInside(unsigned long long pointer, size_t size);
}

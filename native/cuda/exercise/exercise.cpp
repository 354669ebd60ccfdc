// Runs every kernel on the CPU (shim/shim.hpp) at odd sizes and compares it with a reference in double precision.
// Prints a line for each comparison. Exits 1 if one is wrong.
//
//     exercise [SEED]     seeds other than 0 draw the order in which threads run
//
// test/engine/gpu/kernels.test.ts builds it with AddressSanitizer; scripts/cuda/mutate.ts runs it over planted
// mistakes.
#include "attention.hpp"
#include "elements.hpp"
#include "lstm.hpp"
#include "products.hpp"
#include "rows.hpp"
#include "update.hpp"

int main(int count, char** arguments) {
  shim::setSeed(count > 1 ? static_cast<uint32_t>(atoi(arguments[1])) : 0);
  exerciseRows();
  exerciseElements();
  exerciseUpdate();
  exerciseLstm();
  exerciseAttention();
  exerciseProducts();
  return failed ? 1 : 0;
}

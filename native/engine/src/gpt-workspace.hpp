// Buffers of a GPT's training: the activations of each layer, and the buffers of a thread for one pass.
// Shapes: B sequences of T tokens are R = B·T rows of C numbers; NH heads; V tokens in the vocabulary.
#pragma once
#include <vector>

#include "network.hpp"
#include "rotary-table.hpp"

namespace engine {

/// Numbers that the forward pass of one layer stores for its backward pass.
struct GptActivations {
  float* x;                   // (R,C): input of the layer
  float *ln1Mean, *ln1Rstd;   // (R)
  float* qkv;                 // (R,3C): q and k after rotate()
  float *rowMax, *rowSumInv;  // (B,NH,T): softmax statistics of each query
  float* attnOut;             // (R,C): attention output, before attnProj
  float* residual;            // (R,C): x + attnProj(attnOut)
  float *ln2Mean, *ln2Rstd;   // (R)
  float* fch;                 // (R,4C): fc output, before GELU
};

/// Buffers of one thread for a pass over R rows.
struct GptWorkspace : Workspace {
  std::vector<GptActivations> layers;
  float *x, *lnfMean, *lnfRstd;  // (R,C), (R), (R): output of the last layer, and statistics of lnf
  float *lnOut, *dlnOut;         // (R,C): output of a LayerNorm and its gradient
  float* dx;                     // (R,C): gradient of the residual stream
  float* dbranch;                // (R,C): dx after the dropout mask of a branch
  float *fchGelu, *dfch;         // (R,4C); dfch also serves as dqkv (R,3C)
  float* logits;                 // (min(logitRows, R),V)
  float* attentionScratch;       // for one head
  RotaryTable rotary;            // only if positions are rotary
  float* gradientScratch;

  /// Numbers that the sizes of the buffers depend on.
  struct Shape {
    int layers, width, heads, vocabulary, logitRows;
    int sequences, length;
    bool training, rotary;
  };
  /// Assigns the buffers within `memory`; with null memory it only counts. Returns the floats needed.
  size_t layOut(float* memory, const Shape&, const Kernels&);
};

}  // namespace engine

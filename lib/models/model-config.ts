/**
 * What a model is: its architecture and shape, and from these alone its parameters, their names and shapes, and their count.
 *
 * GPT as GPT-2 and nanoGPT have it; LSTM as torch.nn.LSTM has it. Parameter names and shapes are those of Hugging Face
 * transformers (GPT2LMHeadModel; its Conv1D weights are stored input × output) and of torch.nn, so that a checkpoint opens there.
 * No mathematics here: see lib/engine.
 */

/** Decoder-only transformer: learned positions, pre-LayerNorm, GELU in its tanh form, head tied to the token embedding. */
export interface GptConfig {
  architecture: 'gpt';
  /** V */
  vocabularySize: number;
  /** T, the longest window in tokens */
  block: number;
  /** L */
  layers: number;
  /** C */
  width: number;
  /** divides width */
  heads: number;
  /** probability, on embeddings, attention weights and both residual branches */
  dropout: number;
  /** whether Linear and LayerNorm have biases */
  bias: boolean;
}

/** Embedding, stacked LSTM (gates i f g o, two biases), linear head with a bias of its own. */
export interface LstmConfig {
  architecture: 'lstm';
  /** V */
  vocabularySize: number;
  /** T, the window that gradients flow through, in tokens */
  block: number;
  /** L */
  layers: number;
  /** H */
  width: number;
  /** E; the head is tied to the embedding when E = H, and a matrix of its own otherwise */
  embedding: number;
  /** probability, on the embedding, between layers and before the head */
  dropout: number;
  /**
   * In training only. reset, the default: every window begins at zero. carried: it begins with the state in which the window
   * before it ended, and gradients end where it begins (truncated backpropagation through time)
   */
  state?: 'reset' | 'carried';
}

export type ModelConfig = GptConfig | LstmConfig;

export interface Parameter {
  name: string;
  shape: number[];
  /** weight decay applies to matrices only, as in nanoGPT: not to biases and LayerNorm gains */
  decay: boolean;
  /** whether it has a row for each token of the vocabulary or each position: no part of N in Kaplan et al. (2020, §2.1) */
  embedding: boolean;
}

/** A parameter's values, row-major. */
export interface Tensor {
  shape: number[];
  data: Float32Array;
}

/** By parameter name, in the order of `parameters(config)`. */
export type Weights = Map<string, Tensor>;

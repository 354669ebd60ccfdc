/**
 * The configuration of a model: its architecture and shape. Names, shapes and number of its parameters follow from it.
 *
 * The GPT has the architecture of GPT-2 and nanoGPT, or with rotary positions that of GPT-NeoX without its parallel
 * branches. The LSTM has that of torch.nn.LSTM. Parameters have the names and
 * shapes of Hugging Face transformers (GPT2LMHeadModel, whose Conv1D weights are stored input × output) and of
 * torch.nn, so that a checkpoint opens there. The mathematics is in lib/engine.
 */

/** Decoder-only transformer: LayerNorm before each sublayer, tanh GELU, head tied to the token embedding. */
export interface GptConfig {
  architecture: 'gpt';
  /** V, the number of different tokens */
  vocabularySize: number;
  /** T, the longest window, in tokens */
  block: number;
  /** L, the number of layers */
  layers: number;
  /** C, the width of the residual stream */
  width: number;
  /** number of attention heads; it divides the width */
  heads: number;
  /** probability of dropout, on embeddings, attention weights and both residual branches */
  dropout: number;
  /** whether linear layers and LayerNorms have biases */
  bias: boolean;
  /**
   * How the model knows the position of a token. learned: an embedding of each position, as in GPT-2. rotary: each query
   * and key is rotated by an angle for its position (Su et al. 2021), as in GPT-NeoX; the width of a head must be even.
   * Default learned
   */
  positions?: 'learned' | 'rotary';
  /** The rule for the initial weights (initial-weights.ts). Default gpt2 */
  init?: 'gpt2' | 'fan-in';
}

/** Embedding, stacked LSTM (gates in the order i, f, g, o; two biases), linear head with a bias. */
export interface LstmConfig {
  architecture: 'lstm';
  /** V, the number of different tokens */
  vocabularySize: number;
  /** T, the longest window, in tokens; gradients flow within a window only */
  block: number;
  /** L, the number of layers */
  layers: number;
  /** H, the number of hidden units in a layer */
  width: number;
  /** E, the width of the embedding; the head is tied to the embedding if E = H, otherwise it has its own matrix */
  embedding: number;
  /** probability of dropout, on the embedding, between layers and before the head */
  dropout: number;
  /**
   * The state at the start of a training window. reset: zeros. carried: the state at the end of the window before it
   * (truncated backpropagation through time). Default reset
   */
  state?: 'reset' | 'carried';
}

/** The configuration of a model of any architecture. */
export type ModelConfig = GptConfig | LstmConfig;

/** Name, shape and kind of a parameter. */
export interface Parameter {
  name: string;
  shape: number[];
  /** whether weight decay applies: to matrices, but not to biases and LayerNorm gains, as in nanoGPT */
  decay: boolean;
  /** whether it has a row for each token or position; Kaplan et al. (2020, §2.1) do not count such parameters in N */
  embedding: boolean;
}

/** Values of a parameter, row-major. */
export interface Tensor {
  shape: number[];
  data: Float32Array;
}

/** Tensors by parameter name, in the order of `parameters(config)`. */
export type Weights = Map<string, Tensor>;

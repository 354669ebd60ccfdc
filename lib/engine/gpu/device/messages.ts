/** Error messages for a GPU that cannot be opened or fails: one sentence each, with a remedy. */
import { EngineError } from '../../interface/index.ts';

/** CUDA 11.1, the first whose driver takes the PTX of the kernels, and the driver on Linux that came with it. */
const OLDEST = 'the gpu engine needs CUDA 11.1 or newer, which is driver 455.23 or newer';

const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
/** 12040 → "12.4" */
const version = (number: number) => `${Math.floor(number / 1000)}.${Math.floor((number % 1000) / 10)}`;

/** @param driver the CUDA version that it supports, as CUDA counts it */
export const tooOldDriver = (driver: number) =>
  new EngineError(`the NVIDIA driver is too old: it supports CUDA ${version(driver)}, and ${OLDEST}`);

/** @param compute compute capability times 10 */
export const tooOldGpu = (name: string, compute: number) =>
  new EngineError(
    `the GPU ${name} has compute capability ${(compute / 10).toFixed(1)}, and the gpu engine needs 8.0 or newer, which has bf16: RTX 30, A100 and later`,
  );

/** @param purpose "the activations" */
export const tooLittleMemory = (
  purpose: string,
  bytes: number,
  { free, total }: { free: number; total: number },
  cause: Error,
) =>
  new EngineError(
    `the GPU has too little memory for ${purpose}: they need ${megabytes(bytes)}, and ${megabytes(free)} of its ${megabytes(total)} are free; ` +
      'set a smaller microbatch or model, or end what else runs on this GPU',
    { cause },
  );

/** Rewords an error of opening a GPU for users. Errors without a code are reworded already. */
export function describeOpening(error: Error & { code?: string }, library: string): Error {
  switch (error.code) {
    case undefined:
      return error;
    case 'NO_DRIVER':
      return new EngineError(`there is no NVIDIA driver (${library} was not found)`, { cause: error });
    case 'OLD_DRIVER':
      return new EngineError(`the NVIDIA driver is too old: ${error.message}, and ${OLDEST}`, { cause: error });
    case 'CUDA_ERROR_DEVICE_UNAVAILABLE':
      return new EngineError(
        'the GPU is in use by another program, and its compute mode allows one at a time; end that program, or choose another GPU with CUDA_VISIBLE_DEVICES',
        { cause: error },
      );
    case 'CUDA_ERROR_SYSTEM_NOT_READY':
      return new EngineError(
        `the GPU cannot be opened: ${error.message}; on machines with NVSwitch, the service nvidia-fabricmanager must run`,
        { cause: error },
      );
    case 'NO_GPU':
    case 'CUDA_ERROR_NO_DEVICE': {
      const visible = process.env.CUDA_VISIBLE_DEVICES;
      const message =
        visible === ''
          ? 'no GPU was leased (CUDA_VISIBLE_DEVICES is empty); in params.yaml, train.gpus: 1 leases one for each run'
          : `the NVIDIA driver shows no GPU${visible === undefined ? '' : `, with CUDA_VISIBLE_DEVICES=${visible}`}`;
      return new EngineError(message, { cause: error });
    }
    case 'CUDA_ERROR_UNSUPPORTED_PTX_VERSION':
    case 'CUDA_ERROR_NO_BINARY_FOR_GPU':
    case 'CUDA_ERROR_INVALID_PTX':
      return new EngineError(
        `the NVIDIA driver cannot compile the kernels for this GPU; it must support CUDA 11.1 or newer, and the GPU compute capability 8.0 or newer (${error.message})`,
        { cause: error },
      );
    default:
      return new EngineError(`the GPU cannot be opened: ${error.message}`, { cause: error });
  }
}

/**
 * The error of a GPU that fails after it was opened. After most errors, CUDA refuses every further call of the process. If
 * cuBLASLt refuses a product, trying again may not help.
 */
export function describeFailure(error: Error & { code?: string }): EngineError {
  if (error.code?.startsWith('CUBLAS_'))
    return new EngineError(
      `cuBLASLt failed: ${error.message}; run the same command again, and if this error returns, set train.products to own`,
      { cause: error },
    );
  return new EngineError(
    `the GPU failed: ${error.message}; run the same command again, and it continues from the last checkpoint, if one was written`,
    { cause: error },
  );
}

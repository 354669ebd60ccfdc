export const stateBytes = (..._: unknown[]) => 0;
export const activationBytes = (..._: unknown[]) => 1;

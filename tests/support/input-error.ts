import { InputError } from '../../drivers/base/types/errors';

/** The message of the InputError that `run` throws; anything else fails the test. */
export const inputError = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  throw new Error('expected an InputError, nothing was thrown');
};

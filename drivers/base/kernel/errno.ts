/*
 * Error numbers of the kernel (include/uapi/asm-generic/errno-base.h, errno.h). A kernel function
 * that can fail returns 0 or one of these, negated.
 */

export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ERANGE = 34;
export const EDEADLK = 35;
export const ENOSYS = 38;
export const ETIME = 62;
export const EADDRINUSE = 98;
export const ETIMEDOUT = 110;
export const EALREADY = 114;
export const EREMOTEIO = 121;
export const ECANCELED = 125;
/** A signal interrupted a system call, which may be made again: not seen in user mode. */
export const ERESTARTSYS = 512;

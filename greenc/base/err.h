/*
** err.h: every error of greenc: one table, one enum, names and texts.
**
** A result is 0 (or a count) when all went well, else one of these negative
** codes. System errors are the negated errno; our own start at -4000. Nobody
** reads errno but on the line after the call that sets it.
*/
#ifndef GREEN_ERR_H
#define GREEN_ERR_H

/* Exported from libgreenlua and visible to a host program. */
#define GREEN_API __attribute__((visibility("default")))

#define green_likely(x) __builtin_expect(!!(x), 1)
#define green_unlikely(x) __builtin_expect(!!(x), 0)

/* A function that is rarely called: who may call it pays nothing for that. */
#define GREEN_COLD __attribute__((cold, noinline))
#define GREEN_INLINE inline __attribute__((always_inline))
#define green_container(ptr, type, field) \
  ((type *)((char *)(ptr)-offsetof(type, field)))

/* A precondition, with the sentence of the header that states it. Builds for
** finding faults (debug, asan, tsan) stop where it is broken. */
#ifdef GREEN_DEBUG
#define green_assert(condition, sentence) \
  ((condition) ? (void)0 : green__assert_failed(__FILE__, __LINE__, sentence))
#else
#define green_assert(condition, sentence) ((void)0)
#endif
void green__assert_failed(const char *file, int line, const char *sentence)
    __attribute__((noreturn));

/* clang-format off */
/* Symbol, number, text. The numbers are Linux's; err.c asserts each. */
#define GREEN_ERR_MAP(X) \
  X(EPERM,           -1,    "operation not permitted") \
  X(ENOENT,          -2,    "no such file or directory") \
  X(EINTR,           -4,    "interrupted system call") \
  X(EIO,             -5,    "input/output error") \
  X(EBADF,           -9,    "bad file descriptor") \
  X(EAGAIN,          -11,   "would block") \
  X(ENOMEM,          -12,   "out of memory") \
  X(EACCES,          -13,   "permission denied") \
  X(EBUSY,           -16,   "already in use by another green thread") \
  X(EEXIST,          -17,   "already exists") \
  X(ENODEV,          -19,   "no such device") \
  X(EINVAL,          -22,   "invalid argument") \
  X(ENFILE,          -23,   "too many open files in system") \
  X(EMFILE,          -24,   "too many open files") \
  X(ENOSPC,          -28,   "no space left on device") \
  X(EPIPE,           -32,   "broken pipe") \
  X(ENAMETOOLONG,    -36,   "name too long") \
  X(ENOSYS,          -38,   "function not implemented") \
  X(EREMOTE,         -66,   "the method that was called has failed") \
  X(EPROTO,          -71,   "protocol error") \
  X(EOVERFLOW,       -75,   "value too large") \
  X(EILSEQ,          -84,   "not UTF-8") \
  X(EDESTADDRREQ,    -89,   "destination address required") \
  X(EMSGSIZE,        -90,   "message too long") \
  X(EPROTOTYPE,      -91,   "wrong protocol type for socket") \
  X(ENOPROTOOPT,     -92,   "protocol not available") \
  X(EOPNOTSUPP,      -95,   "operation not supported") \
  X(EAFNOSUPPORT,    -97,   "address family not supported") \
  X(EADDRINUSE,      -98,   "address already in use") \
  X(EADDRNOTAVAIL,   -99,   "cannot assign requested address") \
  X(ENETDOWN,        -100,  "network is down") \
  X(ENETUNREACH,     -101,  "network is unreachable") \
  X(ECONNABORTED,    -103,  "connection aborted") \
  X(ECONNRESET,      -104,  "connection reset by peer") \
  X(ENOBUFS,         -105,  "no buffer space available") \
  X(EISCONN,         -106,  "already connected") \
  X(ENOTCONN,        -107,  "not connected") \
  X(ETIMEDOUT,       -110,  "timed out") \
  X(ECONNREFUSED,    -111,  "connection refused") \
  X(EHOSTUNREACH,    -113,  "no route to host") \
  X(EALREADY,        -114,  "operation already in progress") \
  X(EINPROGRESS,     -115,  "operation now in progress") \
  X(ECANCELED,       -125,  "green thread was killed") \
  X(ECLOSED,         -4001, "closed by this program") \
  X(EDEADLOCK,       -4002, "every green thread is parked for ever") \
  X(ETOOBIG,         -4003, "larger than the limit") \
  X(EEOF,            -4004, "stream ended too early") \
  X(EGONE,           -4005, "the client has gone") \
  X(ENOLIBRARY,      -4006, "a library that this needs is not there") \
  X(ELOST,           -4007, "too many native threads are lost in their work") \
  X(EAI_NONAME,      -4101, "host name or service not known") \
  X(EAI_AGAIN,       -4102, "temporary failure in name resolution") \
  X(EAI_FAIL,        -4103, "name resolution failed") \
  X(EAI_FAMILY,      -4104, "no address of that family for the name") \
  X(EAI_SERVICE,     -4105, "service name not known") \
  X(ETLS,            -4201, "failure of TLS") \
  X(ETLSALERT,       -4202, "the peer ended TLS with an alert") \
  X(ETLSVERSION,     -4203, "no TLS version in common") \
  X(ETLSTRUNCATED,   -4204, "connection was cut off amidst TLS") \
  X(ETLSPLAIN,       -4205, "the peer does not speak TLS") \
  X(ETLSFLOOD,       -4206, "too many TLS messages without data") \
  X(ECERTEXPIRED,    -4211, "certificate is not valid at this time") \
  X(ECERTHOST,       -4212, "certificate is for another name") \
  X(ECERTUNKNOWN,    -4213, "certificate of an unknown authority") \
  X(ECERTREVOKED,    -4214, "certificate was revoked") \
  X(ECERTINVALID,    -4215, "certificate cannot be used") \
  X(EKEYINVALID,     -4216, "private key cannot be used") \
  X(ECERTPIN,        -4217, "certificate has a key that is not pinned") \
  X(EHTTPSTATUS,     -4301, "the server answered with an error") \
  X(EREDIRECT,       -4302, "a redirect that is not followed") \
  X(EREDIS,          -4401, "the Redis server refused a command") \
  X(EFSM,            -4601, "not in this state of the socket") \
  X(ENOCOMPATPROTO,  -4602, "the protocol does not fit the socket's type") \
  X(ETERM,           -4603, "the ZeroMQ context was ended") \
  X(EMTHREAD,        -4604, "no ZeroMQ I/O thread is available") \
  X(ENOSERVICE,      -4701, "no worker of that service is there") \
  X(ENOMETHOD,       -4702, "the service has no such method") \
  X(EWORKER,         -4501, "a worker ended with an error") \
  X(EEXITSTATUS,     -4502, "the command failed")
/* clang-format on */

enum {
#define X(name, number, text) GREEN_##name = number,
  GREEN_ERR_MAP(X)
#undef X
};

/* The symbol ("ECONNREFUSED"); the system's for an errno that is not in the
** table; NULL for any other number. Any thread. */
GREEN_API const char *green_err_name(int code);

/* A text without the symbol; never NULL: codes that are not in the table get
** the system's words for the errno, without a capital, or "unknown error". Any
** thread. */
GREEN_API const char *green_err_text(int code);

#endif

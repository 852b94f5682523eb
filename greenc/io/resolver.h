/*
** resolver.h: questions to name servers (DNS, RFC 1035): by UDP from sockets of
** our own, by TCP through c-ares.
**
** A resolver is a hub's. It has some servers and asks them in their order, the
** ones that did not answer lately last; these are tried again now and then with
** a copy of a question that goes to another one as well, so they cost nobody a
** timeout. At most 256 questions are out, others wait in line; those of one
** turn of the hub leave together at its end. Answers come as they are: what
** they mean is told by proto/dns.
**
** An answer is hard to forge: it must come from the server that was asked, to
** the port that asked, which changes after at most 256 questions, with the
** random id and the name in the random mixture of capitals and small letters
** that was sent. Where the letters differ, the question is asked again by TCP.
** An answer that was cut short is asked for by TCP, too.
**
** A child of a fork asks anew, from ports of its own, what its parent was
** waiting for. Time is the hub's, also a virtual one: c-ares' own clock decides
** nothing.
*/
#ifndef GREEN_RESOLVER_H
#define GREEN_RESOLVER_H

#include "base/addr.h"
#include "hub/hub.h"
#include "io/order.h"

/* ffi needs: addr order */
/* ffi */
typedef struct green_hub green_hub;
typedef struct green_waitq green_waitq;
typedef struct green_resolver green_resolver;

enum { GREEN_RESOLVER_SERVERS = 16, GREEN_RESOLVER_OUT = 256 };

typedef struct green_resolver_opts {
  int64_t timeout; /* Nanoseconds a server has at first; each round of all
                      servers doubles it. */
  int32_t tries;   /* Rounds, at least 1. */
  int32_t edns;    /* The largest datagram to ask for (RFC 6891), 512 to 4096;
                      0: nothing is said, 512 it is. */
  int32_t tcp;     /* Not 0: TCP alone. */
  int32_t rotate;  /* Not 0: each question begins with the next server. */
  int32_t alone;   /* Not 0: no two questions by UDP have the same port. */
  uint32_t known; /* How many answers are kept for green_resolver_look, of A, of
                      AAAA, and of all other types. */
} green_resolver_opts;

/* What is known of one question. */
typedef struct green_question {
  int32_t result; /* GREEN_EAGAIN while it is asked; 0: there is an answer,
                     whatever it says; else what the last server did:
                     GREEN_ETIMEDOUT, GREEN_ECONNREFUSED, GREEN_EPROTO (also
                     with the answer, if it lies), another error of the
                     system's; GREEN_ENOMEM; GREEN_ECLOSED: the resolver has
                     ended. */
  uint32_t len;
  const char *answer; /* A message, until the question is forgotten; or NULL. */
  int64_t done_at;    /* When the result came, on the hub's clock. */
  int32_t server;     /* Whom the result is of, or -1: nobody was asked. */
  int32_t sent;       /* How many times it was sent. */

  /* What the answer says; 0 without one. */
  int64_t till;      /* Until when it holds; done_at: nobody may keep it. */
  uint32_t count;    /* Records of the type; of A and AAAA, good addresses. */
  uint32_t name_off; /* Of which name they are, in the end. */
  uint16_t rcode;    /* GREEN_DNS_NOERROR and so on. */
  uint8_t is_linked; /* That name is another one than was asked for. */
  uint8_t is_proved; /* The server says so (GREEN_DNS_AD). */
  uint32_t unused;
  const char *addrs; /* Private: these two. */
  char few[16];
} green_question;

/* How much memory a resolver takes, for green_resolver_init. */
GREEN_API size_t green_resolver_size(void);

/* Whom to ask, and how; once, before the first question. Ports are in the
** addresses. 0; GREEN_EINVAL: an option, or an address that is none of IPv4 or
** IPv6, or n is not from 1 to GREEN_RESOLVER_SERVERS; GREEN_EALREADY;
** GREEN_ECLOSED. */
GREEN_API int green_resolver_set(green_resolver *r,
                                 const green_resolver_opts *opts,
                                 const green_addr *servers, int n);

/* The i-th server, or NULL; is it held to be down? */
GREEN_API const green_addr *green_resolver_server(const green_resolver *r,
                                                  int i);
GREEN_API int green_resolver_is_down(const green_resolver *r, int i);

/* Ask for records of a type (1: A, 28: AAAA, ...) of class IN. The name is text
** as in dns_name.h, and is asked for as it is. It may be sent at once, and is
** answered in a later turn. *q: **free with** green_resolver_forget. 0;
** GREEN_EINVAL, GREEN_ENAMETOOLONG: no such name; GREEN_EINVAL also: no such
** type, or no servers were set; GREEN_ENOMEM; GREEN_ECLOSED. */
GREEN_API int green_resolver_ask(green_question **q, green_resolver *r,
                                 const char *name, size_t n, int type);

/* The same, but whoever asks for what is asked already joins that question
** (what was not answered for a second is sent again), and whoever asks for what
** is known gets that one, whose result is there. The name must be in small
** letters. */
GREEN_API int green_resolver_look(green_question **q, green_resolver *r,
                                  const char *name, size_t n, int type);

/* What is known, even if it does not hold any more; nobody is asked.
** GREEN_ENOENT: nothing; else as green_resolver_look. */
GREEN_API int green_resolver_known(green_question **q, green_resolver *r,
                                   const char *name, size_t n, int type);

/* An address of an answer, as text. */
typedef struct green_spot {
  uint8_t family; /* GREEN_INET, GREEN_INET6 */
  uint8_t len;
  char host[62];
} green_spot;

/* The addresses of two questions that are done, for AAAA and A, either of them
** NULL; best first (RFC 6724). The first GREEN_ORDER_MOST of them, if cap is
** not less. Returns how many. */
GREEN_API int green_resolver_spots(const green_resolver *r, green_order *o,
                                   const green_question *six,
                                   const green_question *four, green_spot *out,
                                   int cap);

/* The time of its hub, in seconds; -1: it has ended. */
GREEN_API double green_resolver_now(const green_resolver *r);

/* At any time, also while it is asked and after the resolver's end: then the
** answer, if any comes, is dropped, unless somebody else has joined; nobody
** else's question is touched. With the last of those who have joined, tasks
** that wait for it are woken with GREEN_ECLOSED. NULL is fine. */
GREEN_API void green_resolver_forget(green_question *q);

/* The same, and *q is NULL then: for what holds one question after another. */
GREEN_API void green_resolver_forget_in(green_question **q);

/* To park on while the result is GREEN_EAGAIN; woken once, with status 0. */
GREEN_API green_waitq *green_resolver_waiters(green_question *q);

/* Let those who wait for either of two questions be woken, with status 0, when
** the first of them is done, too: who wants what comes first waits for any. */
GREEN_API void green_resolver_pair(green_question *a, green_question *b);

/* Questions sent and not answered; those in line; channels that are open. */
typedef struct green_resolver_stats {
  uint32_t out;
  uint32_t waiting;
  uint32_t channels;
  uint32_t unused;
  uint64_t sent; /* Messages, ever. */
} green_resolver_stats;
GREEN_API void green_resolver_stats_get(const green_resolver *r,
                                        green_resolver_stats *s);
/* end ffi */

/* Make one in zeroed memory that stays the caller's until the deinit. 0, or
** GREEN_ENOLIBRARY (see green_dns_lib_load). */
GREEN_API int green_resolver_init(green_resolver *r, green_hub *hub);

/* End it, for good: every question's result is GREEN_ECLOSED. Idempotent. The
** hub must not have ended before. Not from inside a task of greenc's own. */
GREEN_API void green_resolver_deinit(green_resolver *r);

#endif

/*
** dns_answer.h: what a DNS message answers to its own question.
**
** Only the chain of CNAME records that begins at the question's name is
** followed: records of other owners are not believed, whoever sent them. They
** may stand in any order.
**
** No allocation. Any thread.
*/
#ifndef GREEN_PROTO_DNS_ANSWER_H
#define GREEN_PROTO_DNS_ANSWER_H

#include "base/addr.h"
#include "proto/dns_message.h"

/* ffi needs: addr dns_message */
/* ffi */
enum { GREEN_DNS_CHAIN_MAX = 16 };

typedef struct green_dns_answer {
  uint32_t count;        /* Records of the type at the end of the chain. */
  uint32_t ttl;          /* The least of the chain and of those records. */
  uint32_t hops;         /* CNAME records on the way. */
  uint32_t name_off;     /* The end of the chain: the canonical name. */
  bool has_soa;          /* There is a SOA for it among the authorities; */
  uint32_t negative_ttl; /* how long "there is none" holds (RFC 2308, 5): the
                         ** least of its TTL, its minimum and the chain. */
  green_dns_record soa;
} green_dns_answer;

/*
** Look for the answer in a message that was parsed.
**   > 0           how many records there are
**   0             none: the name does not exist (m->rcode is
**                 GREEN_DNS_NXDOMAIN) or has none of that type; has_soa
**   GREEN_EPROTO  no question in class IN; a chain that is a circle, has more
**                 than GREEN_DNS_CHAIN_MAX links, or forks
** Other answer codes are the caller's matter. With the question's type CNAME
** or ANY nothing is followed.
*/
GREEN_API int green_dns_answer_read(green_dns_answer *a,
                                    const green_dns_message *m,
                                    const char *buf);

/* Go to the next record of the answer, as green_dns_message_next. */
GREEN_API int green_dns_answer_next(const green_dns_answer *a,
                                    const green_dns_message *m, const char *buf,
                                    green_dns_record *r);

/* The addresses of an answer to a question for A or AAAA, in its order, cap of
** them at most. Returns how many were written. */
GREEN_API int green_dns_answer_addrs(const green_dns_answer *a,
                                     const green_dns_message *m,
                                     const char *buf, int port, green_addr *out,
                                     size_t cap);
/* end ffi */

#endif

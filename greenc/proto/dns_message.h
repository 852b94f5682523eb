/*
** dns_message.h: DNS messages (RFC 1035, 2181, 6891, 2308), strictly.
**
** A whole message in, positions out: no copy of it, no allocation, no fd. All
** positions are offsets from the first byte of the message, so it may move
** between calls and afterwards. parse looks at every byte once: what it took
** can be read by the other calls without a further error.
**
** Refused: names as in dns_name.h, counts and lengths that lie, more or fewer
** bytes than there are records, more than one question, a question's name with
** a pointer in it, rdata that is not what its type says (types known below, in
** class IN), an OPT that is not one, not alone, or not in the additional
** section. In a message that says it was truncated (GREEN_DNS_TC), what is not
** whole at its end does not count, and is no error.
**
** A TTL of 2^31 and above is 0 (RFC 2181, 8), one above a week is a week.
*/
#ifndef GREEN_PROTO_DNS_MESSAGE_H
#define GREEN_PROTO_DNS_MESSAGE_H

#include "proto/dns_name.h"

/* ffi needs: dns_name */
/* ffi */
/* The types whose rdata is known here, and those that are asked for. */
enum {
  GREEN_DNS_A = 1,
  GREEN_DNS_NS = 2,
  GREEN_DNS_CNAME = 5,
  GREEN_DNS_SOA = 6,
  GREEN_DNS_PTR = 12,
  GREEN_DNS_MX = 15,
  GREEN_DNS_TXT = 16,
  GREEN_DNS_AAAA = 28,
  GREEN_DNS_SRV = 33,
  GREEN_DNS_NAPTR = 35,
  GREEN_DNS_DNAME = 39,
  GREEN_DNS_OPT = 41,
  GREEN_DNS_TLSA = 52,
  GREEN_DNS_ANY = 255,
  GREEN_DNS_CAA = 257,
};

enum { GREEN_DNS_IN = 1 }; /* the class */

/* Answer codes; those above 15 come with EDNS. */
enum {
  GREEN_DNS_NOERROR = 0,
  GREEN_DNS_FORMERR = 1,
  GREEN_DNS_SERVFAIL = 2,
  GREEN_DNS_NXDOMAIN = 3,
  GREEN_DNS_NOTIMP = 4,
  GREEN_DNS_REFUSED = 5,
  GREEN_DNS_BADVERS = 16,
};

/* Bits of flags. */
enum {
  GREEN_DNS_QR = 0x8000, /* This is an answer. */
  GREEN_DNS_AA = 0x0400, /* The server is an authority. */
  GREEN_DNS_TC = 0x0200, /* Truncated: ask again by TCP. */
  GREEN_DNS_RD = 0x0100, /* Recursion is wanted, */
  GREEN_DNS_RA = 0x0080, /* and is to be had. */
  GREEN_DNS_AD = 0x0020, /* The server has proved the data (RFC 4035). */
  GREEN_DNS_CD = 0x0010, /* It need not. */
};

enum { GREEN_DNS_ANSWER, GREEN_DNS_AUTHORITY, GREEN_DNS_ADDITIONAL };

enum {
  GREEN_DNS_TTL_MAX = 604800, /* Seconds. */
  GREEN_DNS_QUERY_MAX = 512,  /* Room for any query. */
};

typedef struct green_dns_message {
  uint32_t len; /* Bytes of the message. */
  uint16_t id;
  uint16_t flags;  /* GREEN_DNS_QR and others; opcode and rcode are not in. */
  uint16_t opcode; /* 0: a query. */
  uint16_t rcode;  /* With the bits from OPT: 0 to 4095. */

  /* The question: in a message without one, type is 0. */
  uint32_t name_off; /* Its name as it came, without pointers. */
  uint32_t name_len; /* 1 to 255; the final 0 included. */
  uint16_t type;
  uint16_t cls;

  uint16_t count[3]; /* Records in each section, GREEN_DNS_ANSWER and so on. */

  /* OPT (RFC 6891). */
  bool has_edns;
  bool dnssec_ok;
  uint8_t edns_version;
  uint16_t udp_size;    /* What the sender takes by UDP. */
  uint32_t options_off; /* Its options, which nobody has looked at. */
  uint32_t options_len;

  uint32_t records_off; /* Private. */
  const char *reason;   /* Static text for the log, after GREEN_EPROTO. */
} green_dns_message;

/* A record; its text is written by green_dns_message_name. */
typedef struct green_dns_record {
  uint8_t section;
  uint16_t type;
  uint16_t cls;
  uint32_t ttl;      /* Seconds, 0 to GREEN_DNS_TTL_MAX. Of OPT: nothing. */
  uint32_t name_off; /* Of the owner, for green_dns_name_*. */
  uint32_t data_off; /* rdata; may contain pointers. */
  uint32_t data_len;
  uint32_t index; /* Private: of the next one, in all. */
  uint32_t next;  /* Private: where that is; 0: before the first. */
} green_dns_record;

/* Bytes in the message. */
typedef struct green_dns_bytes {
  uint32_t off;
  uint32_t len;
} green_dns_bytes;

/* What the rdata of one record says. Which fields count stands behind them;
** the others are 0. */
typedef struct green_dns_data {
  uint8_t address_len; /* A: 4, AAAA: 16 */
  uint8_t address[16];
  uint16_t preference;  /* MX, NAPTR; SRV: its priority */
  uint16_t order;       /* NAPTR */
  uint16_t weight;      /* SRV */
  uint16_t port;        /* SRV */
  uint8_t flags;        /* CAA */
  uint8_t usage;        /* TLSA */
  uint8_t selector;     /* TLSA */
  uint8_t matching;     /* TLSA */
  uint32_t name_off;    /* NS CNAME DNAME PTR MX SRV; NAPTR: replacement;
                           ** SOA: the first server. For green_dns_name_*. */
  uint32_t mailbox_off; /* SOA */
  uint32_t serial;      /* SOA, and the next four, */
  uint32_t refresh;     /* seconds as they came. */
  uint32_t retry;
  uint32_t expire;
  uint32_t minimum;
  green_dns_bytes text;    /* TXT: its first string; CAA: value; TLSA: data;
                           ** NAPTR: services */
  green_dns_bytes tag;     /* CAA; NAPTR: flags */
  green_dns_bytes pattern; /* NAPTR: regexp */
} green_dns_data;

/* Take a message: 0, or GREEN_EPROTO with m->reason; header and question may be
** used then if m->name_len is not 0. */
GREEN_API int green_dns_message_parse(green_dns_message *m, const char *buf,
                                      size_t len);

/* Go to the next record: 1; 0: there is none, or m was refused. r zeroed is
** before the first. Sections come in order. */
GREEN_API int green_dns_message_next(const green_dns_message *m,
                                     const char *buf, green_dns_record *r);

/* Take the rdata of a record apart. 0; GREEN_EOPNOTSUPP: the type is not known
** here, or the class is not IN (then data_off and data_len are all there is);
** GREEN_EPROTO: never after a parse that gave 0. */
GREEN_API int green_dns_message_data(const green_dns_message *m,
                                     const char *buf, const green_dns_record *r,
                                     green_dns_data *d);

/* The string of TXT behind this one: true, and *text is that; false: none. */
GREEN_API bool green_dns_message_more(const char *buf,
                                      const green_dns_record *r,
                                      green_dns_bytes *text);

/* What to ask. */
typedef struct green_dns_query {
  uint16_t id;
  uint16_t flags; /* GREEN_DNS_RD and others. */
  uint16_t type;
  uint16_t udp_size; /* 0: without EDNS. */
  bool dnssec_ok;    /* With EDNS only. */
} green_dns_query;

/* Write a query in class IN for the name whose text is given. Its length, or
** as green_dns_name_pack; GREEN_DNS_QUERY_MAX always suffices. */
GREEN_API int green_dns_message_query(const green_dns_query *q,
                                      const char *name, size_t n, char *out,
                                      size_t cap);
/* end ffi */

#endif

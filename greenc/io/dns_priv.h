/*
** dns_priv.h: what the files that ask name servers know of c-ares and of each
** other. The only file that includes c-ares' header.
**
** c-ares' functions are called as ares.ares_send(...): through pointers,
** because the library is opened at run time.
**
** From the bottom: dns_lib; dns_query, dns_channel, dns_server; dns_udp,
** dns_tcp; resolver.
*/
#ifndef GREEN_DNS_PRIV_H
#define GREEN_DNS_PRIV_H

#include "base/addr.h"
#include "hub/fd.h"
#include "hub/hub.h"
#include "io/dns_lib.h"
#include "io/resolver.h"

#include <ares.h>

/* -- dns_lib -------------------------------------------------------------- */

/* clang-format off */
#define GREEN__DNS_FUNCTIONS(X) \
  X(ares_library_initialized) X(ares_library_init_mem) \
  X(ares_init_options) X(ares_destroy) X(ares_set_socket_functions) \
  X(ares_set_servers_ports) X(ares_send) X(ares_process_fd)
/* clang-format on */

typedef struct green__dns_table {
#define X(name) __typeof__(&(name)) name;
  GREEN__DNS_FUNCTIONS(X)
#undef X
} green__dns_table;

/* Filled by green_dns_lib_load, which whoever opens a channel has called. */
extern green__dns_table green__dns_lib;

/* -- dns_query: what makes answers hard to guess -------------------------- */

/* Random bytes, fetched from the kernel some hundreds at a time; zeroed. A
** child of a fork does not go on with its parent's. */
typedef struct green__dns_dice {
  uint32_t generation;
  uint32_t left;
  uint8_t bytes[256];
} green__dns_dice;

/* Give a query, as green_dns_message_query writes it, a random id; mixed: and
** its name capitals at random. 0, or what getrandom(2) said. */
int green__dns_roll(uint8_t *query, green__dns_dice *d, int mixed);

/* Take OPT, which is the last in it, out of a query of n bytes. The new length.
*/
size_t green__dns_plain(uint8_t *query, size_t n);

/* Does a message have this query's id, and its question in whatever letters, or
** no question, because the server could not read it (is_headless)? */
int green__dns_is_same(const uint8_t *answer, size_t n, const uint8_t *query);

/* Is a message an error without a question, of which the id is all there is? */
int green__dns_is_headless(const uint8_t *answer, size_t n);

/* Does a message answer this very query, byte for byte? */
int green__dns_is_answer(const uint8_t *answer, size_t n, const uint8_t *query);

/* Put a query's question, in its letters, in the place of the same one in a
** message: names that point there have them, too. 0: it is another one. */
int green__dns_restore(uint8_t *answer, size_t n, const uint8_t *query);

/* -- dns_channel: one name server, some hundred questions ----------------- */

typedef struct green__dns_channel green__dns_channel;
typedef struct green__dns_call green__dns_call;

/* What differs between UDP and TCP. */
typedef struct green__dns_way {
  /* Of a call that has its query, and counts. */
  void (*ask)(green__dns_channel *c, green__dns_call *call);
  /* As green__dns_channel_again; NULL: what is sent is not lost. */
  int (*again)(green__dns_channel *c, const green__dns_call *call);
  /* Close what is open: all calls are over with GREEN_ECLOSED. */
  void (*end)(green__dns_channel *c);
} green__dns_way;

/* It knows of no time: whoever asks keeps a timer. In a child of a fork, the
** owner frees it (green_hub_on_fork): what it holds is the parent's. At the
** beginning of the memory of dns_udp's or dns_tcp's. */
struct green__dns_channel {
  green_link link; /* The owner's; it is taken out when the channel is freed. */
  uint32_t asked;  /* Questions, ever: all of them had the same port of ours,
                       unless there was a moment with none under way. */
  uint32_t pending; /* Those under way. */
  uint32_t wanted;  /* The owner's. */
  uint8_t retired;  /* The owner's. */

  /* Private. */
  uint8_t closing;
  uint8_t tells; /* The teller lives. */
  green_hub *hub;
  const green__dns_way *way;
  green_list done; /* Calls that are over. */
  green_task teller;
};

/* A question under way. Embed, zeroed, and set done: it is called once,
** never from inside of ask, nor of anything of c-ares'. */
struct green__dns_call {
  green_link link; /* In line to be sent, or of those that are over. */
  green__dns_channel *channel;
  void (*done)(green__dns_call *call);
  green__dns_call *next; /* Of dns_udp's with ids that are alike. */
  const uint8_t *query;
  uint8_t *answer; /* For done, which **frees** it (green__free); or NULL. */
  int32_t len;
  int32_t status; /* 0: there is an answer; else what the system said of the
                     server; GREEN_ECLOSED: the channel was closed. */
  uint16_t query_len;
};

/* Send a question, which ends with the message. It must stay until done is
** called. */
void green__dns_channel_ask(green__dns_channel *c, green__dns_call *call,
                            const uint8_t *query, size_t n);

/* Send a question that is under way once more, as it is. 1, or 0: there is no
** need, or no way. */
int green__dns_channel_again(green__dns_channel *c,
                             const green__dns_call *call);

/* Close it in the next turn, and free it; what is under way is done then, with
** GREEN_ECLOSED. c is not to be used any more. */
void green__dns_channel_close(green__dns_channel *c);

/* The same now. Not from inside of done. */
void green__dns_channel_free(green__dns_channel *c);

/* For dns_udp and dns_tcp: in zeroed memory. */
void green__dns_channel_init(green__dns_channel *c, green_hub *hub,
                             const green__dns_way *way);

/* For them: a call is over, without an answer or with one. */
void green__dns_channel_over(green__dns_channel *c, green__dns_call *call,
                             int status);
void green__dns_channel_answer(green__dns_channel *c, green__dns_call *call,
                               const void *answer, size_t n);

/* For them: tell of those that are over, in the next turn; or at once, from
** inside of a task. */
void green__dns_channel_soon(green__dns_channel *c);
void green__dns_channel_tell(green__dns_channel *c);

/* -- dns_udp, dns_tcp: the ways ------------------------------------------- */

/* A socket of our own. edns: the largest datagram, 0: as ever (512); larger
** ones come as if they were truncated. 0, GREEN_ENOMEM. at_once: or not at all:
** what the system says against a socket, too. */
int green__dns_udp_new(green__dns_channel **c, green_hub *hub,
                       const green_addr *server, int edns, int at_once);

/* A channel of c-ares'. 0, GREEN_ENOMEM, GREEN_EINVAL (no address of a
** server's), GREEN_EAI_FAIL. */
int green__dns_tcp_new(green__dns_channel **c, green_hub *hub,
                       const green_addr *server);

/* -- dns_server: is one well? --------------------------------------------- */

typedef struct green__dns_server {
  green_addr addr;
  int64_t peace;      /* 0: it answers. Else for how long it is left alone, */
  int64_t down_till;  /* and until when. */
  int64_t plain_till; /* Until when it is asked without EDNS. */
  green__dns_channel *channels[2]; /* By UDP, by TCP; or NULL. */
} green__dns_server;

/* It did not answer: it is left in peace, longer each time. No-op while it is.
*/
void green__dns_server_fell(green__dns_server *s, int64_t now);

/* Does that error of a call say that it is us who cannot, not the server? */
int green__dns_is_ours(int status);

/* -- dns_store: questions by what they ask -------------------------------- */

enum { GREEN__DNS_ALONE, GREEN__DNS_ASKED, GREEN__DNS_KNOWN };
enum { GREEN__DNS_CLASSES = 3 }; /* A, AAAA, all others. */

/* Of a question, zeroed. */
typedef struct green__dns_node {
  struct green__dns_node *next;
  green_link link; /* Among those that are known. */
  const uint8_t *key;
  uint32_t hash;
  uint16_t n;
  uint8_t state; /* GREEN__DNS_ALONE: it is in no store. */
  uint8_t cls;
  uint8_t has_old; /* Something else with this key was known when it was asked.
                    */
} green__dns_node;

/* At most one node of each state has the same key. */
typedef struct green__dns_store {
  green__dns_node **slots;
  uint32_t n_slots;
  uint32_t n;
  uint32_t most; /* Known ones of each class. */
  uint64_t seed;
  uint32_t n_known[GREEN__DNS_CLASSES];
  green_list known[GREEN__DNS_CLASSES]; /* That wanted longest ago first. */
} green__dns_store;

void green__dns_store_init(green__dns_store *s, uint32_t most, uint64_t seed);

/* What is in it must be taken out before. */
void green__dns_store_free(green__dns_store *s);

/* state 0: any of both. */
green__dns_node *green__dns_store_find(const green__dns_store *s,
                                       const uint8_t *key, uint16_t n,
                                       uint32_t hash, int state);

uint32_t green__dns_store_hash(const green__dns_store *s, const uint8_t *key,
                               size_t n);

/* As one that is asked; with its key and hash. 0, GREEN_ENOMEM. */
int green__dns_store_add(green__dns_store *s, green__dns_node *k);

/* No-op for one that is in none. */
void green__dns_store_remove(green__dns_store *s, green__dns_node *k);

/* One that is asked is known now. What had to go for it, or NULL. most is not
** 0. */
green__dns_node *green__dns_store_keep(green__dns_store *s, green__dns_node *k);

/* One that is known was wanted. */
void green__dns_store_touch(green__dns_store *s, green__dns_node *k);

green__dns_node *green__dns_store_oldest(const green__dns_store *s, int cls);

/* -- dns_result: what an answer says -------------------------------------- */

/* Fill in what green_question has behind `sent`, at that time; addrs, if it is
** not few, is to be **freed** (green__free). 0; GREEN_EPROTO: it lies, or is no
** message; GREEN_ENOMEM. */
int green__dns_result(green_question *q, int64_t now);

/* As green_resolver_spots. */
int green__dns_spots(green_order *o, const green_question *six,
                     const green_question *four, green_spot *out, int cap,
                     int64_t now);

#endif

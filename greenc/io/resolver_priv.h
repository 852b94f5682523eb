/*
** resolver_priv.h: what the resolver's files share.
*/
#ifndef GREEN_RESOLVER_PRIV_H
#define GREEN_RESOLVER_PRIV_H

#include "base/fork.h"
#include "io/dns_priv.h"

struct green_resolver {
  green_hub *hub; /* NULL: it has ended. */
  green_resolver_opts opts;
  green_list asking;  /* Questions. */
  green_list waiting; /* In line. */
  green_list channels;
  green_list probes; /* Attempts of no question. */
  green_forkhook forked;
  green__dns_dice dice;
  green__dns_store store;
  green_list spare; /* Attempts that are over. */
  uint32_t n_spare;
  green__dns_server *servers;
  uint32_t n_servers;
  uint32_t next; /* Who is first, when they take turns. */
  uint32_t n_out;
  uint8_t pumping;
  uint64_t n_sent;
};

typedef struct green__question {
  green_question q;
  green_link link;
  green_resolver *resolver; /* NULL: it has ended, or the result is there. */
  green_waitq waiters;
  struct green__question *other; /* Of a pair, or NULL. */
  green__dns_node node;
  uint32_t users;
  green_list attempts;
  uint32_t tried; /* Servers of this round, by bit. */
  uint32_t first; /* With whom a round begins. */
  int32_t round;
  int32_t error;   /* Of the last attempt. */
  int64_t sent_at; /* When that began, or was sent again. */
  uint8_t is_out;
  uint8_t is_read; /* What the answer says stands in q. */
  uint16_t query_len;
  uint8_t query[]; /* With the name as it was given. */
} green__question;

static inline green__question *green__question_of(green_question *q)
{
  return green_container(q, green__question, q);
}

static inline green__question *green__question_at(green__dns_node *node)
{
  return green_container(node, green__question, node);
}

/* A channel that may be asked once more; where there cannot be another one, one
** that is full is better than none. NULL: *err. */
green__dns_channel *green__resolver_channel(green_resolver *r,
                                            green__dns_server *s, int tcp,
                                            int *err);

/* Close it when nobody waits for an answer of it any more: its socket shall not
** stay open for answers that may never come. */
void green__resolver_rest(green_resolver *r, green__dns_channel *c);

/* Send those in line, as many as may be out. */
void green__resolver_pump(green_resolver *r);

/* Somebody else wants it, too: should it have been lost, that shall not be
** theirs. What was sent last is sent once more, byte for byte, if that was a
** while ago: the rounds go on as they would, and nothing is easier to guess. */
void green__question_again(green__question *q);

/* It is not asked any more. */
void green__question_leave(green__question *q);

/* The end of a pair, if it is one: the other one, or NULL. */
green__question *green__question_part(green__question *q);

/* If nobody needs it any more. */
void green__question_free(green__question *q);

#endif

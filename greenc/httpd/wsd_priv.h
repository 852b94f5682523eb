/*
** wsd_priv.h: what the files of WebSocket connections share. Private.
**
** A file calls only what stands right of it:
**   wsd.c -> ws_ping.c, ws_end.c -> ws_light.c, ws_frame.c -> ws_read.c ->
**   ws_send.c -> ws_conn.c
*/
#ifndef GREEN_WSD_PRIV_H
#define GREEN_WSD_PRIV_H

#include "httpd/wsd.h"
#include "hub/hub.h"
#include "hub/idle.h"
#include "io/filter.h"
#include "proto/inflate.h"
#include "proto/utf8.h"
#include "proto/ws_pack.h"

/* Of what is read: many small messages, or the heads of large ones. */
#define WS_BUFFER 16384

/* Sent at once beyond this, and from where it lies. */
#define WS_GATHER 65536

/* Buffers of long messages are kept for the next ones, of so many pooled ones
** at most: to get and to give back a megabyte costs more than to move it. */
#define WS_KEEP (2 << 20)
#define WS_KEEP_MOST 8

/* Of long messages that come at the same time, as much stands in room that was
** lent for the whole of each. What a header says costs a peer nothing. */
#define WS_LENT_MOST (64 << 20)

/* Connections whose messages are sent one behind the other (httpd_priv.h). */
#define WS_TOGETHER 32

typedef struct ws_conn ws_conn;
typedef struct wsd wsd;

/* Buffers and parser of a connection that is not idle; pooled. */
typedef struct ws_work {
  green_ws_reader reader;
  green_link link; /* In the set's pool, or in its list unsent. */
  ws_conn *c;
  char *in; /* in[start..end): read, not looked at; NULL: none yet. */
  uint32_t start;
  uint32_t end;
  uint32_t cap;         /* More than WS_BUFFER only where bytes are put in. */
  green_buf msg;        /* A message in pieces, long, or unpacked. */
  uint8_t lent;         /* Its memory is the store's. */
  green_utf8 utf8;      /* Of the message that comes, */
  green_utf8 said;      /* and of one that is sent in parts. */
  green_buf out;        /* Waits to be sent. */
  green_buf packed;     /* Scratch. */
  green_task task;      /* Waits until the socket takes more, */
  int64_t due;          /* until then, unless the peer has taken enough: */
  uint64_t took;        /* that much of late; */
  uint8_t sending;      /* while this says so. */
  uint8_t binary;       /* The message that comes is, */
  uint8_t given;        /* and was handed out. */
  uint8_t in_parts;     /* A part of it was, and it goes on: */
  uint8_t skip;         /* nobody wants the rest. */
  uint64_t gone;        /* Bytes of it that were handed out. */
  uint8_t parts_open;   /* We have sent a part, and not the last: */
  uint8_t parts_text;   /* of a text; */
  uint8_t parts_packed; /* compressed. */
  uint8_t is_full;      /* More than max_buffered waited. */
  green_waitq drained;
  char reason[125];
} ws_work;

/* At frames between two looks at others. */
#define WS_SHARE 256

/* Compression of a connection that builds on earlier messages. */
typedef struct ws_pack {
  green_deflate out;
  green_inflate in;
  bool has_out;
  bool has_in;
} ws_pack;

enum ws_phase {
  WS_HELD,  /* Its own thread has it, or a worker. */
  WS_IDLE,  /* Light: waits in the set. */
  WS_LINGER /* Nobody's: says its last, and goes. */
};

/* There may be a million, which do nothing: what is needed while something is
** under way stands in ws_work. What is looked at where a frame goes to many
** stands at the front: the system fills the caches between two of them. */
struct ws_conn {
  green_ws pub;
  ws_work *work; /* NULL while idle. */
  wsd *d;
  uint8_t phase;
  uint8_t same; /* Messages in a row. */
  uint8_t late; /* Reads after its close was due. */
  uint8_t out_bits : 4;
  uint8_t in_bits : 4;
  uint8_t out_takeover : 1;
  uint8_t in_takeover : 1;
  uint8_t pinged : 1;
  uint8_t ended : 1; /* The stream's end has come. */
  uint8_t no_sock : 1;
  uint8_t is_plain : 1; /* Its socket has no filter. */
  uint8_t rests : 1;    /* It was not read since green_ws_rest. */
  green_sock sock;
  ws_pack *pack;    /* NULL: none of its own. */
  green_link link;  /* In the list of all. */
  green_link event; /* In told. */
  uint32_t heard;   /* When something came last (ws_ticks). */
  uint32_t drained; /* Bytes thrown away at the end. */
};

typedef struct ws_slot {
  ws_conn *c; /* NULL: free. */
  green_handle handle;
  uint32_t next;
} ws_slot;

struct wsd {
  green_wsd pub;
  green_hub *hub;
  green_idle keep;    /* Light ones that wait. */
  green_idle closing; /* Those of them whose close was said. */
  green_idle linger;  /* Nobody's: their last words are said. */
  green_waitq shortage;
  green_waitq departures;
  green_list conns;   /* Those that have waited longest for a look first. */
  green_list told;    /* Light ones with something to tell, but bytes. */
  green_list unsent;  /* Buffers with something to send. */
  green_list dropped; /* Gone, but for their memory. */
  uint32_t n_unsent;
  uint32_t n_light; /* Of the light form. */
  green_timer sweep;
  green_defer defer;
  green_forkhook forked;
  green_list pool;
  uint32_t pooled;
  size_t lent;    /* Bytes of the store's (hub/store.h). */
  uint32_t taken; /* Counts calls of green_wsd_next. */
  uint8_t over;   /* They have had their share of this turn. */
  ws_slot *slots; /* The first is never used. */
  uint32_t cap;
  uint32_t free;
  green_deflate *deflate[16]; /* Shared, by window; NULL: none yet. */
  green_inflate *inflate;     /* Likewise; of the largest window. */
  uint32_t mask_left;         /* Of masks: bytes that nobody can guess. */
  uint8_t masks[512];
};

static inline ws_conn *ws_conn_of(green_ws *ws)
{
  return (ws_conn *)ws;
}

static inline wsd *wsd_of(green_wsd *d)
{
  return (wsd *)d;
}

static inline ws_conn *ws_conn_of_fd(green_fd *f)
{
  return green_container(green_sock_of(f), ws_conn, sock);
}

/* The time of the last poll, in units of 67 ms. */
enum { WS_TICK_BITS = 26 };

uint32_t green__ws_ticks(const wsd *d);

/* -- ws_conn.c: life ------------------------------------------------------ */

/* Have buffers. 0 or GREEN_ENOMEM. */
int green__ws_take(ws_conn *c);

/* Take them away if nothing in them is needed, what was read last neither. */
void green__ws_give(ws_conn *c);

/* Is what was read last not needed? */
static inline int green__ws_rests(const ws_conn *c)
{
  return c->rests || c->phase == WS_IDLE;
}

void green__ws_free_work(ws_work *w);

/* If the message stands in room of the store's: it does no more, and has none;
** and give that back. */
void green__ws_leave_room(wsd *d, ws_work *w);
void green__ws_return_room(wsd *d, ws_work *w);

/* It has ended with that code, and nothing of ours will be said: the socket is
** closed, waiters are woken, and it is told of. */
void green__ws_lose(ws_conn *c, int code, int error);

/* Its state is CLOSED from here on; there may be something left to send. */
void green__ws_set_closed(ws_conn *c, int code, const char *reason, size_t n);

/* For the light form: tell of it, if nobody has it. */
void green__ws_tell(ws_conn *c);

/* The same of one in somebody's hands, who lets go of it. */
void green__ws_tell_of(ws_conn *c);

/* Its handle is good no more. */
void green__ws_hide(ws_conn *c);

/* All is said: close it once the peer has closed its side, or soon. */
void green__ws_linger(ws_conn *c);

/* Out of everything, and gone. */
void green__ws_drop(ws_conn *c);

/* The memory of those that had something to show when they went. */
void green__wsd_free_dropped(wsd *d);

/* -- ws_send.c ------------------------------------------------------------ */

/* Put a frame behind what waits to be sent; it leaves soon. Bytes that wait, or
** GREEN_ENOMEM. */
int green__ws_frame(ws_conn *c, int opcode, bool last, bool compressed,
                    const char *p, size_t n);

/* The same for a frame that was encoded before. */
int green__ws_encoded(ws_conn *c, const char *p, size_t n);

/* The same for one that many get: at once, if it can be. */
int green__ws_shared(ws_conn *c, const char *p, size_t n);

/* It leaves soon. */
void green__ws_put_off(ws_conn *c);

/* Send what waits. 0: all has left; GREEN_EAGAIN: somebody waits for it; or it
** is lost. */
int green__ws_flush(ws_conn *c);

void green__wsd_send_unsent(wsd *d);

/* For the light form: tell that there is room again. 0: that is not to be told.
*/
int green__ws_tell_room(ws_conn *c);

/* Queue a close frame; nothing follows it. 0 or GREEN_ENOMEM. */
int green__ws_say_close(ws_conn *c, int code, const char *reason, size_t n);

/* The set's, with this window, for one message. NULL: *err. */
green_deflate *green__wsd_deflate(wsd *d, int bits, int *err);

/* -- ws_read.c ------------------------------------------------------------ */

/* As green_ws_read, of what was received already. */
int green__ws_at_hand(ws_conn *c, bool parts);

/* Deal with the control frames of one that nobody reads now, up to the next
** data. */
void green__ws_attend(ws_conn *c);

/* -- ws_light.c ----------------------------------------------------------- */

/* Nobody has it: it waits in the set, with those that its state belongs to. */
void green__ws_put_by(ws_conn *c);

/* As many as there are connections for, or by and by. */
void green__wsd_wake_workers(wsd *d);

/* -- ws_end.c ------------------------------------------------------------- */

/* A turn of those that are nobody's: read until the peer has closed its side.
*/
void green__wsd_linger(wsd *d);

/* -- ws_ping.c ------------------------------------------------------------ */

/* Drafts without pings: the system asks, where the peer has one. */
void green__ws_keep_alive(ws_conn *c);

/* Look at a part of them: all at once would hold up others where there are very
** many. */
void green__wsd_sweep(green_timer *t);

/* Have that called in time, if it is not to be already. */
void green__wsd_sweep_later(wsd *d);

#endif

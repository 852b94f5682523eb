/*
** ws_frame.c: one message for many connections, encoded once.
*/

#include "httpd/wsd_priv.h"
#include "base/mem.h"

#include <string.h>

/* As it leaves, and compressed for each window that was asked for; len 0: not
** yet. A client's is masked, each anew. */
struct green_ws_frame {
  green_buf plain;
  green_buf packed[16];
  char *text; /* NUL behind it; the message. */
  size_t len;
  bool binary;
  bool compress;
};

green_ws_frame *green_ws_frame_new(const char *p, size_t n, bool binary,
                                   bool compress)
{
  char head[14];
  green_ws_frame *f = green__zalloc(sizeof(*f));
  if (!f) return NULL;
  int opcode = binary ? GREEN_WS_BINARY : GREEN_WS_TEXT;
  size_t n_head = (size_t)green_ws_head(head, opcode, true, false, n, NULL);
  int err = green_buf_append(&f->plain, head, n_head);
  if (err == 0) err = green_buf_append(&f->plain, p, n);
  if (err < 0) {
    green_ws_frame_free(f);
    return NULL;
  }
  f->text = green_buf_data(&f->plain) + n_head;
  f->len = n;
  f->binary = binary;
  f->compress = compress;
  return f;
}

void green_ws_frame_free(green_ws_frame *f)
{
  if (!f) return;
  green_buf_reset(&f->plain);
  for (int i = 0; i < 16; i++) green_buf_reset(&f->packed[i]);
  green__free(f);
}

/* Built on nothing before it: any receiver with that window can unpack it. */
static int frame_pack(wsd *d, green_ws_frame *f, int bits)
{
  char head[14];
  green_buf body = {0};
  int err = 0, opcode = f->binary ? GREEN_WS_BINARY : GREEN_WS_TEXT;
  green_deflate *z = green__wsd_deflate(d, bits, &err);
  if (z) err = green_ws_pack(z, f->text, f->len, true, &body);
  if (err == 0) {
    size_t n = green_buf_len(&body);
    int n_head = green_ws_head(head, opcode, true, true, n, NULL);
    err = green_buf_append(&f->packed[bits], head, (size_t)n_head);
    if (err == 0)
      err = green_buf_append(&f->packed[bits], green_buf_data(&body), n);
    if (err < 0) green_buf_reset(&f->packed[bits]);
  }
  green_buf_reset(&body);
  return err;
}

/* Which form c gets. NULL: one of its own. */
static const green_buf *frame_for(ws_conn *c, green_ws_frame *f)
{
  int bits = c->out_bits ? c->out_bits : 15;
  bool packs = f->compress && c->pub.compressed && bits > 8 &&
               f->len >= c->d->pub.threshold;
  if (c->pub.client || c->pub.legacy) return NULL;
  if (!packs) return &f->plain;
  if (c->out_takeover) return NULL;
  if (green_buf_len(&f->packed[bits]) == 0 && frame_pack(c->d, f, bits) < 0)
    return &f->plain;
  return &f->packed[bits];
}

int green_ws_send_frame(green_ws *ws, green_ws_frame *f)
{
  ws_conn *c = ws_conn_of(ws);
  const green_buf *b = frame_for(c, f);
  if (!b)
    return green_ws_send(ws, f->binary ? GREEN_WS_BINARY : GREEN_WS_TEXT,
                         f->text, f->len, 0);
  if (ws->state != GREEN_WS_OPEN) return GREEN_ECLOSED;
  if (c->work && c->work->parts_open) return GREEN_EBUSY;
  c->d->pub.messages_out++;
  return green__ws_shared(c, green_buf_data(b), green_buf_len(b));
}

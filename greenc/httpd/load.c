/*
** load.c: adds up what requests took.
*/

#include "httpd/load.h"
#include "httpd/httpd_priv.h"
#include "hub/hub_priv.h"
#include "base/mem.h"

static void load_count(green_httpd_load *l, int64_t second)
{
  int i = (int)(second & (GREEN_LOAD_SECONDS - 1));
  if (l->seconds[i] != second) {
    l->seconds[i] = second;
    l->counts[i] = 0;
  }
  l->counts[i]++;
}

void green__load_note(const httpd_conn *c)
{
  green_httpd_load *l = c->d->load;
  int64_t now = green__hub_now(c->d->hub);
  int kind = c->pub.state == GREEN_ANSWER_NONE ? 0 : c->pub.status / 100;
  green_histogram_add(&l->times, c->req ? now - c->req->started : 0);
  l->answers[kind >= 0 && kind < 6 ? kind : 0]++;
  load_count(l, now / GREEN_SECOND);
}

int green_httpd_measure(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  if (!d->hub) return GREEN_ECLOSED;
  if (d->load) return 0;
  d->load = green__zalloc(sizeof(*d->load));
  if (!d->load) return GREEN_ENOMEM;
  d->load->since = green__hub_now(d->hub);
  return 0;
}

const green_httpd_load *green_httpd_measured(const green_httpd *pub)
{
  return ((const httpd *)pub)->load;
}

/* The present second is not over, and is not asked, but where there is no
** other. */
double green_httpd_load_rate(const green_httpd_load *l, int64_t now)
{
  int64_t second = now / GREEN_SECOND, first = l->since / GREEN_SECOND;
  int64_t back =
      second - first < GREEN_LOAD_BACK ? second - first : GREEN_LOAD_BACK;
  uint64_t count = 0;
  if (back < 1) second++, back = 1;
  for (int i = 0; i < GREEN_LOAD_SECONDS; i++)
    if (l->seconds[i] >= second - back && l->seconds[i] < second)
      count += l->counts[i];
  return (double)count / (double)back;
}

/*
** trace_priv.h: the places where a hub tells what it does: its tracer
** (trace.h), and perf and bpftrace, by probes. Private to greenc.
**
** A probe is a nop; where <sys/sdt.h> is not there when this is built, or
** GREEN_NO_PROBES is defined, it is nothing.
*/
#ifndef GREEN_TRACE_PRIV_H
#define GREEN_TRACE_PRIV_H

#include "hub/hub_priv.h"
#include "hub/trace.h"

#if defined(__has_include) && !defined(GREEN_NO_PROBES)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#define GREEN_PROBES 1
#endif
#endif

/* A probe of greenlua's with so many arguments. */
#ifdef GREEN_PROBES
#define GREEN_PROBE1(name, a) STAP_PROBE1(greenlua, name, a)
#define GREEN_PROBE3(name, a, b, c) STAP_PROBE3(greenlua, name, a, b, c)
#define GREEN_PROBE4(name, a, b, c, d) STAP_PROBE4(greenlua, name, a, b, c, d)
#define GREEN_PROBE5(name, a, b, c, d, e) \
  STAP_PROBE5(greenlua, name, a, b, c, d, e)
#else
#define GREEN_PROBE1(name, a) (void)(a)
#define GREEN_PROBE3(name, a, b, c) (void)(a), (void)(b), (void)(c)
#define GREEN_PROBE4(name, a, b, c, d) \
  (void)(a), (void)(b), (void)(c), (void)(d)
#define GREEN_PROBE5(name, a, b, c, d, e) \
  (void)(a), (void)(b), (void)(c), (void)(d), (void)(e)
#endif

static inline int green__is_traced(const green_hub *hub)
{
  return green_unlikely(hub->tracer != NULL);
}

/* For the functions below: the hub has a tracer. */
void green__trace_task(const green_task *t, int kind);
void green__trace_wake(const green_task *t);
void green__trace_io(const green_hub *hub, int fd, int modes);
void green__trace_timer(const green_hub *hub, const green_task *t, int place);

static inline void green__tell_wake(const green_task *t)
{
  GREEN_PROBE3(wake, t, t->status, t->hub->current);
  if (green__is_traced(t->hub)) green__trace_wake(t);
}

static inline void green__tell_end(const green_task *t)
{
  GREEN_PROBE1(end, t);
  if (green__is_traced(t->hub)) green__trace_task(t, GREEN_TRACE_END);
}

static inline void green__tell_io(const green_hub *hub, int fd, int modes)
{
  GREEN_PROBE3(io, hub, fd, modes);
  if (green__is_traced(hub)) green__trace_io(hub, fd, modes);
}

#endif

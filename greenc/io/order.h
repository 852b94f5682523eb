/*
** order.h: which address of several is to be tried first (RFC 6724, 6), by the
** source address that the system would use for each.
**
** The system is asked by a socket of UDP that is connected and sends nothing.
** What it says of a network (/24, /64) holds for ten seconds.
*/
#ifndef GREEN_ORDER_H
#define GREEN_ORDER_H

#include "base/addr.h"

/* ffi needs: addr */
/* ffi */
enum { GREEN_ORDER_KNOWN = 32, GREEN_ORDER_MOST = 64 };

/* What the system says of a network: the source address, or none. */
typedef struct green_route {
  int64_t till; /* Until when it holds; 0: nobody could be asked. */
  uint8_t network[16];
  uint8_t source[16];
  uint8_t family;
  uint8_t reachable;
} green_route;

/* Zeroed: nothing is known. */
typedef struct green_order {
  green_route routes[GREEN_ORDER_KNOWN];
} green_order;

/* Put n addresses of IPv4 and IPv6 into order, best first; equal ones stay as
** they are, and so do those behind the first GREEN_ORDER_MOST. now: on a clock
** of nanoseconds. One address is asked nothing of. */
GREEN_API void green_order_sort(green_order *o, green_addr *list, int n,
                                int64_t now);

/* Does this machine reach the world by that family (GREEN_INET, GREEN_INET6)?
** That is, has it an address that is not of the loopback for it; where no
** descriptor is left to look with, it is held to have one. */
GREEN_API int green_order_reaches(green_order *o, int family, int64_t now);
/* end ffi */

#endif

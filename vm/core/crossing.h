/*
** crossing.h: what object.c has to know of objects that other Lua states of the
** process share. Private to vm/core.
*/
#ifndef GREEN_CROSSING_H
#define GREEN_CROSSING_H

#include "parcel.h"

/* A value on its way through a channel (channel.c); NULL is fine. */
typedef struct vm_message vm_message;
void vm_message_free(vm_message **m);

/* The objects are pointers to a green_channel, and to one of these. */
extern const vm_carrier vm_channel_carrier; /* channel.c */
extern const vm_carrier vm_share_carrier;   /* share.c */

/* Values that were packed once, and are unpacked where they are read. */
typedef struct vm_share vm_share;
void vm_share_unref(vm_share *s); /* Any thread; NULL is fine. */

#endif

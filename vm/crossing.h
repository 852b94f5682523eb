/*
** crossing.h: what several Lua states of a process have together, in memory of
** its own: a value on its way through a channel, and values that were packed
** once. Private to vm.
*/
#ifndef GREEN_CROSSING_H
#define GREEN_CROSSING_H

#include "parcel.h"

#include "io/channel.h"

#include <stdatomic.h>

/* A value on its way. */
typedef struct vm_message {
  green_item item;
  vm_parcel parcel;
} vm_message;

/* With an empty parcel. NULL: out of memory. Free with vm_message_free, for
** which NULL is fine, or give it to a channel. */
vm_message *vm_message_new(void);
void vm_message_free(vm_message *m);

/* Values that were packed once, and are unpacked where they are read. */
typedef struct vm_share {
  atomic_int refs;
  uint32_t n;
  vm_parcel parts[]; /* Never written once there are two holders. */
} vm_share;

/* With n empty parts, and one holder. NULL: out of memory. */
vm_share *vm_share_new(uint32_t n);

/* Any thread. */
vm_share *vm_share_ref(vm_share *s);
void vm_share_unref(vm_share *s); /* NULL is fine. */

#endif

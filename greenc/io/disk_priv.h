/*
** disk_priv.h: what the files of disk share. Private to io/disk*.c. All but
** disk.c runs in native threads, on a green_disk that nobody else touches
** meanwhile.
*/
#ifndef GREEN_DISK_PRIV_H
#define GREEN_DISK_PRIV_H

#include "io/disk.h"

#include <sys/stat.h>

typedef struct green__copy green__copy; /* disk_copy.c */

struct green_disk {
  green_job job;
  green_waitq waiters;
  int64_t result; /* The hub's thread's. GREEN_EAGAIN: at work. */
  int64_t answer; /* The native thread's, until done makes it the result. */
  green_disk_call call;
  char *text; /* path, to and data are in it. */
  char *path, *to, *data;
  const char *shown; /* The path as it was given: nobody writes into it. */
  green_buf out;
  green_desc *opened;
  green__copy *copy; /* One that is under way, or NULL. */
  green_disk_info info;
  green_disk_space space;
  uint32_t generation; /* Of the process that asked. */
  uint8_t unwanted;
  uint8_t escaped;
};

/* A call may go on for so long before it says GREEN_DISK_MORE. Enough to make
** the way through the pool cheap, and short for a thread that others wait
** for. */
#define GREEN__DISK_SLICE INT64_C(20000000)

/* Room before the bytes of a read: what is left of a line goes there. */
#define GREEN__DISK_FRONT 4096

/* -- disk_place.c: where a path leads ------------------------------------- */

/* A folder, and a name in it. */
typedef struct green__place {
  int dir;
  int owned; /* dir is to be closed. */
  char *name;
} green__place;

/* Of a path that is d's (it may be written into). 0 or an error; close it in
** the first case. */
int green__place_open(green__place *p, green_disk *d, char *path);
void green__place_close(const green__place *p);

/* Open what the path leads to, following links. The number or an error. */
int green__place_file(green_disk *d, const char *path, int flags, int mode);

/* The number of call.at, or AT_FDCWD. */
int green__place_at(const green_disk *d);

/* -- The calls ------------------------------------------------------------ */

int64_t green__disk_call(green_disk *d); /* disk_call.c: any of them */

int64_t green__disk_open(green_disk *d); /* disk_data.c */
int64_t green__disk_read(green_disk *d);
int64_t green__disk_write(green_disk *d);
int64_t green__disk_load(green_disk *d);
int64_t green__disk_append(green_disk *d);

int64_t green__disk_save(green_disk *d); /* disk_temp.c */
int64_t green__disk_temp(green_disk *d);

int64_t green__disk_list(green_disk *d); /* disk_tree.c */
int64_t green__disk_mkdir(green_disk *d);
int64_t green__disk_remove(green_disk *d);

int64_t green__disk_copy(green_disk *d); /* disk_copy.c */
/* Given up, or over. keep: its temporary file is another process's. */
void green__disk_copy_free(green__copy *c, int keep);

/* -- What several of them need -------------------------------------------- */

/* disk_data.c: write all of it, at offset or, if that is -1, where the system's
** position is. How many were written, or an error: nothing was. */
int64_t green__disk_put(int fd, const char *p, int64_t n, int64_t offset);

/* disk_data.c: the same, and what stopped it if not all was written. 0 or an
** error. */
int green__disk_put_all(int fd, const char *p, int64_t n, int64_t offset);

/* disk_data.c: into d's info. 0 or an error. */
int green__disk_look(green_disk *d, int fd);
void green__disk_info_set(green_disk_info *info, const struct stat *st);

/* disk_data.c: d->opened; closes fd where there is no memory for it. 0 or
** GREEN_ENOMEM. */
int green__disk_keep(green_disk *d, int fd);

/* disk_temp.c: make a file that nobody else has beside the one that name leads
** to from dir. temp: its path from there, free it with green__free. The number
** or an error. */
int green__temp_open(int dir, const char *name, int mode, char **temp);

/* disk_temp.c: the folder that name is in is on the disk. 0 or an error. */
int green__sync_folder(int dir, const char *name);

/* disk_temp.c: as rename(2), or so that nothing is replaced. 0 or an error. */
int green__rename(int dir, const char *name, int to_dir, const char *to,
                  int how);

#endif

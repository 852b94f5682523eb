/*
** pipe.c: a server's pipe, through which bodies go that nobody looks at.
*/

#include "httpd/httpd_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int green__pipe_open(httpd *d)
{
  if (d->pipe[0] >= 0) return 0;
  if (pipe2(d->pipe, O_NONBLOCK | O_CLOEXEC) < 0) return -errno;
  /* Where that is too much for this user it stays smaller. */
  (void)fcntl(d->pipe[1], F_SETPIPE_SZ, HTTPD_PIPE);
  return 0;
}

void green__pipe_drop(httpd *d)
{
  if (d->pipe[0] < 0) return;
  close(d->pipe[0]);
  close(d->pipe[1]);
  d->pipe[0] = d->pipe[1] = -1;
}

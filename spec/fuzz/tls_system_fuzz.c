/*
** tls_system_fuzz.c: any bytes as the file of the system's authorities.
**
** With an odd first byte they are a file, else what one certificate in it is
** made of. A client that believes that file meets a server whose certificate
** nobody in it has signed. Whatever it holds: no crash, no leak, and the server
** is not believed.
*/

#include "io/tls_kit.h"

#include <stdint.h>
#include <sys/mman.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static green_tls_ctx *server;
static int file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
  char path[40];
  (void)argc, (void)argv;
  CHECK(green_tls_load(NULL) == 0);
  certs_make();
  tls_io = green_tls_io_new();
  server = server_ctx("a");
  certs_remove();
  file = memfd_create("authorities", 0);
  CHECK(file >= 0);
  snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
  setenv("SSL_CERT_FILE", path, 1);
  unsetenv("SSL_CERT_DIR");
  return 0;
}

static void put(const void *p, size_t n)
{
  CHECK(write(file, p, n) == (ssize_t)n);
}

/* In base64, in lines of 64. */
static void put_pem(const uint8_t *p, size_t n)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                               "qrstuvwxyz0123456789+/";
  dprintf(file, "-----BEGIN CERTIFICATE-----");
  for (size_t i = 0; i < n; i += 3) {
    unsigned b = (unsigned)p[i] << 16;
    if (i + 1 < n) b |= (unsigned)p[i + 1] << 8;
    if (i + 2 < n) b |= p[i + 2];
    char four[4] = {digits[b >> 18], digits[b >> 12 & 63], digits[b >> 6 & 63],
                    digits[b & 63]};
    if (i + 1 >= n) four[2] = '=';
    if (i + 2 >= n) four[3] = '=';
    if (i % 48 == 0) put("\n", 1);
    put(four, 4);
  }
  dprintf(file, "\n-----END CERTIFICATE-----\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2 || size > 8192) return 0;
  CHECK(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
  if (data[0] & 1)
    put(data + 1, size - 1);
  else
    put_pem(data + 1, size - 1);
  green_tls_ctx *c = green_tls_ctx_new(false);
  int err = green_tls_ctx_seal(c);
  if (err == 0) {
    pair p = pair_open(c, server, "a.test");
    CHECK(shake(&p) < 0 && green_tls_failure(p.client));
    pair_close(&p);
  } else {
    CHECK(*green_tls_ctx_error(c)->text);
  }
  green_tls_ctx_free(c);
  return 0;
}

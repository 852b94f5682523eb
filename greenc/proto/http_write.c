/*
** http_write.c: response heads, piece by piece.
*/

#include "proto/http_write.h"
#include "proto/scan.h"

/* The registry of status codes. */
static const char *const reasons[] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [102] = "Processing",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [208] = "Already Reported",
    [226] = "IM Used",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [305] = "Use Proxy",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [506] = "Variant Also Negotiates",
    [507] = "Insufficient Storage",
    [508] = "Loop Detected",
    [510] = "Not Extended",
    [511] = "Network Authentication Required",
};

const char *green_http_write_reason(int code)
{
  if (code < 0 || (size_t)code >= sizeof(reasons) / sizeof(reasons[0]))
    return "";
  return reasons[code] ? reasons[code] : "";
}

bool green_http_write_is_token(const char *name, size_t len)
{
  return len &&
         green__scan_scalar(name, name + len, GREEN__TOKEN) == name + len;
}

bool green_http_write_is_value(const char *value, size_t len)
{
  return green__scan_value(value, value + len) == value + len;
}

static char *put(char *p, const char *s, size_t len)
{
  memcpy(p, s, len);
  return p + len;
}

static int status_put(char *p, size_t cap, const char *line, size_t len,
                      const char *reason)
{
  size_t reason_len = strlen(reason), gap = len == 3;
  size_t need = 9 + len + gap + reason_len + 2;
  if (len > INT32_MAX / 2) return GREEN_EINVAL;
  if (need > cap) return GREEN_ENOBUFS;
  p = put(p, "HTTP/1.1 ", 9);
  p = put(p, line, len);
  p = put(p, " ", gap);
  p = put(p, reason, reason_len);
  put(p, "\r\n", 2);
  return (int)need;
}

int green_http_write_status(char *p, size_t cap, int code)
{
  if (code == 200 && cap >= 17) { /* Nearly all of them. */
    put(p, "HTTP/1.1 200 OK\r\n", 17);
    return 17;
  }
  if (code < 100 || code > 999) return GREEN_EINVAL;
  char digits[3] = {(char)('0' + code / 100), (char)('0' + code / 10 % 10),
                    (char)('0' + code % 10)};
  return status_put(p, cap, digits, 3, green_http_write_reason(code));
}

int green_http_write_status_line(char *p, size_t cap, const char *line,
                                 size_t len)
{
  int code = 0;
  if (len < 3) return GREEN_EINVAL;
  for (int i = 0; i < 3; i++) {
    if (line[i] < '0' || line[i] > '9') return GREEN_EINVAL;
    code = code * 10 + (line[i] - '0');
  }
  if (len == 3) return green_http_write_status(p, cap, code);
  if (code < 100 || line[3] != ' ' || !green_http_write_is_value(line, len))
    return GREEN_EINVAL;
  return status_put(p, cap, line, len, "");
}

int green_http_write_header(char *p, size_t cap, const char *name,
                            size_t name_len, const char *value,
                            size_t value_len)
{
  if (!green_http_write_is_token(name, name_len) ||
      !green_http_write_is_value(value, value_len) ||
      name_len > INT32_MAX / 4 || value_len > INT32_MAX / 4)
    return GREEN_EINVAL;
  size_t need = name_len + value_len + 4;
  if (need > cap) return GREEN_ENOBUFS;
  p = put(p, name, name_len);
  p = put(p, ": ", 2);
  p = put(p, value, value_len);
  put(p, "\r\n", 2);
  return (int)need;
}

void green_http_write_capitalize(char *name, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if ((i == 0 || name[i - 1] == '-') && name[i] >= 'a' && name[i] <= 'z')
      name[i] = (char)(name[i] & ~0x20);
}

int green_http_write_decimal(char *p, size_t cap, int64_t value)
{
  char text[20], *t = text + sizeof(text);
  /* Negated without overflow for the smallest number. */
  uint64_t n = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  do *--t = (char)('0' + n % 10);
  while (n /= 10);
  if (value < 0) *--t = '-';
  size_t len = (size_t)(text + sizeof(text) - t);
  if (len > cap) return GREEN_ENOBUFS;
  put(p, t, len);
  return (int)len;
}

int green_http_write_chunk(char *p, size_t cap, uint64_t size)
{
  char text[18], *t = text + sizeof(text);
  *--t = '\n';
  *--t = '\r';
  do *--t = "0123456789abcdef"[size & 15];
  while (size >>= 4);
  size_t len = (size_t)(text + sizeof(text) - t);
  if (len > cap) return GREEN_ENOBUFS;
  put(p, t, len);
  return (int)len;
}

/*
** Dates
*/

static void put_number(char *p, int digits, int n)
{
  while (digits--) {
    p[digits] = (char)('0' + n % 10);
    n /= 10;
  }
}

/* n / size, but the last of count parts may be longer than the others: the last
** year of four has the leap day, the last century of four its leap year. */
static int part(int *n, int size, int count)
{
  int i = *n / size < count ? *n / size : count - 1;
  *n -= i * size;
  return i;
}

/* The day that comes n days after 1 January of year 1. */
static void date_split(int n, int *year, int *month, int *day)
{
  int y = 400 * part(&n, 146097, INT32_MAX);
  y += 100 * part(&n, 36524, 4);
  y += 4 * part(&n, 1461, 25);
  y += 1 + part(&n, 365, 4);
  bool leap = y % 4 == 0 && (y % 100 || y % 400 == 0);
  const char days[12] = {
      31, (char)(28 + leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int m = 0;
  while (n >= days[m]) n -= days[m++];
  *year = y;
  *month = m;
  *day = n + 1;
}

int green_http_write_date(char *p, size_t cap, int64_t seconds)
{
  static const char weekdays[] = "MonTueWedThuFriSatSun";
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const int64_t year_1 = -62135596800, year_10000 = 253402300800;
  if (seconds < year_1 || seconds >= year_10000) return GREEN_EINVAL;
  if (cap < 29) return GREEN_ENOBUFS;
  int days = (int)((seconds - year_1) / 86400);
  int rest = (int)((seconds - year_1) % 86400);
  int year, month, day;
  date_split(days, &year, &month, &day);
  memcpy(p, "Ddd, 00 Mmm 0000 00:00:00 GMT", 29);
  memcpy(p, weekdays + 3 * (days % 7), 3);
  put_number(p + 5, 2, day);
  memcpy(p + 8, months + 3 * month, 3);
  put_number(p + 12, 4, year);
  put_number(p + 17, 2, rest / 3600);
  put_number(p + 20, 2, rest / 60 % 60);
  put_number(p + 23, 2, rest % 60);
  return 29;
}

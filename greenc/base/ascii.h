/*
** ascii.h: letters and digits as protocols know them, whatever the locale says.
**
** Any thread.
*/
#ifndef GREEN_ASCII_H
#define GREEN_ASCII_H

#include <stdbool.h>

/* "A" to "Z" in small letters; any other byte as it is. */
static inline char green_ascii_lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* "0" to "9"? */
static inline bool green_ascii_is_digit(char c)
{
  return c >= '0' && c <= '9';
}

#endif

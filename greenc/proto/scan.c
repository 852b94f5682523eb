/*
** scan.c: the table of byte classes.
*/

#include "proto/scan.h"

#define TOKEN GREEN__TOKEN
#define VISIBLE (GREEN__PATH | GREEN__TARGET | GREEN__VALUE | GREEN__NAME)
#define HOST GREEN__HOST
#define WORD (VISIBLE | TOKEN | HOST)

/* clang-format off */
const uint8_t green__scan_class[256] = {
    ['\t'] = GREEN__VALUE,
    [' '] = GREEN__VALUE,
    ['!'] = WORD,
    ['"'] = VISIBLE,
    ['#'] = TOKEN | GREEN__VALUE | GREEN__NAME,
    ['$'] = WORD,
    ['%'] = TOKEN | GREEN__TARGET | GREEN__VALUE | GREEN__NAME,
    ['&'] = WORD,
    ['\''] = WORD,
    ['('] = VISIBLE | HOST,
    [')'] = VISIBLE | HOST,
    ['*'] = WORD,
    ['+'] = WORD,
    [','] = VISIBLE,
    ['-'] = WORD,
    ['.'] = WORD,
    ['/'] = VISIBLE,
    ['0' ... '9'] = WORD,
    [':'] = GREEN__PATH | GREEN__TARGET | GREEN__VALUE,
    [';'] = VISIBLE | HOST,
    ['<'] = VISIBLE,
    ['='] = VISIBLE | HOST,
    ['>'] = VISIBLE,
    ['?'] = GREEN__TARGET | GREEN__VALUE | GREEN__NAME,
    ['@'] = VISIBLE,
    ['A' ... 'Z'] = WORD,
    ['['] = VISIBLE,
    ['\\'] = VISIBLE & ~GREEN__PATH,
    [']'] = VISIBLE,
    ['^'] = VISIBLE | TOKEN,
    ['_'] = WORD,
    ['`'] = VISIBLE | TOKEN,
    ['a' ... 'z'] = WORD,
    ['{'] = VISIBLE,
    ['|'] = VISIBLE | TOKEN,
    ['}'] = VISIBLE,
    ['~'] = WORD,
    [0x80 ... 0xff] = GREEN__VALUE,
};
/* clang-format on */

/*
** ws_offer_test.c: offers of permessage-deflate, answers, and what is neither.
*/

#include "proto/ws_offer.h"
#include "guard.h"
#include "t.h"

/* All offers of a field that are valid, one a line, as they are written. The
** field ends where the memory does. */
static char text[2000];

static int offers(const char *field)
{
  size_t n = strlen(field), pos = 0, len = 0;
  const char *p = guard_copy(field, n);
  green_ws_offer o;
  int rc;
  while ((rc = green_ws_offer_next(p, n, &pos, &o)) == 1) {
    int wrote = green_ws_offer_write(text + len, GREEN_WS_OFFER_MAX, &o, false);
    len += (size_t)wrote;
    text[len++] = '\n';
  }
  text[len] = '\0';
  return pos <= n ? rc : 1 << 30;
}

#define PMD "permessage-deflate"

/*
** Offers
*/

static const struct {
  const char *what;
  const char *field;
  const char *want;
} goods[] = {
    {"the plain offer", PMD, PMD "\n"},
    {"a browser's", PMD "; client_max_window_bits",
     PMD "; client_max_window_bits\n"},
    {"every parameter",
     PMD "; client_max_window_bits=9; server_max_window_bits=15; "
         "client_no_context_takeover; server_no_context_takeover",
     PMD "; server_no_context_takeover; client_no_context_takeover; "
         "server_max_window_bits=15; client_max_window_bits=9\n"},
    {"8 bits", PMD ";server_max_window_bits=8",
     PMD "; server_max_window_bits=8\n"},
    {"a quoted value", PMD ";server_max_window_bits=\"10\"",
     PMD "; server_max_window_bits=10\n"},
    {"a quoted pair in it", PMD ";server_max_window_bits=\"1\\2\"",
     PMD "; server_max_window_bits=12\n"},
    {"letters in any case", "PerMessage-Deflate; CLIENT_MAX_Window_bits=10",
     PMD "; client_max_window_bits=10\n"},
    {"blanks anywhere", " \t" PMD " \t; \tserver_max_window_bits \t= \t10 \t",
     PMD "; server_max_window_bits=10\n"},
    {"several", PMD "; server_max_window_bits=10, " PMD,
     PMD "; server_max_window_bits=10\n" PMD "\n"},
    {"empty elements", ", ," PMD ",,", PMD "\n"},
    {"nothing", "", ""},
    {"blanks and commas", " , ", ""},
};

static void test_good(void)
{
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++)
    ok(offers(goods[i].field) == 0 && !strcmp(text, goods[i].want),
       goods[i].what);
}

/* Passed over: the one behind is found. */
static const struct {
  const char *what;
  const char *field;
} others[] = {
    {"another extension", "x-webkit-deflate-frame"},
    {"one with parameters", "foo; bar; baz=1; q=\"x\\y\""},
    {"a longer name", PMD "2"},
    {"an unknown parameter", PMD "; foo"},
    {"one with a value", PMD "; foo=10"},
    {"a flag with a value", PMD "; server_no_context_takeover=true"},
    {"another", PMD "; client_no_context_takeover=\"1\""},
    {"a flag twice", PMD "; server_no_context_takeover; "
                         "server_no_context_takeover"},
    {"bits twice", PMD "; server_max_window_bits=10; "
                       "server_max_window_bits=10"},
    {"the client's twice", PMD "; client_max_window_bits; "
                               "client_max_window_bits=10"},
    {"the other way round", PMD "; client_max_window_bits=10; "
                                "client_max_window_bits"},
    {"without value, twice", PMD "; client_max_window_bits; "
                                 "client_max_window_bits"},
    {"server_max_window_bits without value", PMD "; server_max_window_bits"},
    {"7 bits", PMD "; server_max_window_bits=7"},
    {"16 bits", PMD "; server_max_window_bits=16"},
    {"16 of the client", PMD "; client_max_window_bits=16"},
    {"0 bits", PMD "; client_max_window_bits=0"},
    {"a leading zero", PMD "; server_max_window_bits=08"},
    {"another before two digits", PMD "; server_max_window_bits=010"},
    {"three digits", PMD "; server_max_window_bits=100"},
    {"many", PMD "; server_max_window_bits=10000000000000000000010"},
    {"a sign", PMD "; server_max_window_bits=+9"},
    {"a letter", PMD "; server_max_window_bits=1a"},
    {"letters", PMD "; client_max_window_bits=max"},
};

static void test_others(void)
{
  char field[400];
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
    snprintf(field, sizeof(field), "%s,%s;client_max_window_bits",
             others[i].field, PMD);
    ok(offers(field) == 0 && !strcmp(text, PMD "; client_max_window_bits\n"),
       others[i].what);
  }
}

static const struct {
  const char *what;
  const char *field;
} bads[] = {
    {"two words", PMD " foo"},
    {"a parameter without a name", PMD "; =10"},
    {"no parameter", PMD ";"},
    {"none between two", PMD ";; foo"},
    {"none before a comma", PMD "; foo;, bar"},
    {"no value", PMD "; server_max_window_bits="},
    {"an empty quoted value", PMD "; foo=\"\""},
    {"an open quote", PMD "; foo=\"10"},
    {"a quoted end", PMD "; foo=\"10\\"},
    {"a quoted pair at the end", PMD "; foo=\"10\\\""},
    {"a quoted blank", PMD "; foo=\"1 0\""},
    {"a quoted comma", PMD "; foo=\"1,0\""},
    {"a word behind a quoted value", PMD "; foo=\"1\"0"},
    {"a value of two words", PMD "; foo=1 0"},
    {"no token", PMD "/2"},
    {"no name", "=10"},
    {"only a semicolon", ";"},
    {"a control byte", PMD "\1"},
    {"a text", PMD "; foo=\xc3\xa4"},
    {"a quoted extension", "\"" PMD "\""},
};

static void test_bad(void)
{
  char field[400];
  int good = 1;
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    is(offers(bads[i].field), GREEN_EPROTO, bads[i].what);
    snprintf(field, sizeof(field), "%s, %s", PMD, bads[i].field);
    if (offers(field) != GREEN_EPROTO || *text) good = 0;
  }
  ok(good, "each behind a good one is told before that");
}

/*
** Answers
*/

static int answered(const char *field, green_ws_offer *o)
{
  size_t n = strlen(field);
  return green_ws_offer_answer(guard_copy(field, n), n, o);
}

static void test_answer(void)
{
  green_ws_offer o;
  is(answered("", &o), 0, "nothing agreed on");
  is(answered(PMD, &o), 1, "the extension alone");
  ok(!o.server_no_takeover && !o.client_no_takeover && !o.server_bits &&
         !o.client_bits,
     "without parameters");
  is(answered(PMD "; server_no_context_takeover; client_max_window_bits=\"9\"",
              &o),
     1, "with parameters");
  ok(o.server_no_takeover && o.client_bits == 9, "which are told");
}

static const struct {
  const char *what;
  const char *field;
} bad_answers[] = {
    {"another extension", "foo"},
    {"another besides", PMD ", foo"},
    {"another before", "foo, " PMD},
    {"it twice", PMD ", " PMD},
    {"an unknown parameter", PMD "; foo"},
    {"a parameter twice", PMD "; server_no_context_takeover; "
                              "server_no_context_takeover"},
    {"a flag with a value", PMD "; client_no_context_takeover=1"},
    {"bits out of range", PMD "; server_max_window_bits=16"},
    {"bits without value", PMD "; client_max_window_bits"},
    {"no such field", PMD ";"},
};

static void test_bad_answers(void)
{
  green_ws_offer o;
  for (size_t i = 0; i < sizeof(bad_answers) / sizeof(bad_answers[0]); i++)
    is(answered(bad_answers[i].field, &o), GREEN_EPROTO, bad_answers[i].what);
}

/*
** Writing
*/

static void test_write(void)
{
  char out[GREEN_WS_OFFER_MAX + 1];
  green_ws_offer o = {true, true, 15, 0, true};
  int n = green_ws_offer_write(out, sizeof(out), &o, true);
  out[n] = '\0';
  is_str(out,
         PMD "; server_no_context_takeover; client_no_context_takeover; "
             "server_max_window_bits=15",
         "an answer has no parameter without its value");
  o.client_bits = 15;
  n = green_ws_offer_write(out, GREEN_WS_OFFER_MAX, &o, false);
  is(n, GREEN_WS_OFFER_MAX, "the longest there is");
  out[n] = '\0';
  ok(offers(out) == 0 && !strncmp(text, out, (size_t)n),
     "comes back as it was");
  is(green_ws_offer_write(out, GREEN_WS_OFFER_MAX - 1, &o, false),
     GREEN_EOVERFLOW, "no room for it");
}

/* Every one that can be written is read. */
static void test_round(void)
{
  int good = 1;
  for (int i = 0; i < 4 * 9 * 9 * 2; i++) {
    green_ws_offer o = {i & 1, i >> 1 & 1, (uint8_t)(i / 4 % 9),
                        (uint8_t)(i / 36 % 9), i / 324};
    o.server_bits = (uint8_t)(o.server_bits ? o.server_bits + 7 : 0);
    o.client_bits = (uint8_t)(o.client_bits ? o.client_bits + 7 : 0);
    if (o.client_bits) o.client_bits_free = false;
    char out[GREEN_WS_OFFER_MAX];
    green_ws_offer back;
    size_t pos = 0;
    int n = green_ws_offer_write(out, sizeof(out), &o, false);
    if (n <= 0 || green_ws_offer_next(out, (size_t)n, &pos, &back) != 1 ||
        back.server_no_takeover != o.server_no_takeover ||
        back.client_no_takeover != o.client_no_takeover ||
        back.server_bits != o.server_bits ||
        back.client_bits != o.client_bits ||
        back.client_bits_free != o.client_bits_free)
      good = 0;
  }
  ok(good, "what is written is read");
}

int main(void)
{
  t_start();
  test_good();
  test_others();
  test_bad();
  test_answer();
  test_bad_answers();
  test_write();
  test_round();
  return t_done();
}

/*
** post_test.c: posts that are taken back.
*/

#include "actor.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct letter {
  green_post post;
  char name;
  green_hub *hub;
  struct letter *sends; /* What its run posts, first; */
  struct letter *takes; /* then takes back. */
  int taken;
} letter;

static void letter_run(green_post *p)
{
  letter *l = green_container(p, letter, post);
  trace_add(l->name);
  if (l->sends) green_hub_post(l->hub, &l->sends->post);
  if (l->takes) l->taken = green_hub_unpost(l->hub, &l->takes->post);
}

static letter letter_for(green_hub *hub, char name)
{
  letter l = {.post.run = letter_run, .name = name, .hub = hub};
  return l;
}

static void send(letter *l)
{
  green_hub_post(l->hub, &l->post);
}

static int take_back(letter *l)
{
  return green_hub_unpost(l->hub, &l->post);
}

static void test_posted_and_not_run(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a');
  trace_clear();
  send(&a);
  is(take_back(&a), 1, "what has not run is taken back");
  is(take_back(&a), 0, "once");
  memset(&a, 0xff, sizeof(a)); /* Nobody looks at it any more. */
  turns(hub, 3);
  is_str(trace, "", "it never runs");
  is(green_hub_turn(hub, 1), 0, "and nothing waits for it");
  green_hub_free(hub);
}

static void test_not_posted(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a');
  trace_clear();
  is(take_back(&a), 0, "what was never posted is not there");
  send(&a);
  turns(hub, 1);
  is_str(trace, "a", "a post");
  is(take_back(&a), 0, "nor is what has run");
  send(&a);
  is(take_back(&a), 1, "posted again it is");
  send(&a);
  turns(hub, 1);
  is_str(trace, "aa", "and may be posted again after that");
  green_hub_free(hub);
}

static void test_among_others(void)
{
  green_hub *hub = hub_open(NULL);
  letter l[5];
  for (int gone = 0; gone < 5; gone++) {
    char want[8] = "";
    trace_clear();
    for (int i = 0; i < 5; i++) {
      l[i] = letter_for(hub, (char)('a' + i));
      send(&l[i]);
      if (i != gone) strncat(want, &"abcde\0"[i], 1);
    }
    is(take_back(&l[gone]), 1, "one of five");
    turns(hub, 2);
    is_str(trace, want, "the others run in their order");
  }
  green_hub_free(hub);
}

/* Some stand in the mail, some came later. */
static void test_order_across_a_taking_back(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a'), b = letter_for(hub, 'b');
  letter c = letter_for(hub, 'c'), d = letter_for(hub, 'd');
  trace_clear();
  send(&a);
  send(&b);
  take_back(&b);
  send(&c);
  send(&b);
  take_back(&c);
  send(&d);
  turns(hub, 2);
  is_str(trace, "abd", "the order of posting stands");
  green_hub_free(hub);
}

/* Two who post each, one who takes all back. */
static void test_all(void)
{
  green_hub *hub = hub_open(NULL);
  letter l[4];
  trace_clear();
  for (int i = 0; i < 4; i++) {
    l[i] = letter_for(hub, 'x');
    send(&l[i]);
  }
  is(take_back(&l[3]) + take_back(&l[0]) + take_back(&l[2]) + take_back(&l[1]),
     4, "all are taken back");
  is(green_hub_turn(hub, 1), 0, "nothing is left");
  is_str(trace, "", "nothing has run");
  green_hub_free(hub);
}

/* -- From inside ---------------------------------------------------------- */

static void test_one_that_stands_behind(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a'), b = letter_for(hub, 'b');
  letter c = letter_for(hub, 'c');
  trace_clear();
  a.takes = &b;
  send(&a);
  send(&b);
  send(&c);
  turns(hub, 2);
  is(a.taken, 1, "one that stands behind is taken back");
  is_str(trace, "ac", "the others run");
  green_hub_free(hub);
}

static void test_oneself(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a'), b = letter_for(hub, 'b');
  trace_clear();
  a.takes = &a;
  send(&a);
  send(&b);
  turns(hub, 2);
  is(a.taken, 0, "who runs has left");
  a.sends = &a;
  send(&a);
  turns(hub, 2);
  is(a.taken, 1, "posted again from inside it has not");
  is_str(trace, "aba", "and does not run a third time");
  green_hub_free(hub);
}

static void test_one_just_sent(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a'), b = letter_for(hub, 'b');
  letter c = letter_for(hub, 'c');
  trace_clear();
  a.sends = a.takes = &b;
  send(&a);
  send(&c);
  turns(hub, 2);
  is(a.taken, 1, "what a post has just sent");
  is_str(trace, "ac", "is taken back too");
  is(green_hub_turn(hub, 1), 0, "nothing is left");
  green_hub_free(hub);
}

/* What is sent from inside waits for the next turn, taken back or not. */
static void test_the_last_one(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a'), last = letter_for(hub, 'l');
  letter late = letter_for(hub, 'x');
  actor t;
  trace_clear();
  a.sends = &late;
  a.takes = &last;
  send(&a);
  send(&last);
  green_hub_turn(hub, 0);
  is(a.taken, 1, "the last of the row is taken back");
  is_str(trace, "a", "by the first, and what that sent waits for a turn");
  actor_start(&t, hub, 't', step_end);
  turns(hub, 2);
  ok(strchr(trace, 'x') && strchr(trace, 't'), "all others run");
  is(trace_len, 3, "once");
  green_hub_free(hub);
}

/* -- From other threads --------------------------------------------------- */

enum { LETTERS = 3000 };

static void *send_many(void *arg)
{
  letter *l = arg;
  for (int i = 0; i < LETTERS; i++) send(&l[i]);
  return NULL;
}

static int letters_run;

static void letter_count(green_post *p)
{
  (void)p;
  letters_run++;
}

static void test_while_others_post(void)
{
  static letter l[LETTERS];
  green_hub *hub = hub_open(NULL);
  letter own = letter_for(hub, 'o');
  pthread_t thread;
  int taken = 0;
  letters_run = 0;
  trace_clear();
  for (int i = 0; i < LETTERS; i++) {
    l[i] = letter_for(hub, 0);
    l[i].post.run = letter_count;
  }
  green_hub_hold(hub);
  if (pthread_create(&thread, NULL, send_many, l)) abort();
  for (int i = 0; i < LETTERS; i++) {
    send(&own);
    taken += take_back(&own);
    if (i % 16 == 0) green_hub_turn(hub, 0);
  }
  pthread_join(thread, NULL);
  for (int i = 0; i < 10000 && letters_run < LETTERS; i++)
    green_hub_turn(hub, 0);
  is(taken, LETTERS, "one's own is taken back from among them");
  is(letters_run, LETTERS, "none of theirs is lost");
  is_str(trace, "", "and it never ran");
  green_hub_unhold(hub);
  green_hub_free(hub);
}

static void test_free_runs_the_mail(void)
{
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a'), b = letter_for(hub, 'b');
  trace_clear();
  send(&a);
  send(&b);
  take_back(&a);
  green_hub_free(hub);
  is_str(trace, "b", "a hub's end runs what is left, not what was taken");
}

/* -- Posts that are to come ----------------------------------------------- */

static atomic_int begun, over;

static void *posts_at_leisure(void *arg)
{
  letter *l = arg;
  green_hub_post_begin(l->hub);
  begun = 1;
  usleep(20000); /* Who does not wait is done by then. */
  over = 1;
  send(l);
  green_hub_post_end(l->hub);
  return NULL;
}

static void test_free_waits(void)
{
  pthread_t id;
  green_hub *hub = hub_open(NULL);
  letter a = letter_for(hub, 'a');
  trace_clear();
  if (pthread_create(&id, NULL, posts_at_leisure, &a)) abort();
  while (!begun) usleep(500);
  green_hub_free(hub);
  is(over, 1, "a hub's end waits for a post that was begun");
  is_str(trace, "a", "and runs it");
  pthread_join(id, NULL);
}

int main(void)
{
  t_start();
  test_posted_and_not_run();
  test_not_posted();
  test_among_others();
  test_order_across_a_taking_back();
  test_all();
  test_one_that_stands_behind();
  test_oneself();
  test_one_just_sent();
  test_the_last_one();
  test_while_others_post();
  test_free_runs_the_mail();
  test_free_waits();
  return t_done();
}

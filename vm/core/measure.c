/*
** measure.c: green.core's functions for those who look at how a runtime does:
** what is measured while somebody wants it, and what is counted anyway.
*/

#include "core/door.h"

#include "httpd/httpd.h"
#include "httpd/load.h"

/* -- Histograms ----------------------------------------------------------- */

static void set_number(lua_State *L, const char *name, double value)
{
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

/* Push { count, sum, most, p50, p90, p99, p999, below }: times in seconds;
** below[i]: how many were shorter than 2^(9 + i) nanoseconds. */
static void push_histogram(lua_State *L, const green_histogram *h)
{
  static const struct {
    const char *name;
    double part;
  } parts[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}};
  lua_createtable(L, 0, 8);
  set_number(L, "count", (double)green_histogram_count(h));
  set_number(L, "sum", (double)h->sum * 1e-9);
  set_number(L, "most", (double)h->most * 1e-9);
  for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
    set_number(L, parts[i].name,
               (double)green_histogram_at(h, parts[i].part) * 1e-9);
  lua_newtable(L);
  for (int p = GREEN_HISTOGRAM_FIRST; p <= GREEN_HISTOGRAM_LAST + 1; p++) {
    lua_pushnumber(L, (double)green_histogram_below(h, p));
    lua_rawseti(L, -2, p - GREEN_HISTOGRAM_FIRST + 1);
  }
  lua_setfield(L, -2, "below");
}

/* -- The loop ------------------------------------------------------------- */

/* was = measure(on): turns, and steps of the collector. */
static int core_measure(lua_State *L)
{
  green_hub *hub = core_vm(L)->hub;
  int was = green_hub_measures(hub);
  green_hub_measure(hub, lua_toboolean(L, 1));
  lua_pushboolean(L, was);
  return 1;
}

/* is_on, turns, steps, cycles = measured(): histograms of turns and of steps of
** the collector, and how many cycles that has done. */
static int core_measured(lua_State *L)
{
  const vm *v = core_vm(L);
  lua_pushboolean(L, green_hub_measures(v->hub));
  push_histogram(L, green_hub_turn_times(v->hub));
  push_histogram(L, &v->gc_steps);
  lua_pushnumber(L, (lua_Number)v->gc_cycles);
  return 4;
}

/* -- Servers -------------------------------------------------------------- */

/* code = httpd_measure(httpd): as green_httpd_measure. */
static int core_httpd_measure(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, green_httpd_measure(vm_pointer(L, 1)));
  return 1;
}

/* times, answers, rate = httpd_measured(httpd): answers[i]: those with a status
** of i hundred, [0]: with none; nothing: nobody measures. */
static int core_httpd_measured(lua_State *L)
{
  const vm *v = core_vm(L);
  const green_httpd_load *l = green_httpd_measured(vm_pointer(L, 1));
  if (!l) return 0;
  push_histogram(L, &l->times);
  lua_createtable(L, 5, 1);
  for (int i = 0; i < 6; i++) {
    lua_pushnumber(L, (lua_Number)l->answers[i]);
    lua_rawseti(L, -2, i);
  }
  lua_pushnumber(L, green_httpd_load_rate(l, green_hub_now(v->hub)));
  return 3;
}

/* seconds = conn_age(conn): since the end of its request's head came; nil: its
** request is over. */
static int core_conn_age(lua_State *L)
{
  const vm *v = core_vm(L);
  const green_conn *c = vm_slot_conn(&v->slots, luaL_checknumber(L, 1));
  int64_t since = c ? green_conn_since(c) : 0;
  if (since == 0) return 0;
  lua_pushnumber(L, (lua_Number)(green_hub_now(v->hub) - since) * 1e-9);
  return 1;
}

const luaL_Reg vm_measure_functions[] = {
    {"measure", core_measure},
    {"measured", core_measured},
    {"httpd_measure", core_httpd_measure},
    {"httpd_measured", core_httpd_measured},
    {"conn_age", core_conn_age},
    {NULL, NULL},
};

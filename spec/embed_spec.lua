-- The programs of examples/embed, which make builds against what a host gets.

local program = require "spec.support.program"

--- Run one of them, or leave the spec pending where it was not built.
local function run(name)
  local path = program.build .. "/examples/" .. name
  local file = io.open(path)
  if not file then
    pending(path .. " was not built")
    return nil
  end
  file:close()
  local r = program.run { path }
  assert.equal(0, r.status, r.err)
  assert.equal("", r.err)
  return r.out
end

--- The lines of the output that begin with a word.
local function lines_of(out, word)
  local lines = {}
  for line in out:gmatch("[^\n]+") do
    lines[#lines + 1] = line:match("^" .. word .. "%s(.*)")
  end
  return table.concat(lines, " ")
end

describe("a C host", function()
  for what, name in pairs { ["libgreenlua.so"] = "embed", ["libgreenlua.a"] = "embed_static" } do
    it("has two runtimes in one thread, turn about, with " .. what, function()
      local out = run(name)
      if out then
        for _, side in ipairs { "left", "right" } do
          local lines, n = lines_of(out, side):gsub(" thread", "")
          assert.equal("1 2 3", lines)
          assert.equal(1, n)
        end
        local first_right = out:find("right\t1", 1, true)
        assert.is_true(first_right < out:find("left\t3", 1, true), out)
      end
    end)
  end

  it("uses the C core without Lua, by its installed headers", function()
    local out = run("embed_core")
    if out then
      assert.equal("1 ends\n3 ends\n2 ends\n", out)
    end
  end)

  it("keeps its own loop, and the script lives in it", function()
    local out = run("embed_ev")
    if out then
      assert.equal("1 2 3", lines_of(out, "script"))
      local first_host = out:find("host", 1, true)
      assert.is_true(first_host < out:find("script 3", 1, true), out)
    end
  end)
end)

-- Runtimes inside this one, by the functions that a host has.

local ffi = require "ffi"

local lib
local function api()
  if lib then
    return lib
  end
  ffi.cdef [[
    typedef struct greenlua greenlua;
    typedef struct greenlua_options { const char *hub; void *ev_loop; } greenlua_options;
    greenlua *greenlua_new(const greenlua_options *options);
    int greenlua_new_error(void);
    void greenlua_free(greenlua *g);
    int greenlua_dostring(greenlua *g, const char *code, const char *name);
    int greenlua_dofile(greenlua *g, const char *path);
    int greenlua_start(greenlua *g, const char *code, const char *name);
    void greenlua_interrupt(greenlua *g);
    const char *greenlua_error(const greenlua *g);
    int greenlua_turn(greenlua *g, int block);
  ]]
  local ok
  ok, lib = pcall(ffi.load, program.build .. "/libgreenlua.so")
  return ok and lib or pending("libgreenlua.so cannot be loaded here")
end

--- Call fn with the library and a runtime, which is freed.
local function with_runtime(fn, options)
  local c = api()
  if not c then
    return
  end
  local g = c.greenlua_new(options and ffi.new("greenlua_options", options))
  assert(g ~= nil)
  local ok, err = pcall(fn, c, g)
  c.greenlua_free(g)
  assert(ok, err)
end

local function error_of(c, g)
  return ffi.string(c.greenlua_error(g))
end

describe("a host's loop", function()
  it("ends when nothing is left that a script waits for", function()
    local ok, ev = pcall(ffi.load, "libev.so.4")
    if not ok then
      pending("no libev.so.4 here")
      return
    end
    ffi.cdef [[
      struct ev_loop;
      struct ev_loop *ev_loop_new(unsigned flags);
      void ev_loop_destroy(struct ev_loop *loop);
      int ev_run(struct ev_loop *loop, int flags);
    ]]
    local loop = ev.ev_loop_new(0)
    with_runtime(function(c, g)
      assert.equal(0, c.greenlua_start(g, [[
        local green = require "green"
        for _ = 1, 3 do green.sleep(0.001) end
        green.spawn(function() green.sleep(0.001) x = 1 end)
        green.sleep(0)
      ]], "=a"))
      ev.ev_run(loop, 0)
      assert.equal(0, c.greenlua_dostring(g, "assert(x == 1)", "=b"), error_of(c, g))
    end, { ev_loop = loop })
    ev.ev_loop_destroy(loop)
  end)
end)

describe("greenlua.h", function()
  it("runs chunks, one after the other, in one state", function()
    with_runtime(function(c, g)
      assert.equal(0, c.greenlua_dostring(g, "x = 1", "=a"))
      assert.equal(0, c.greenlua_dostring(g, "assert(x == 1) require('green').sleep(0.001)", "=b"))
      assert.equal("", error_of(c, g))
    end)
  end)

  it("gives the message and the traceback of an error", function()
    with_runtime(function(c, g)
      assert.equal(1, c.greenlua_dostring(g, "local function f() error('bang') end f()", "=chunk"))
      assert.is_truthy(error_of(c, g):find("^chunk:1: bang\nstack traceback:"), error_of(c, g))
      assert.equal(1, c.greenlua_dostring(g, "x =", "=chunk"))
      assert.is_truthy(error_of(c, g):find("chunk:1: unexpected symbol", 1, true))
      assert.equal(1, c.greenlua_dofile(g, "/nowhere.lua"))
      assert.is_truthy(error_of(c, g):find("cannot open /nowhere.lua", 1, true))
      assert.equal(0, c.greenlua_dostring(g, "", "=chunk"))
    end)
  end)

  it("keeps threads parked between runs", function()
    with_runtime(function(c, g)
      local start = "green = require('green') green.spawn(function() green.sleep(0.001) x = 1 end)"
      local check = "assert(x == nil) green.sleep(0.01) assert(x == 1)"
      assert.equal(0, c.greenlua_dostring(g, start, "=a"))
      assert.equal(0, c.greenlua_dostring(g, check, "=b"))
    end)
  end)

  it("turns by hand until nothing can happen any more", function()
    with_runtime(function(c, g)
      assert.equal(0, c.greenlua_start(g, "require('green').sleep(0.001) x = 1", "=a"))
      while c.greenlua_turn(g, 1) == 1 do
        assert(true)
      end
      assert.equal(0, c.greenlua_dostring(g, "assert(x == 1)", "=b"))
      assert.equal(1, c.greenlua_start(g, "x =", "=c"))
      assert.is_truthy(error_of(c, g):find("c:1:", 1, true))
    end)
  end)

  it("interrupts a run", function()
    with_runtime(function(c, g)
      c.greenlua_interrupt(g)
      assert.equal(1, c.greenlua_dostring(g, "require('green').sleep(3600)", "=a"))
      assert.is_truthy(error_of(c, g):find("ECANCELED", 1, true))
      assert.equal(0, c.greenlua_dostring(g, "require('green').sleep(0)", "=b"))
    end)
  end)

  it("names what keeps a runtime from being made", function()
    local c = api()
    if c then
      local options = ffi.new("greenlua_options", "nohub")
      assert.is_true(c.greenlua_new(options) == nil)
      assert.equal(-22, c.greenlua_new_error())
    end
  end)

  it("can make and free many", function()
    local c = api()
    for _ = 1, c and 50 or 0 do
      local g = c.greenlua_new(nil)
      c.greenlua_start(g, "require('green').sleep(3600)", "=a")
      c.greenlua_turn(g, 0)
      c.greenlua_free(g)
    end
  end)
end)

-- tools/layers keeps the house's order: each breach makes it fail, in a small tree.

local program = require "spec.support.program"
local tree = require "spec.support.tree"

local CC = os.getenv("CC") or "cc"

-- Two floors of C and two of Lua, in order.
local CLEAN = {
  ["greenc/base/low.h"] = "int green_low(void);\n",
  ["greenc/base/low.c"] = '#include "base/low.h"\nint green_low(void) { return 1; }\n',
  ["greenc/hub/high.h"] = "int green_high(void);\n",
  ["greenc/hub/high.c"] = '#include "hub/high.h"\n#include "base/low.h"\n#include <errno.h>\n'
    .. "int green_high(void) { return green_low(); }\n",
  ["lualib/green/event.lua"] = 'local thread = require "green.thread"\nreturn thread\n',
  ["lualib/green/thread.lua"] = "return {}\n",
  ["lualib/green/wsgi.lua"] = 'local event = require "green.event"\nreturn event\n',
}

local function compile(root)
  local r = program.run { "sh", "-c", ([[cd '%s' && for f in greenc/*/*.c; do
    mkdir -p "build/${f%%/*}" && %s -iquote greenc -c -o "build/${f%%.c}.o" "$f" || exit 1
    done]]):format(root, CC) }
  assert.equal(0, r.status, r.err)
end

--- What the tool says of the clean tree with these changes.
local function judge(changes, objects)
  local result
  tree.with(tree.changed(CLEAN, changes), function(root)
    compile(root)
    result = program.run { "luajit", "tools/layers/main.lua", objects or "build", root }
  end)
  return result
end

local function passes(changes)
  local r = judge(changes)
  assert.equal("", r.err)
  assert.equal(0, r.status)
end

--- It says exactly this.
local function complains(text, changes, objects)
  local r = judge(changes, objects)
  assert.equal(text .. "\n1 breaches of the layers\n", r.err)
  assert.equal(1, r.status)
end

describe("tools/layers", function()
  it("lets a tree in order pass", function()
    passes {}
  end)

  it("lets `green` hand out what stands above it, and a lazy require be in a circle", function()
    passes {
      ["lualib/green/init.lua"] = 'return setmetatable({}, { __index = function()\n'
        .. '  return require "green.wsgi"\nend })\n',
      ["lualib/green/thread.lua"] = 'return { fn = function()\n  require "green.error"\nend }\n',
      ["lualib/green/error.lua"] = 'local thread = require "green.thread"\nreturn thread\n',
    }
  end)

  it("names the line of an include of an upper layer", function()
    complains("greenc/base/low.c:2: layer 0 includes greenc/hub/high.h of layer 1a", {
      ["greenc/base/low.c"] = '#include "base/low.h"\n#include "hub/high.h"\n'
        .. "int green_low(void) { return 1; }\n",
      ["greenc/hub/high.c"] = '#include "hub/high.h"\nint green_high(void) { return 2; }\n',
    })
  end)

  it("names the line of an include of what is not there", function()
    complains('greenc/base/low.h:1: no file for "low.h"', {
      ["greenc/base/low.h"] = '#include "low.h"\nint green_low(void);\n',
      ["greenc/base/low.c"] = "int green_low(void) { return 1; }\n",
      ["greenc/hub/high.c"] = "int green_high(void) { return 2; }\n",
    })
  end)

  it("names the symbol of a call upwards that no include shows", function()
    complains("greenc/base/low.c (layer 0) calls green_high of greenc/hub/high.c (layer 1a)", {
      ["greenc/base/low.c"] = "int green_high(void);\n"
        .. "int green_low(void) { return green_high(); }\n",
      ["greenc/hub/high.c"] = "int green_high(void) { return 2; }\n",
    })
  end)

  it("names the symbol of ours that nobody has", function()
    complains("greenc/base/low.c: calls green_gone, which nobody has", {
      ["greenc/base/low.c"] = "int green_gone(void);\n"
        .. "int green_low(void) { return green_gone(); }\n",
    })
  end)

  it("shows the way of a circle of C files by their calls", function()
    complains("circle: greenc/base/left.c (calls green_right) -> "
      .. "greenc/base/right.c (calls green_left) -> greenc/base/left.c", {
      ["greenc/base/left.c"] = "int green_right(void);\n"
        .. "int green_left(void) { return green_right(); }\n",
      ["greenc/base/right.c"] = "int green_left(void);\n"
        .. "int green_right(void) { return green_left(); }\n",
    })
  end)

  it("shows the way of a circle of headers", function()
    complains("circle: greenc/base/left.h (includes it) -> "
      .. "greenc/base/right.h (includes it) -> greenc/base/left.h", {
      ["greenc/base/left.h"] = '#include "base/right.h"\n',
      ["greenc/base/right.h"] = '#include "base/left.h"\n',
    })
  end)

  it("shows the way of a circle of requires [S32]", function()
    complains("circle: green.error (requires it) -> green.stream (requires it) -> green.error", {
      ["lualib/green/error.lua"] = 'local stream = require "green.stream"\nreturn stream\n',
      ["lualib/green/stream.lua"] = 'local error = require("green.error")\nreturn error\n',
    })
  end)

  it("names the line of a require of an upper layer, a lazy one too", function()
    complains("lualib/green/thread.lua:2: layer 3, the Lua core requires green.event of layer 4", {
      ["lualib/green/thread.lua"] = 'return { fn = function()\n  require "green.event"\nend }\n',
      ["lualib/green/event.lua"] = "return {}\n",
    })
  end)

  it("names the line of an outside library's header in a file that does not own it", function()
    complains("greenc/hub/high.h:1: <ev.h> is not for this file", {
      ["greenc/hub/high.h"] = "#include <ev.h>\nint green_high(void);\n",
      ["greenc/hub/high.c"] = "int green_high(void) { return 2; }\n",
    })
  end)

  it("names the line of a header that no file owns", function()
    complains("greenc/hub/high.h:1: <uuid/uuid.h> belongs to no file (tools/layers/owners.lua)", {
      ["greenc/hub/high.h"] = "#include <uuid/uuid.h>\nint green_high(void);\n",
      ["greenc/hub/high.c"] = "int green_high(void) { return 2; }\n",
    })
  end)

  it("names a folder that is no layer", function()
    complains("greenc/odd/new.c: its folder is no layer of tools/layers/main.lua", {
      ["greenc/odd/new.c"] = '#include "base/low.h"\nint green_new(void) { return 3; }\n',
    })
  end)

  it("names the line that asks ffi.C for a symbol of ours", function()
    complains("lualib/green/thread.lua:2: our own symbols come from green.ffi.*, not from ffi.C", {
      ["lualib/green/thread.lua"] = 'local ffi = require "ffi"\nreturn ffi.C.green_low\n',
    })
  end)

  it("names the line that compiles text without a reason [S34]", function()
    for _, call in ipairs { "load(text)", "loadstring(text)" } do
      complains("lualib/green/thread.lua:2: compiles text at run time; if the text is the user's,"
        .. " say so on the line with `-- load: why`", {
        ["lualib/green/thread.lua"] = "local text = ...\nreturn " .. call .. "\n",
      })
    end
    passes { ["lualib/green/thread.lua"] = "return load(...) -- load: it is the user's\n" }
  end)

  it("does not take a tree without objects for one in order", function()
    complains("elsewhere: no objects: run make first", {}, "elsewhere")
  end)
end)

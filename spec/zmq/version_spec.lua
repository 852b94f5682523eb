-- A libzmq that is too old: one that says so of itself, made here.

local folder = require "spec.support.folder"
local fs = require "green.fs"
local program = require "spec.support.program"

local dir = folder.each(before_each, after_each)

--- A library that has all names of libzmq, and says it is of that version.
local function library(major, minor)
  local header = assert(fs.read_file "greenc/io/zmq_lib.h")
  local names = assert(header:match "#define GREEN__ZMQ_FUNCTIONS.-\n\n")
  local parts = {}
  for name in names:gmatch "X%([%w_ %*]+, ([%l%d_]+)," do
    parts[#parts + 1] = name ~= "version" and ("int zmq_%s(void) { return 0; }\n"):format(name)
      or ("void zmq_version(int *a, int *b, int *c) { *a = %d, *b = %d, *c = 7; }\n"):format(major,
        minor)
  end
  assert(#parts > 30)
  local path = dir() .. "/libzmq.so"
  local cc = program.run { "gcc", "-x", "c", "-shared", "-fPIC", "-w", "-o", path, "-",
    input = table.concat(parts) }
  assert.equal(0, cc.status, cc.err)
  return path
end

describe("a libzmq that is too old", function()
  for _, version in ipairs { { 2, 0 }, { 3, 2 }, { 4, 1 } } do
    it(("is refused with its version: %d.%d [S03]"):format(version[1], version[2]), function()
      local p = program.run_greenlua { "-e", "require 'green.zmq'.socket 'PUB'",
        env = { GREENLUA_LIBZMQ = library(version[1], version[2]) } }
      assert.equal(1, p.status)
      local why = ("version %d.%d.7 is older than 4.2"):format(version[1], version[2])
      assert.is_truthy(p.err:find(why, 1, true), p.err)
      assert.is_truthy(p.err:find("libzmq5", 1, true), p.err)
    end)
  end
end)

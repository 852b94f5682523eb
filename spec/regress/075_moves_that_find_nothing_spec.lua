-- A move of a folder to another file system copied it, and where the copy failed removed what stood
-- at its place: also what had been there before, if the copy failed before it had begun, as when
-- the original went away meanwhile.

local fs = require "green.fs"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local program = require "spec.support.program"
local dir = folder.each(before_each, after_each)
local _, it = testing.busted()

local TRIES = 300

it("a folder whose place is taken stays, though what is moved there goes away", function()
  local other = "/dev/shm/fs-gone-" .. dir():match("[^/]+$")
  local st = fs.stat("/dev/shm")
  if not st or st.dev == fs.stat(dir()).dev then
    return pending("needs a second file system at /dev/shm")
  end
  assert(fs.mkdir(other .. "/from", { parents = true }))
  assert(fs.mkdir(dir() .. "/to"))
  assert(fs.write_file(dir() .. "/to/dear", "x"))
  assert(fs.write_file(other .. "/run", ""))
  local racer = program.start { "/usr/bin/python3", "-c", [[if True:
    import os, sys
    os.chdir(sys.argv[1])
    while os.path.exists("run"):
      os.rename("from", "hidden")
      os.rename("hidden", "from")
  ]], other }
  for _ = 1, TRIES do
    assert.is_nil((fs.move(other .. "/from", dir() .. "/to")))
    if not fs.exists(dir() .. "/to/dear") then
      break
    end
  end
  assert(fs.remove(other .. "/run"))
  racer:wait()
  assert(fs.remove(other))
  assert.is_true(fs.exists(dir() .. "/to/dear"))
end)

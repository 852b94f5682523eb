-- A watch takes some thousand events of the kernel's at a time. A move that was cut in two by
-- that, in a storm of moves, was told as "deleted" and "created". And a watch that was closed while
-- it told of a folder moved away raised an error of the FFI's.

local fs = require "green.fs"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir = folder.each(before_each, after_each)
local _, it = testing.busted()

describe("a watch", function()
  it("tells each move of a storm as one", function()
    local count = 6000 -- of two events each: more than are taken at once
    local watch = assert(fs.watch(dir()))
    local file = io.open(dir() .. "/n0", "w") -- three events: moves begin at even ones then
    file:write "x"
    file:close()
    for i = 1, count do
      os.rename(dir() .. "/n" .. i - 1, dir() .. "/n" .. i)
    end
    local kinds = {}
    local event
    repeat
      event = assert(watch:next())
      kinds[event.type] = (kinds[event.type] or 0) + 1
    until event.path == dir() .. "/n" .. count
    watch:close()
    assert.same({ created = 1, written = 1, moved = count }, kinds)
  end)

  it("may be closed by the function that says what is ignored", function()
    fs.mkdir(dir() .. "/in")
    fs.mkdir(dir() .. "/in/sub")
    local watch
    local function ignore(path)
      if path:find "trigger" then
        watch:close()
      end
      return false
    end
    watch = assert(fs.watch(dir() .. "/in", { recursive = true, ignore = ignore }))
    fs.write_file(dir() .. "/in/trigger", "", { sync = false })
    fs.rename(dir() .. "/in/sub", dir() .. "/out")
    fs.mkdir(dir() .. "/in/new")
    repeat
      local event, err = watch:next()
      assert.is_nil(err)
      assert.is_false(event ~= nil and event.type == "error")
    until not event
  end)
end)

--- Checks of how streams end and close. Private to green.testing.check_stream.
-- @module green.testing.check_end

local check = require "green.testing.check"

local is, ends, fails = check.is, check.ends, check.fails

local BIG = 8 * 1024 * 1024
local GONE = "EPIPE ECONNRESET"

local function add_peer(add)
  add("every kind of reading says nil alone at the end, again and again", function(a, b)
    a:close()
    for _ = 1, 2 do
      ends(b:read(1))
      ends(b:read_some())
      ends(b:read_until(";"))
      ends(b:read_line())
      is(b:read_all(), "")
    end
    for _ in b:lines() do
      error("a line after the end")
    end
  end)

  add("what was written before the close arrives", function(a, b)
    a:write("last words")
    a:close()
    is(b:read_all(), "last words")
  end)

  add("the peer's close ends a waiting read", function(a, b)
    local t = check.start(b.read_some, b)
    a:close()
    ends(t:wait())
  end)
end

local function add_peer_of_writer(add)
  add("writing to a peer that has closed fails before long", function(a, b)
    b:close()
    for _ = 1, 100 do
      local ok, err = a:write("x")
      if not ok then
        fails(GONE, ok, err)
        return
      end
      check.pause()
    end
    error("100 writes to a closed peer went well")
  end)

  add("the peer's close ends a waiting write", function(a, b)
    local t = check.start(a.write, a, check.pattern(BIG))
    b:close()
    fails(GONE, t:wait())
  end)
end

local function add_half_close(add)
  add("shutdown of writing ends the peer's reading, and nothing else", function(a, b)
    a:write("question")
    is(a:shutdown("write"), true)
    is(b:read_all(), "question")
    is(b:write("answer"), true)
    b:close()
    is(a:read_all(), "answer")
  end, "half_close")

  add("writing after one's own shutdown fails", function(a)
    a:shutdown("write")
    fails("EPIPE ECLOSED", a:write("x"))
  end, "half_close")

  add("shutdown takes the names of directions only", function(a)
    is(pcall(a.shutdown, a, "wirte"), false)
  end)

  add("shutdown may be repeated, and called on a closed stream", function(a)
    is(a:shutdown(), true)
    is(a:shutdown(), true)
    a:close()
    is(a:shutdown(), true)
  end)
end

local function add_close(add)
  add("close wakes a reader with ECLOSED", function(_, b)
    local t = check.start(b.read, b, 1)
    b:close()
    fails("ECLOSED", t:wait())
  end)

  add("close wakes a writer with ECLOSED", function(a)
    local t = check.start(a.write, a, check.pattern(BIG))
    a:close()
    fails("ECLOSED", t:wait())
  end)

  add("close wakes a reader and a writer at once", function(a)
    local reader = check.start(a.read_some, a)
    local writer = check.start(a.write, a, check.pattern(BIG))
    a:close()
    fails("ECLOSED", reader:wait())
    fails("ECLOSED", writer:wait())
  end)
end

local function add_closed(add)
  add("a closed stream says ECLOSED to everything", function(a, b)
    b:write("unread")
    a:close()
    fails("ECLOSED", a:read(1))
    fails("ECLOSED", a:read_some())
    fails("ECLOSED", a:read_until(";"))
    fails("ECLOSED", a:read_line())
    fails("ECLOSED", a:read_all())
    fails("ECLOSED", a:write("x"))
    fails("ECLOSED", a:writev({ "x" }))
  end)

  add("close may be repeated, and returns nothing", function(a, b)
    is(select("#", a:close()), 0)
    is(select("#", a:close()), 0)
    b:close()
    b:close()
  end)

  add("tostring works, open or closed", function(a)
    is(type(tostring(a)), "string")
    a:close()
    is(type(tostring(a)), "string")
  end)
end

return function(add)
  add_peer(add)
  add_peer_of_writer(add)
  add_half_close(add)
  add_close(add)
  add_closed(add)
end
